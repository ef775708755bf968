"""Trajectories of a scenario: a replication watched, and made to take other draws where its path was split off.

Importance is the number of jobs in the system, those included that nobody waits for any more: queues, retries and
abandoned work are what a collapse is made of. It is looked at every `measure.resolution`. What people, tools and third
parties draw is the root's in all of its branches, as are its defects: only traffic is drawn anew. That costs
precision where they decide, and never correctness.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from evidence.measures import FunctionMeasure
from simulator.environment import SimulationEnvironment
from simulator.rare.paths import Outcome, Path, branch_keys
from simulator.rare.splitting import Run, split_run
from simulator.work import Work

__all__ = ["PathTask", "RunTask", "Trajectories"]

Event = Callable[[Sequence[FunctionMeasure]], bool]


class Trajectories:
    """Plays paths of one work; `event` says of a replication's measures whether it happened."""

    def __init__(self, work: Work, event: Event) -> None:
        self._player = work.player()
        self._seed = work.seed
        self._resolution_s = work.scenario.measure.resolution_s
        self._event = event

    def play(self, path: Path) -> Outcome:
        """From the start to the end, by the draws of the path."""
        records: list[tuple[int, float]] = []

        def watch(clock: SimulationEnvironment) -> None:
            clock.process(self._look(clock, path, records))

        measures = self._player.measures(path.root, watch)
        return Outcome(tuple(records), self._event(measures))

    def _look(
        self, clock: SimulationEnvironment, path: Path, records: list[tuple[int, float]]
    ) -> Generator[simpy.Event, Any, None]:
        begun = path.splits[-1].tick if path.splits else 0
        tick, greatest = 0, -1.0
        while True:
            for number, split in enumerate(path.splits, 1):
                if split.tick == tick:
                    clock.plane.rekey(branch_keys(self._seed, path, number))
            jobs = float(clock.plane.jobs_n)
            if tick >= begun and jobs > greatest:
                greatest = jobs
                records.append((tick, jobs))
            tick += 1
            yield clock.timeout(max(0.0, tick * self._resolution_s - clock.now))


class _Runs:
    def __init__(self, task: RunTask) -> None:
        self._task = task
        self._trajectories = Trajectories(task.work, task.event)

    def measures(self, number: int) -> Run:
        first = self._task.first_root + number * self._task.effort
        paths = [Path(root) for root in range(first, first + self._task.effort)]
        return split_run(self._task.levels, paths, lambda each: [self._trajectories.play(path) for path in each])


class _Paths:
    def __init__(self, task: PathTask) -> None:
        self._paths = task.paths
        self._trajectories = Trajectories(task.work, task.event)

    def measures(self, number: int) -> Outcome:
        return self._trajectories.play(self._paths[number])


@dataclass(frozen=True)
class PathTask:
    """Plays each of the paths: number n is path n."""

    work: Work
    event: Event
    paths: tuple[Path, ...]

    def player(self) -> _Paths:
        """Who plays them."""
        return _Paths(self)


@dataclass(frozen=True)
class RunTask:
    """Plays runs of `effort` trajectories a level: number n has the roots from `first_root` + n * `effort` on."""

    work: Work
    event: Event
    levels: tuple[float, ...]
    effort: int
    first_root: int

    def player(self) -> _Runs:
        """Who plays them."""
        return _Runs(self)
