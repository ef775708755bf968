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
from simulator.rare.trajectories import PathTask, Runs, RunTask
from simulator.strategies import strategy_named
from simulator.work import Task, Work

__all__ = ["PILOT", "RUNS", "Collapse", "Foretold", "Part", "Rest", "collapse_probability", "collapsed"]

RUNS = 16
"""Independent runs of the splitting: enough for a t interval that is not wide for their number alone."""
RUNS_MIN = 4
"""Where it is ended early: intervals of so few cover like those of RUNS; of fewer they say next to nothing."""
EFFORT_MIN = 20
PILOT = 200
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
    depends on the seed alone. Raises RequestError for what the scenario does not have; what ends it before its time
    (Ctrl-C, a lost worker) carries a note of what the runs that were done tell.
    """
    chosen = strategy_named(scenario, strategy)
    if scenario.fidelity == "fluid":
        raise RequestError("fidelity(=fluid) must be requests: splitting goes by how many requests are inside")
    work = Work(scenario, chosen, seed, None if defects is None else tuple(defects), uncertain(text, scenario.name))
    workers = cores() if processes is None else processes

    plan: _Plan | None = None
    played: list[Run] = []

    def play(paths: Sequence[Path]) -> list[Outcome]:
        return [*_spread(PathTask(work, collapsed, tuple(paths)), len(paths), workers)]

    try:
        plan = _planned(*_pilots(kinds_of(work), play), effort)
        if foretold is not None:
            foretold(_foretell(plan.sought))
        for run in _spread(RunTask(work, collapsed, plan.runs), RUNS * len(plan.runs), workers):
            played.append(run)
            if progress is not None:
                progress(len(played), RUNS * len(plan.runs))
    except RequestError:  # before anything was played
        raise
    except BaseException as error:  # Ctrl-C, a lost worker
        error.add_note(_told_early(plan, played))
        raise
    return _collapse(plan, played)


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
        roots = [Path(root) for root in islice(kind.roots(0), PILOT)]
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


@dataclass(frozen=True)
class _Plan:
    """The kinds that are sought, the others, and their runs: of each kind that is sought, and of the others if any."""

    sought: Sequence[_Piloted]
    left: Sequence[_Piloted]
    runs: tuple[Runs, ...]


def _planned(sought: Sequence[_Piloted], left: Sequence[_Piloted], effort: int) -> _Plan:
    """Their roots are those that no pilot had."""
    runs = []
    for each in sought:
        worth = each.adds / max(other.adds for other in sought)
        runs.append(_runs(islice(each.kind.roots(0), PILOT, None), each.pilot.levels, effort * worth))
    if left:
        roots = roots_of([each.kind for each in left], _AFRESH)
        runs.append(_runs(roots, (), effort * sum(each.kind.share for each in left)))
    return _Plan(sought, left, tuple(runs))


def _runs(roots: Iterator[int], levels: tuple[float, ...], effort: float) -> Runs:
    taken = tuple(islice(roots, RUNS * max(EFFORT_MIN, round(effort))))
    return Runs(levels, tuple(taken[run::RUNS] for run in range(RUNS)))


def _collapse(plan: _Plan, played: Sequence[Run]) -> Collapse:
    """From the first runs of the plan, as many of each kind: one that others lack is left out."""
    sought, left, kinds = plan.sought, plan.left, len(plan.runs)
    runs = [played[kind : len(played) // kinds * kinds : kinds] for kind in range(kinds)]
    found = [_estimate(planned, each) for planned, each in zip(plan.runs, runs, strict=True)]
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
    counted = [run for each in runs for run in each]
    piloted = sum(each.pilot.trajectories for each in (*sought, *left))
    return Collapse(
        probability=probability,
        parts=parts,
        rest=rest,
        trajectories=piloted + sum(run.trajectories for run in counted),
        hits=sum(run.hits for run in counted),
        plain_replications=_plain(probability.value, whole) if kinds > 1 or plan.runs[0].levels else None,
    )


def _told_early(plan: _Plan | None, played: Sequence[Run]) -> str:
    """Of an estimate that is ended before its time.

    The first runs are an estimate like all of them, but for one thing: a run that meets more collapses takes longer,
    and is rather the one that is not done. That is a small part of one run's share (Glynn, Heidelberger, Bias
    properties of budget constrained simulations, Operations Research 38, 1990), far within the interval.
    """
    if plan is None:
        return "it was still looking for its levels: what was played is lost, as it tells no probability"
    done = len(played) // len(plan.runs)
    runs = f"{done} of {RUNS} runs" + (" of each kind" if len(plan.runs) > 1 else "")
    if done < RUNS_MIN:
        return f"{runs} were done, which are lost: an estimate takes {RUNS_MIN}"
    found = _collapse(plan, played).probability
    return (
        f"the {runs} that were done tell a probability of {found.value:.3g} [{found.low:.3g}, {found.high:.3g}] "
        "(95 %); the others are lost, as part of a run tells nothing"
    )


def _rest(left: Sequence[_Piloted], probability: Estimate) -> Rest:
    share = sum(each.kind.share for each in left)
    reach = sum(each.kind.share * each.pilot.reach for each in left) / share
    return Rest(tuple(each.kind.name for each in left), share, probability, probability.n, reach)


def _estimate(planned: Runs, runs: Sequence[Run]) -> Estimate:
    """Without levels the trajectories are plain replications, whose share has an exact interval."""
    roots = sum(len(each) for each in planned.roots[: len(runs)])
    return estimate(runs, roots) if planned.levels else share_with_interval(sum(run.hits for run in runs), roots)


def _plain(probability: float, runs: Sequence[float]) -> int | None:
    """Replications whose share of collapses would have the variance of this estimate: p (1 - p) over that variance."""
    variance = sum((run - probability) ** 2 for run in runs) / (len(runs) - 1) / len(runs)
    return round(probability * (1.0 - probability) / variance) if variance > 0 else None


def _spread(task: Task[Answer], count: int, workers: int) -> Iterator[Answer]:
    """The first is played here, which loads the compiled kernel."""
    yield task.player().measures(0)
    for chunk in measures_of(task, range(1, count), workers):
        yield from chunk
