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
from simulator.cores import cores
from simulator.errors import RequestError
from simulator.pool import measures_of
from simulator.rare.kinds import Kind, kinds_of, roots_of
from simulator.rare.levels import Pilot, pilot
from simulator.rare.paths import Outcome, Path
from simulator.rare.splitting import Run, estimate, weighed
from simulator.rare.trajectories import PathTask, RunTask
from simulator.strategies import strategy_named
from simulator.work import Task, Work

__all__ = ["RUNS", "Collapse", "Foretold", "Part", "Rest", "collapse_probability", "collapsed"]

RUNS = 16
"""Independent runs of the splitting: enough for a t interval that is not wide for their number alone."""
EFFORT_MIN = 20
_PILOT = 200
"""Trajectories of the pilot, for each level."""
_AFRESH = 10_000_000
"""Roots from here on are of no pilot: each has found its own long before."""
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

    `levels` are jobs in the system, none where the event is not rare or more jobs did not lead to it.
    """

    kind: str
    share: float
    probability: Estimate
    levels: tuple[float, ...]


@dataclass(frozen=True)
class Rest:
    """The kinds whose pilots met no collapse, taken together: `replications` of them were played as they are.

    The pilots drove them to as many jobs as `reach` of them come to: so far, more jobs do not lead to it.
    """

    kinds: tuple[str, ...]
    share: float
    probability: Estimate
    replications: int
    reach: float


@dataclass(frozen=True)
class Collapse:
    """`probability` of one run of the scenario, with its interval, and what it is made of.

    `trajectories` are all that were played, the pilots' included; `hits` of them met the event, without the pilots'.
    `plain_replications` would have given an estimate of the same variance; None where the runs do not tell, or were
    plain replications themselves.
    """

    probability: Estimate
    parts: tuple[Part, ...]
    rest: Rest | None
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
    runs play `effort` trajectories for each level, fewer of kinds that add less. Of the kinds whose pilots meet no
    collapse plain replications are played, and the interval reaches up to what those can still rule out. The answer
    depends on the seed alone. Raises RequestError for what the scenario does not have.
    """
    chosen = strategy_named(scenario, strategy)
    if scenario.fidelity == "fluid":
        raise RequestError("fidelity(=fluid) must be requests: splitting goes by how many requests are inside")
    work = Work(scenario, chosen, seed, None if defects is None else tuple(defects), uncertain(text, scenario.name))
    workers = cores() if processes is None else processes

    def play(paths: Sequence[Path]) -> list[Outcome]:
        return [*_spread(PathTask(work, collapsed, tuple(paths)), len(paths), workers)]

    sought, left = _pilots(kinds_of(work), play)
    if foretold is not None:
        foretold(_foretell(sought))
    tasks = _tasks(work, sought, left, effort)
    runs: list[list[Run]] = []
    for task in tasks:
        runs.append([])
        for run in _spread(task, RUNS, workers):
            runs[-1].append(run)
            if progress is not None:
                progress(RUNS * (len(runs) - 1) + len(runs[-1]), RUNS * len(tasks))
    return _collapse(sought, left, tasks, runs)


@dataclass(frozen=True)
class _Piloted:
    """A kind of roots, and what its pilot found."""

    kind: Kind
    pilot: Pilot

    @property
    def adds(self) -> float:
        """To the probability of a collapse, by the pilot."""
        return self.kind.share * self.pilot.probability


def _pilots(
    kinds: Sequence[Kind], play: Callable[[Sequence[Path]], list[Outcome]]
) -> tuple[list[_Piloted], list[_Piloted]]:
    """Those that met a collapse, and the others.

    A kind is not driven further than the kinds before it make worth while.
    """
    sought: list[_Piloted] = []
    left: list[_Piloted] = []
    for kind in kinds:
        known = sum(each.adds for each in sought)
        roots = [Path(root) for root in islice(kind.roots(0), _PILOT)]
        found = _Piloted(kind, pilot(roots, play, max(_FLOOR, _NEGLIGIBLE * known / kind.share)))
        (sought if found.adds > 0.0 else left).append(found)
    return sought, left


