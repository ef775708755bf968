"""What the faults of a database share: the store that must be there, and its surface."""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.errors import FaultRefused
from chaos.faults.store_surface import StoreSurface
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry

__all__ = ["store_of", "store_or_refuse", "table_or_refuse"]


def store_of(surface: Surface, entry: JournalEntry) -> StoreSurface:
    """The store of an entry."""
    return surface.store(entry.undo["store"])


def store_or_refuse(surface: Surface, kind: str, name: str) -> StoreSurface:
    """The store; FaultRefused when the staging has none of that name."""
    try:
        return surface.store(name)
    except StagingError as error:
        raise FaultRefused(f"{kind} of {name}: {error}") from error


def table_or_refuse(store: StoreSurface, kind: str, of: str, table: str) -> set[str]:
    """The table's columns; FaultRefused when there is no such table."""
    columns = store.columns(table)
    if not columns:
        raise FaultRefused(f"{kind} of {of}: table(={table}) must be one of the store's")
    return columns
