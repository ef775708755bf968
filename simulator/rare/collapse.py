"""The probability that a function's load never comes back, estimated by splitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from evidence.measures import FunctionMeasure
from evidence.statistics import Estimate, share_with_interval
from scenarios.models import Scenario
from scenarios.uncertain import uncertain
from simulator.errors import RequestError
from simulator.pool import cores, measures_of
from simulator.rare.kinds import Kind, kinds_of
from simulator.rare.levels import Pilot, pilot
from simulator.rare.paths import Outcome, Path
from simulator.rare.splitting import Run, estimate
from simulator.rare.trajectories import PathTask, RunTask
from simulator.strategies import strategy_named
from simulator.work import Task, Work

__all__ = ["RUNS", "Collapse", "Foretold", "Part", "collapse_probability", "collapsed"]

RUNS = 16
"""Independent runs of the splitting: enough for a t interval that is not wide for their number alone."""
EFFORT_MIN = 20
_PILOT = 200
"""Trajectories of the pilot, for each level."""
_FLOOR = 1e-9
"""What is rarer is not looked for."""
_NEGLIGIBLE = 0.01
"""Share of the collapses that is not looked for either."""

_DEPENDENT = 3.0
"""The variance of splitting beside that of independent trajectories: branches of one root are alike."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Foretold:
    """What pilots say before it starts: a first idea of the probability, and what splitting will save.

    `times` as many trajectories would plain replications take for the same precision; 1 where they are played.
    """

    probability: float
    times: float


@dataclass(frozen=True)
class Part:
    """What one kind of roots (see `kinds`) adds: `probability` is of one of them, which `share` of all are.

    `levels` are jobs in the system, none where the event is not rare or more jobs did not lead to it. None of the
    pilot's trajectories of a kind that is left out (`looked_for` False) collapsed, as far as it drove them: to what
    `reach` of its roots come to.
    """

    kind: str
    share: float
    probability: float
    levels: tuple[float, ...]
    looked_for: bool
    reach: float


