"""Bad data: rows that a defect wrote wrong, the errors that they cause later, and who puts them right.

Reverting the code ends the writing, not the errors: these last until the rows are reconciled or the store is restored.
Rows that a store loses, in a failover or a restore for another reason, are wrong no more.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import numpy as np
import simpy

from scenarios.models import Defect
from simulator.effects import Effects
from simulator.environment import SimulationEnvironment
from simulator.kernel import plane as kernel
from simulator.rows import Rows, ended_s
from simulator.store import LostSpan

__all__ = ["BadRows"]


class _Row(NamedTuple):
    station: int
    invoked_s: float
    ended_s: float
    writes: int

    def is_in(self, span: LostSpan) -> bool:
        """As `simulator.rows.lost_in` of one row."""
        return self.station == span.station and self.invoked_s < span.failed_s and self.ended_s > span.kept_until_s


class BadRows:
    """The wrong rows of one defect that this replication has.

    `hit` are the stations and versions whose requests fail from the symptom on; `cohort` is whose (-1: everybody's).
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        defect: Defect,
        rows: Rows,
        effects: Effects,
        hit: Sequence[tuple[int, int]],
        cohort: int,
        record: Callable[..., None],
    ) -> None:
        self._env = env
        self.defect = defect
        self._rows = rows
        self._effects = effects
        self._hit = tuple(hit)
        self._cohort = cohort
        self._record = record
        self._parts = 0
        self._there: list[_Row] = []
        self._clean_until_s = -np.inf
        self._cleaned = env.event()
        self.symptom = env.event()

    def dirty(self) -> int:
        """How many wrong rows there are now."""
        self._look()
        return sum(row.writes for row in self._there)

    def clean(self, until_s: float) -> None:
        """What ended by `until_s` has been put right, or is gone."""
        self._clean_until_s = max(self._clean_until_s, until_s)
        self._there = [row for row in self._there if row.ended_s > self._clean_until_s]
        self._tell_cleaned()

    def lose(self, span: LostSpan) -> None:
        """A store is back without some rows, of which some may have been wrong."""
        self._look()
        self._there = [row for row in self._there if not row.is_in(span)]
        self._tell_cleaned()

    def _tell_cleaned(self) -> None:
        cleaned, self._cleaned = self._cleaned, self._env.event()
        cleaned.succeed()

    def watch(self, from_s: float, resolution_s: float) -> Generator[simpy.Event, Any, None]:
        """Wait for wrong rows, let their errors show, and end them when the rows are clean; again and again."""
        bad = self.defect.bad_data
        assert bad is not None
        if not bad.errors:
            return  # nobody ever notices: the rows count as lost, and no more
        yield self._env.timeout(from_s)
        # A symptom is dated by its row, so a look in time for it is early enough.
        every_s = max(resolution_s, bad.symptom_after_s / 2)
        while True:
            first_s = self._first_s()
            if first_s is None:
                yield self._env.timeout(every_s)
            elif first_s + bad.symptom_after_s > self._env.now:
                yield self._env.timeout(first_s + bad.symptom_after_s - self._env.now)
            else:
                yield from self._show(bad.errors)

    def _show(self, errors: float) -> Generator[simpy.Event, Any, None]:
        self._record("bad-data", self.defect.name, phase="start", rows=self.dirty())
        self._put([kernel.Defect(error_ratio=errors, cohort=self._cohort)])
        symptom, self.symptom = self.symptom, self._env.event()
        symptom.succeed()
        while self.dirty():
            yield self._cleaned
        self._put([])
        self._record("bad-data", self.defect.name, phase="end")

    def _put(self, effects: list[kernel.Defect]) -> None:
        for station, version in self._hit:
            self._effects.put(station, version, f"bad data of {self.defect.name}", effects)

    def _first_s(self) -> float | None:
        self._look()
        return min((row.ended_s for row in self._there), default=None)

    def _look(self) -> None:
        parts = self._env.plane.writes_after(self._parts)
        self._parts += len(parts)
        for log, counts in parts:
            bad = self._rows.bad(self.defect, log)
            columns = (self._rows.stations(log)[bad], log["invoked_s"][bad], ended_s(log)[bad], counts[bad])
            rows = (_Row(*row) for row in zip(*(column.tolist() for column in columns), strict=True))
            # A row that was begun before the last repair, and is told of after it, was put right with the others.
            self._there += [row for row in rows if row.ended_s > self._clean_until_s]
