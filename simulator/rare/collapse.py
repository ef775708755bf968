"""The probability that a function's load never comes back, estimated by splitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evidence.measures import FunctionMeasure
from evidence.statistics import Estimate, share_with_interval
from scenarios.models import Scenario
from scenarios.uncertain import uncertain
from simulator.errors import RequestError
from simulator.pool import cores, measures_of
from simulator.rare.levels import pilot_levels
from simulator.rare.paths import Outcome, Path
from simulator.rare.splitting import Run, estimate
from simulator.rare.trajectories import PathTask, RunTask
from simulator.strategies import strategy_named
from simulator.work import Task, Work

__all__ = ["RUNS", "Collapse", "collapse_probability", "collapsed"]

RUNS = 16
"""Independent runs of the splitting: enough for a t interval that is not wide for their number alone."""
_PILOT = 200
"""Trajectories of the pilot, for each level."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Collapse:
    """`probability` of one run of the scenario, with its interval.

    `levels` are jobs in the system, none where the event is not rare or more jobs did not lead to it. `trajectories`
    are all that were played, the pilot's included; `hits` of them met the event. `plain_replications` would have given
    as narrow an interval; None where the runs do not tell.
    """

    probability: Estimate
    levels: tuple[float, ...]
    trajectories: int
    hits: int
    plain_replications: int | None


def collapsed(measures: Sequence[FunctionMeasure]) -> bool:
    """Whether the load of some function did not come back, though what triggered that is gone (evidence.collapse)."""
    return any(row.collapsed for row in measures)


def collapse_probability(
    scenario: Scenario,
    text: str,
    *,
    strategy: str | None = None,
    effort: int = 100,
    seed: int = 1,
    processes: int | None = None,
    defects: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Collapse:
    """Estimate the probability that a run ends in a collapse.

    `text` is the scenario as its author wrote it, with its ranges: a root draws inputs, and its branches share them.
    A pilot chooses the levels; then RUNS independent runs play `effort` trajectories for each level. The answer depends
    on the seed alone. Without any collapse the interval goes from 0 to what plain replications can still rule out.
    Raises RequestError for what the scenario does not have.
    """
    chosen = strategy_named(scenario, strategy)
    if scenario.fidelity == "fluid":
        raise RequestError("fidelity(=fluid) must be requests: flows have no bursts that could tip a system over")
    work = Work(scenario, chosen, seed, None if defects is None else tuple(defects), uncertain(text, scenario.name))
    workers = cores() if processes is None else processes
    piloted = 0

    def pilot(paths: Sequence[Path]) -> list[Outcome]:
        nonlocal piloted
        piloted += len(paths)
        return [*_spread(PathTask(work, collapsed, tuple(paths)), len(paths), workers)]

    levels = pilot_levels([Path(root) for root in range(_PILOT)], pilot)
    runs: list[Run] = []
    for run in _spread(RunTask(work, collapsed, levels, effort, first_root=_PILOT), RUNS, workers):
        runs.append(run)
        if progress is not None:
            progress(len(runs), RUNS)
    roots = RUNS * effort
    hits = sum(run.hits for run in runs)
    # Without levels the trajectories are plain replications, whose share has an exact interval.
    probability = estimate(runs, roots) if levels else share_with_interval(hits, roots)
    return Collapse(
        probability=probability,
        levels=levels,
        trajectories=piloted + sum(run.trajectories for run in runs),
        hits=hits,
        plain_replications=_plain(probability.value, runs),
    )


def _plain(probability: float, runs: Sequence[Run]) -> int | None:
    """Replications whose share of collapses would have the variance of this estimate: p (1 - p) over that variance."""
    variance = sum((run.probability - probability) ** 2 for run in runs) / (len(runs) - 1) / len(runs)
    return round(probability * (1.0 - probability) / variance) if variance > 0 else None


def _spread(task: Task[Answer], count: int, workers: int) -> Iterator[Answer]:
    """The first is played here, which loads the compiled kernel."""
    yield task.player().measures(0)
    for chunk in measures_of(task, range(1, count), workers):
        yield from chunk