def _foretell(sought: Sequence[_Piloted]) -> Foretold:
    """By the variance that independent branches would have, and what theirs was beside it."""
    chance = sum(each.adds for each in sought)
    if not 0.0 < chance < 1.0:
        return Foretold(chance, 1.0)
    trajectories, variance = 0.0, 0.0
    for each in sought:
        stages = len(each.pilot.levels) + 1
        passed = min(1.0, each.pilot.probability) ** (1.0 / stages)
        trajectories += each.adds * stages
        variance += each.adds * stages * (1.0 - passed) / passed * (_DEPENDENT if stages > 1 else 1.0)
    return Foretold(chance, max(1.0, (1.0 - chance) / chance * chance**2 / (trajectories * max(variance, 1e-12))))


def _tasks(work: Work, sought: Sequence[_Piloted], left: Sequence[_Piloted], effort: int) -> list[RunTask]:
    """One for each kind that is sought, in order, and one for the others, if any; of roots that no pilot had."""
    tasks = []
    for each in sought:
        worth = each.adds / max(other.adds for other in sought)
        tasks.append(_task(work, islice(each.kind.roots(0), _PILOT, None), each.pilot.levels, effort * worth))
    if left:
        roots = roots_of([each.kind for each in left], _AFRESH)
        tasks.append(_task(work, roots, (), effort * sum(each.kind.share for each in left)))
    return tasks


def _task(work: Work, roots: Iterator[int], levels: tuple[float, ...], effort: float) -> RunTask:
    taken = tuple(islice(roots, RUNS * max(EFFORT_MIN, round(effort))))
    return RunTask(work, collapsed, levels, tuple(taken[run::RUNS] for run in range(RUNS)))


def _collapse(
    sought: Sequence[_Piloted], left: Sequence[_Piloted], tasks: Sequence[RunTask], runs: Sequence[Sequence[Run]]
) -> Collapse:
    found = [_estimate(task, each) for task, each in zip(tasks, runs, strict=True)]
    parts = tuple(
        Part(each.kind.name, each.kind.share, probability, each.pilot.levels)
        for each, probability in zip(sought, found[: len(sought)], strict=True)
    )
    rest = _rest(left, found[-1]) if left else None
    shares = [part.share for part in parts] + ([] if rest is None else [rest.share])
    # Runs of all kinds together are as many runs of the whole.
    together = zip(*runs, strict=True)
    whole = [sum(share * run.probability for share, run in zip(shares, each, strict=True)) for each in together]
    probability = weighed([*zip(shares, found, strict=True)])
    played = [run for each in runs for run in each]
    piloted = sum(each.pilot.trajectories for each in (*sought, *left))
    return Collapse(
        probability=probability,
        parts=parts,
        rest=rest,
        trajectories=piloted + sum(run.trajectories for run in played),
        hits=sum(run.hits for run in played),
        plain_replications=_plain(probability.value, whole) if len(tasks) > 1 or tasks[0].levels else None,
    )


def _rest(left: Sequence[_Piloted], probability: Estimate) -> Rest:
    share = sum(each.kind.share for each in left)
    reach = sum(each.kind.share * each.pilot.reach for each in left) / share
    return Rest(tuple(each.kind.name for each in left), share, probability, probability.n, reach)


def _estimate(task: RunTask, runs: Sequence[Run]) -> Estimate:
    """Without levels the trajectories are plain replications, whose share has an exact interval."""
    roots = sum(len(each) for each in task.roots)
    return estimate(runs, roots) if task.levels else share_with_interval(sum(run.hits for run in runs), roots)


def _plain(probability: float, runs: Sequence[float]) -> int | None:
    """Replications whose share of collapses would have the variance of this estimate: p (1 - p) over that variance."""
    variance = sum((run - probability) ** 2 for run in runs) / (len(runs) - 1) / len(runs)
    return round(probability * (1.0 - probability) / variance) if variance > 0 else None


def _spread(task: Task[Answer], count: int, workers: int) -> Iterator[Answer]:
    """The first is played here, which loads the compiled kernel."""
    yield task.player().measures(0)
    for chunk in measures_of(task, range(1, count), workers):
        yield from chunk
