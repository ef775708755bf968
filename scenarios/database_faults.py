"""Faults of a database that serves: connections used up, a lock held, read only, half a migration."""

from __future__ import annotations

from pydantic import Field

from scenarios.base import Name, Part, Text
from scenarios.quantities import Count

__all__ = ["CorruptedMigration", "Exhaustion", "Lock", "ReadOnly"]


class Exhaustion(Part):
    """Somebody else holds the database's connections: it takes no more than `left`."""

    of: Name
    left: Count = 0


class Lock(Part):
    """Somebody holds a lock on a table, and neither reads nor writes of it come through."""

    of: Name
    table: Text


class ReadOnly(Part):
    """The database refuses every write."""

    of: Name


class CorruptedMigration(Part):
    """A migration that ended halfway: it renamed a column, and nobody was told."""

    of: Name
    table: Text
    column: Text = Field(description="that statements do not find any more")