@dataclass(frozen=True)
class Collapse:
    """`probability` of one run of the scenario, with its interval, and the parts that it is made of.

    `trajectories` are all that were played, the pilots' included; `hits` of them met the event, without the pilots'.
    `plain_replications` would have given as narrow an interval; None where the runs do not tell.
    """

    probability: Estimate
    parts: tuple[Part, ...]
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
    foretold: Callable[[Foretold], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Collapse:
    """Estimate the probability that a run ends in a collapse.

    `text` is the scenario as its author wrote it, with its ranges: a root draws inputs, and its branches share them.
    A pilot of each kind of roots chooses its levels, and `foretold` hears what they promise; then RUNS independent
    runs play `effort` trajectories for each level, fewer of kinds that add less. The answer depends on the seed alone.
    Where no pilot meets a collapse plain replications are played, and without any the interval goes from 0 to what
    they can still rule out. Raises RequestError for what the scenario does not have.
    """
    chosen = strategy_named(scenario, strategy)
    if scenario.fidelity == "fluid":
        raise RequestError("fidelity(=fluid) must be requests: flows have no bursts that could tip a system over")
    work = Work(scenario, chosen, seed, None if defects is None else tuple(defects), uncertain(text, scenario.name))
    workers = cores() if processes is None else processes

    def play(paths: Sequence[Path]) -> list[Outcome]:
        return [*_spread(PathTask(work, collapsed, tuple(paths)), len(paths), workers)]

    kinds = kinds_of(work)
    pilots = _pilots(kinds, play)
    adds = [kind.share * each.probability for kind, each in zip(kinds, pilots, strict=True)]
    if foretold is not None:
        foretold(_foretell(adds, pilots))
    if any(adds):
        tasks = {
            place: _task(work, kind, each.levels, max(EFFORT_MIN, round(effort * adds[place] / max(adds))))
            for place, (kind, each) in enumerate(zip(kinds, pilots, strict=True))
            if adds[place]
        }
        shares = {place: kinds[place].share for place in tasks}
    else:
        everything = Kind("", 1.0, lambda: iter(range(_PILOT + RUNS * effort)))
        tasks, shares = {len(kinds): _task(work, everything, (), effort)}, {len(kinds): 1.0}
    runs: dict[int, list[Run]] = {}
    for done, (place, task) in enumerate(tasks.items()):
        runs[place] = []
        for run in _spread(task, RUNS, workers):
            runs[place].append(run)
            if progress is not None:
                progress(done * RUNS + len(runs[place]), RUNS * len(tasks))
    return _collapse(kinds, pilots, tasks, shares, runs)


def _pilots(kinds: Sequence[Kind], play: Callable[[Sequence[Path]], list[Outcome]]) -> list[Pilot]:
    """One for each kind. A kind is not looked at more closely than the kinds before it make worth while."""
    found: list[Pilot] = []
    known = 0.0
    for kind in kinds:
        roots = [Path(root) for root in islice(kind.roots(), _PILOT)]
        each = pilot(roots, play, max(_FLOOR, _NEGLIGIBLE * known / kind.share))
        known += kind.share * each.probability
        found.append(each)
    return found


def _foretell(adds: Sequence[float], pilots: Sequence[Pilot]) -> Foretold:
    """By the variance that independent branches would have, and what theirs was beside it."""
    chance = sum(adds)
    if not 0.0 < chance < 1.0:
        return Foretold(chance, 1.0)
    trajectories, variance = 0.0, 0.0
    for add, each in zip(adds, pilots, strict=True):
        if add > 0.0:
            stages = len(each.levels) + 1
            passed = min(1.0, each.probability) ** (1.0 / stages)
            trajectories += add * stages
            variance += add * stages * (1.0 - passed) / passed * (_DEPENDENT if stages > 1 else 1.0)
    return Foretold(chance, max(1.0, (1.0 - chance) / chance * chance**2 / (trajectories * max(variance, 1e-12))))


def _task(work: Work, kind: Kind, levels: tuple[float, ...], effort: int) -> RunTask:
    """Of roots that no pilot had."""
    roots = tuple(islice(kind.roots(), _PILOT, _PILOT + RUNS * effort))
    return RunTask(work, collapsed, levels, tuple(roots[run::RUNS] for run in range(RUNS)))


def _collapse(
    kinds: Sequence[Kind],
    pilots: Sequence[Pilot],
    tasks: dict[int, RunTask],
    shares: dict[int, float],
    runs: dict[int, list[Run]],
) -> Collapse:
    """Runs of all kinds together are as many independent runs of the whole."""
    played = [run for each in runs.values() for run in each]
    whole = [
        Run(
            sum(shares[place] * each[number].probability for place, each in runs.items()),
            sum(each[number].trajectories for each in runs.values()),
            sum(each[number].hits for each in runs.values()),
        )
        for number in range(RUNS)
    ]
    roots = sum(len(each) for task in tasks.values() for each in task.roots)
    hits = sum(run.hits for run in played)
    if len(tasks) == 1 and not any(task.levels for task in tasks.values()):
        # Without levels the trajectories are plain replications, whose share has an exact interval.
        (share,) = shares.values()
        exact = share_with_interval(hits, roots)
        probability = Estimate(share * exact.value, share * exact.low, share * exact.high, exact.n)
    else:
        probability = estimate(whole, roots)
    parts = tuple(
        Part(
            kind.name,
            kind.share,
            sum(run.probability for run in runs.get(place, ())) / RUNS,
            each.levels,
            place in runs,
            each.reach,
        )
        for place, (kind, each) in enumerate(zip(kinds, pilots, strict=True))
    )
    return Collapse(
        probability=probability,
        parts=parts,
        trajectories=sum(each.trajectories for each in pilots) + sum(run.trajectories for run in played),
        hits=hits,
        plain_replications=_plain(probability.value, whole),
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
