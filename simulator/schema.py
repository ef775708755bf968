"""The migration of one store's schema, phase by phase, and which versions can live with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any

import simpy

from rollout.errors import NoWayBack
from scenarios.models import Distribution, Migration
from simulator.effects import Effects
from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import Defect
from simulator.store import SimulatedStore

__all__ = ["Schema"]


class Schema:
    """Expanded, it takes both versions; contracted, the new one only; reverted or restored, the old one only.

    `old` and `new` are the stations and versions that use the store. Without its schema a version answers errors.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        migration: Migration,
        store: SimulatedStore,
        effects: Effects,
        users: Mapping[str, Sequence[tuple[int, int]]],
        drawn_s: Callable[[Distribution | None], float],
    ) -> None:
        self._env = env
        self._migration = migration
        self.store = store
        self._effects = effects
        self._users = users
        self._drawn_s = drawn_s
        self._gone: str | None = None  # the side whose schema is not there

    def phase(self, name: str) -> simpy.Process:
        """Play a phase; interrupted, it is as if it had not begun. NoWayBack after the contract."""
        return self._env.process(getattr(self, f"_{name}")())

    def restored(self) -> None:
        """The store is back from before the migration."""
        self._fit("new")

    def differences(self, stays: Collection[str]) -> list[str]:
        """What keeps the sides that stay from serving as before the release."""
        if self._gone is None or self._gone not in stays:
            return []
        found = {"old": "contracted", "new": "the one from before the release"}[self._gone]
        return [f"{self.store.name}: schema is {found}, must be one that the {self._gone} version reads"]

    def _expand(self) -> Generator[simpy.Event, Any, None]:
        migration = self._migration
        if migration.lock_s:
            self.store.hold(migration.lock_s)
        try:
            yield self._env.timeout(max(migration.lock_s, self._drawn_s(migration.expand)))
        except simpy.Interrupt:
            self.store.let_go()

    def _backfill(self) -> Generator[simpy.Event, Any, None]:
        backfill = self._migration.backfill
        assert backfill is not None, "only what the scenario has is played"
        self.store.slow(backfill.load)
        try:
            yield self._env.timeout(self._drawn_s(backfill.takes))
        except simpy.Interrupt:
            pass
        finally:
            self.store.slow(0.0)

    def _switch(self) -> Generator[simpy.Event, Any, None]:
        try:
            yield self._env.timeout(self._drawn_s(self._migration.switch))
        except simpy.Interrupt:
            return

    def _contract(self) -> Generator[simpy.Event, Any, None]:
        try:
            yield self._env.timeout(self._drawn_s(self._migration.contract))
        except simpy.Interrupt:
            return
        self._fit("old")

    def _revert(self) -> Generator[simpy.Event, Any, None]:
        if self._gone == "old":
            raise NoWayBack(f"revert of {self.store.name}: the schema is contracted, nothing of the old one is left")
        yield self._env.timeout(self._drawn_s(self._migration.revert))
        self._fit("new")

    def _fit(self, without: str) -> None:
        """One side's schema is gone, the other's is there."""
        self._gone = without
        for side, users in self._users.items():
            effects = [Defect(error_ratio=1.0)] if side == without else []
            for station, version in users:
                self._effects.put(station, version, "schema", effects)
