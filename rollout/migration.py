"""The steps of a migration around those of the rollout: expand and backfill before it, switch and contract after it."""

from __future__ import annotations

from dataclasses import dataclass

import simpy

from rollout.play import Play
from scenarios.models import Change, Migration

__all__ = ["Migrate", "after", "before"]


@dataclass(frozen=True, slots=True)
class Migrate:
    """Play a phase of the migration of a store."""

    store: str
    phase: str

    def __str__(self) -> str:
        return f"{self.phase} {self.store}"

    def perform(self, play: Play, change: Change) -> simpy.Process:  # noqa: ARG002 - of the whole release
        """Start it; interrupted, it never was."""
        return play.world.data.migrate(self.phase)


def before(migration: Migration) -> list[Migrate]:
    """The phases before the rollout, those that the migration has."""
    phases = ["expand", *(["backfill"] if migration.backfill is not None else [])]
    return [Migrate(migration.store, phase) for phase in phases]


def after(migration: Migration) -> list[Migrate]:
    """The phases after the rollout."""
    phases = [phase for phase in ("switch", "contract") if getattr(migration, phase) is not None]
    return [Migrate(migration.store, phase) for phase in phases]
