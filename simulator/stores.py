"""All stores of a replication: their faults, what a release does to their data, and which rows are left at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from rollout.errors import WorldError
from rollout.people import draw_s
from scenarios.models import Defect, Distribution, Fault, Lag, Migration, Primary, Scenario, Standby
from simulator.bad_data import BadRows
from simulator.compile import Compiled
from simulator.effects import Effects
from simulator.environment import SimulationEnvironment
from simulator.rows import Rows, drawn, ended_s, lost_in
from simulator.schema import Schema
from simulator.store import LostSpan, Page, Record, SimulatedStore

__all__ = ["Stores"]


class Stores:
    """What the world hands on to its stores. `streams` gives each store what it draws from, by its name."""

    def __init__(
        self,
        env: SimulationEnvironment,
        scenario: Scenario,
        compiled: Compiled,
        effects: Effects,
        defects: Sequence[Defect],
        record: Record,
        page: Page,
        streams: Callable[[str], np.random.Generator],
    ) -> None:
        self._env = env
        self._scenario = scenario
        self._compiled = compiled
        self._effects = effects
        self._record = record
        self._streams = streams
        self._rows = Rows(scenario, compiled)
        self._begun_s: float | None = None
        self._reconciled_until_s = -math.inf
        self._stores = {
            name: SimulatedStore(
                env, compiled.station(name), name, store, effects, record, page, partial(streams, name), self._tell_lost
            )
            for name, store in scenario.system.stores.items()
        }
        self._changed = [change.service for change in scenario.release.changes]
        self._schema = None if scenario.release.migration is None else self._schema_of(scenario.release.migration)
        self._bad = [self._bad_rows_of(defect) for defect in defects if defect.bad_data is not None]
        for bad in self._bad:
            env.process(bad.watch(scenario.release.at_s, scenario.measure.resolution_s))

    @cached_property
    def _draws(self) -> np.random.Generator:
        """What migrations and repairs draw their times from."""
        return self._streams("release")

    def _versions(self, services: Iterable[str]) -> list[tuple[int, int]]:
        """Station and version of each version of the services, the old one of each first."""
        compiled = self._compiled
        return [(compiled.station(name), place) for name in services for place in range(len(compiled.routed(name)))]

    def _schema_of(self, migration: Migration) -> Schema:
        users = self._versions(name for name in self._changed if (name, migration.store) in self._compiled.links)
        sides = {"old": [each for each in users if each[1] == 0], "new": [each for each in users if each[1] > 0]}
        store = self._stores[migration.store]
        return Schema(self._env, migration, store, self._effects, sides, self._drawn_s)

    def _bad_rows_of(self, defect: Defect) -> BadRows:
        hit = self._versions([self._scenario.release.defective(defect)])
        cohort = -1 if defect.cohort is None else self._compiled.cohorts.index(defect.cohort)
        return BadRows(self._env, defect, self._rows, self._effects, hit, cohort, self._record)

    def _tell_lost(self, span: LostSpan) -> None:
        for bad in self._bad:
            bad.lose(span)

    def begun(self) -> None:
        """The release has begun to change things: a restore goes back to before this moment."""
        if self._begun_s is None:
            self._begun_s = self._env.now

    # -- faults

    def inject(self, fault: Fault) -> None:
        """In force at once."""
        effect = fault.effect
        if isinstance(effect, Primary):
            self._stores[effect.of].lose_primary(effect.destroyed)
        elif isinstance(effect, Standby):
            self._stores[effect.of].lose_standbys(effect.standbys, fault.for_s)
        elif isinstance(effect, Lag):
            self._stores[effect.of].fall_behind(effect.add_s)

    def heal(self, fault: Fault) -> None:
        """Gone at once; a store that is being brought back goes on with that."""
        effect = fault.effect
        if isinstance(effect, Primary):
            self._stores[effect.of].return_primary()
        elif isinstance(effect, Standby):
            self._stores[effect.of].return_standbys(effect.standbys)
        elif isinstance(effect, Lag):
            self._stores[effect.of].fall_behind(-effect.add_s)

    # -- what the control plane asks for

    def migrate(self, phase: str) -> simpy.Process:
        """Play a phase of the migration, which the scenario must have."""
        self.begun()
        assert self._schema is not None, "the rules of the language ask for release.migration"
        return self._schema.phase(phase)

    def restore(self) -> simpy.Process:
        """The stores with a backup that the released services write to, to before the release, all at a time."""
        return self._env.process(self._restore())

    def fail_over(self) -> simpy.Process:
        """The stores that the released services call, to a standby; Foreseen when one has none left."""
        return self._env.process(self._fail_over())

    def reconcile(self) -> simpy.Process:
        """Put rows right that are there by now."""
        return self._env.process(self._reconcile())

    def symptom(self) -> simpy.Event:
        """Fires when bad data shows next."""
        return simpy.AnyOf(self._env, [bad.symptom for bad in self._bad]) if self._bad else self._env.event()

    def dirty(self) -> bool:
        """Whether there is bad data now."""
        return any(bad.dirty() for bad in self._bad)

    def differences(self, dark: Collection[str]) -> list[str]:
        """What keeps the old versions, or the new ones of `dark` services, from serving as before the release."""
        if self._schema is None:
            return []
        store = self._schema.store.name
        users = [name for name in self._changed if (name, store) in self._compiled.links]
        return self._schema.differences({"new" if name in dark else "old" for name in users})

    def _restore(self) -> Generator[simpy.Event, Any, None]:
        wanted_s = self._env.now if self._begun_s is None else self._begun_s
        written = {call.callee for call in self._scenario.system.calls if call.writes and call.caller in self._changed}
        chosen = [store for name, store in self._stores.items() if name in written and store.has_backup]
        # Wrong rows of what is restored go with all that was written since (`_tell_lost`); those elsewhere stay.
        yield from _all([store.restore(wanted_s) for store in chosen])
        if self._schema is not None and self._schema.store in chosen:
            self._schema.restored()

    def _fail_over(self) -> Generator[simpy.Event, Any, None]:
        called = {call.callee for call in self._scenario.system.calls if call.caller in self._changed}
        stores = self._scenario.system.stores
        chosen = [store for name, store in self._stores.items() if name in called and stores[name].standbys]
        yield from _all([store.fail_over() for store in chosen])

    def _reconcile(self) -> Generator[simpy.Event, Any, None]:
        reconcile = self._scenario.release.reconcile
        assert reconcile is not None, "the rules of the language ask for release.reconcile"
        began_s = self._env.now
        rows = sum(bad.dirty() for bad in self._bad)
        if self._schema is not None:
            rows += sum(int(counts @ self._to_bring_over(log)) for log, counts in self._env.plane.writes_after(0))
        self._record("reconcile", "rows", phase="start", rows=rows)
        yield self._env.timeout(self._drawn_s(reconcile.takes) + rows * reconcile.per_row_s)
        self._reconciled_until_s = began_s
        for bad in self._bad:
            bad.clean(began_s)
        self._record("reconcile", "rows", phase="end", rows=rows)

    # -- what is left

    def found(self, log: NDArray[np.void], taken_back: bool) -> NDArray[np.int64]:
        """Of each row of the whole log, whether a last look would find it: 1, 0, or -1 where nobody can look."""
        found = log["stored"].astype(np.int64)
        for store in self._stores.values():
            if not store.lost and not store.gone:
                continue
            stations = self._rows.stations(log)
            for span in store.lost:
                found[lost_in(span, stations, log)] = 0
            if store.gone:
                found[(stations == store.station) & (found == 1)] = -1
        wrong = np.zeros(len(log), np.bool_)
        for bad in self._bad:
            wrong |= self._rows.bad(bad.defect, log)
        if self._schema is not None and taken_back:
            wrong |= self._hidden(log)
        if wrong.any():
            found[wrong & ~self._put_right(log) & (found == 1)] = 0
        return found

    def _hidden(self, log: NDArray[np.void]) -> NDArray[np.bool_]:
        """Rows that the old version would not see where nobody brings them over."""
        migration = self._scenario.release.migration
        if migration is None or migration.dual_writes:
            return np.zeros(len(log), np.bool_)
        there = (self._rows.stations(log) == self._compiled.station(migration.store)) & (log["stored"] == 1)
        hidden: NDArray[np.bool_] = there & self._rows.by_new(log, self._changed)
        return hidden

    def _to_bring_over(self, log: NDArray[np.void]) -> NDArray[np.bool_]:
        """Rows that the old version would not see, and that no reconciliation has been over yet."""
        waiting: NDArray[np.bool_] = self._hidden(log) & (ended_s(log) > self._reconciled_until_s)
        return waiting

    def _put_right(self, log: NDArray[np.void]) -> NDArray[np.bool_]:
        reconcile = self._scenario.release.reconcile
        if reconcile is None or not math.isfinite(self._reconciled_until_s):
            return np.zeros(len(log), np.bool_)
        left = drawn(log, "left by reconcile", reconcile.leaves)
        return (ended_s(log) <= self._reconciled_until_s) & ~left

    def _drawn_s(self, distribution: Distribution | None) -> float:
        return 0.0 if distribution is None else draw_s(distribution, self._draws)


def _all(processes: Sequence[simpy.Process]) -> Generator[simpy.Event, Any, None]:
    """Wait for every one of them; then raise the first WorldError of any."""
    errors = []
    for process in processes:
        process.defused = True
    for process in processes:
        try:
            yield process
        except WorldError as error:
            errors.append(error)
    if errors:
        raise errors[0]
