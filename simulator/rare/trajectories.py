"""Trajectories of a scenario: a replication watched, and made to take other draws where its path was split off.

Importance is the number of jobs in the system, those included that nobody waits for any more: queues, retries and
abandoned work are what a collapse is made of. It is looked at every `measure.resolution`. What people, tools and third
parties draw is the root's in all of its branches, as are its defects: only traffic is drawn anew. That costs
precision where they decide, and never correctness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from evidence.measures import FunctionMeasure
from simulator.environment import SimulationEnvironment
from simulator.errors import WorkerDied
from simulator.kernel.watch import Looks, Reached
from simulator.pool import stopped
from simulator.rare.paths import Outcome, Path, branch_keys, records_of
from simulator.rare.splitting import Run, split_run
from simulator.work import Work

__all__ = ["PathTask", "RunTask", "Runs", "Trajectories"]

Event = Callable[[Sequence[FunctionMeasure]], bool]


class Trajectories:
    """Plays paths of one work; `event` says of a replication's measures whether it happened."""

    def __init__(self, work: Work, event: Event) -> None:
        self._player = work.player()
        self._seed = work.seed
        self._resolution_s = work.scenario.measure.resolution_s
        self._looks = math.ceil(work.scenario.duration_s / self._resolution_s - 1e-9)
        self._event = event

    def play(self, path: Path, enough: float = math.inf) -> Outcome:
        """From the start to the end by the draws of the path, or until it has that importance: then it is no hit."""
        looks = Looks(self._resolution_s, self._looks, enough)

        def watch(clock: SimulationEnvironment) -> None:
            clock.plane.watch(looks)
            clock.process(self._branch(clock, path))

        try:
            hit = self._event(self._player.measures(path.root, watch))
        except Reached:
            hit = False
        return Outcome(records_of(path, looks.jobs), hit)

    def _branch(self, clock: SimulationEnvironment, path: Path) -> Generator[simpy.Event, Any, None]:
        for number, split in enumerate(path.splits, 1):
            yield clock.timeout(max(0.0, split.tick * self._resolution_s - clock.now))
            clock.plane.rekey(branch_keys(self._seed, path, number))


class _Runs:
    def __init__(self, task: RunTask) -> None:
        self._task = task
        self._trajectories = Trajectories(task.work, task.event)

    def measures(self, number: int) -> Run:
        run, place = divmod(number, len(self._task.kinds))
        runs = self._task.kinds[place]
        return split_run(runs.levels, [Path(root) for root in runs.roots[run]], self._play)

    def _play(self, paths: Sequence[Path], enough: float) -> list[Outcome]:
        outcomes = []
        for path in paths:
            if stopped():  # a run may take minutes
                raise WorkerDied("a run of the splitting was given up: nobody waits for it any more")
            outcomes.append(self._trajectories.play(path, enough))
        return outcomes


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
class Runs:
    """Of one kind of roots: run n has `roots[n]`, and plays as many trajectories a level."""

    levels: tuple[float, ...]
    roots: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class RunTask:
    """Plays runs of several kinds in turn: of k kinds, number n is run n // k of kind n % k.

    So the first of them are as many of each kind, whenever it ends.
    """

    work: Work
    event: Event
    kinds: tuple[Runs, ...]

    def player(self) -> _Runs:
        """Who plays them."""
        return _Runs(self)
