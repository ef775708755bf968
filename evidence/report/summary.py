"""The first screen of a page: the verdict, whether the rollback worked, what was predicted and what measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.beside import Beside
from evidence.comparison import Comparison, StrategyRow
from evidence.events import NOT_STARTED, EventKind, Outcome
from evidence.header import World
from evidence.measures import FunctionMeasure
from evidence.pairs import SAME
from evidence.report.content import RunContent
from evidence.report.table import money, percent, replications, seconds, share, with_range
from evidence.verdicts import Status, Verdict

__all__ = ["Tile", "comparison_tiles", "run_tiles", "side_by_side_tiles"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One answer: what it answers, the answer in a few words, and the figures behind it; mark colours it."""

    question: str
    answer: str
    details: tuple[str, ...] = ()
    mark: str = ""


def run_tiles(run: RunContent) -> list[Tile]:
    """Of one run, a simulation or a drill."""
    tiles = [_verdict_tile(_WORLDS[run.header.world], run.verdict)]
    if not run.measures:
        return tiles
    if run.header.world is World.STAGING:
        worst = _worst(run.measures)
        return [*tiles, rollback_tile(run), _rto_tile(worst), *_rpo_tiles(run.measures), _failed_tile(worst)]
    row = _weakest(run.comparison().rows)
    tiles += [_caught_tile(run), _predicted_rto_tile(row), _predicted_failed_tile(row)]
    if published := run.published():
        known = [each for each in published if each.inside is not None]
        inside = sum(each.inside is True for each in known)
        details = ("figures of the incident inside the predicted p5 to p95",)
        tiles.insert(1, Tile("What was published", f"{inside} of {len(known)}", details, _mark(inside == len(known))))
    return tiles


def side_by_side_tiles(
    simulation: RunContent, drill: RunContent, beside: Beside, comparison: Comparison | None = None
) -> list[Tile]:
    """Of a drill and its prediction; with a comparison, also which strategy is best where they differ."""
    best = [] if comparison is None else [tile for tile in best_tiles(comparison) if tile.answer != _NO_DIFFERENCE]
    worst = _worst(drill.measures)
    known = [row for row in beside.rows if row.inside is not None]
    inside = sum(row.inside is True for row in known)
    outside = [" ".join((row.function, row.measure.strip())).strip() for row in known if not row.inside]
    details = ("measures inside the predicted p5 to p95", *((f"outside: {', '.join(outside)}",) if outside else ()))
    return [
        _verdict_tile("Drill on staging", drill.verdict),
        rollback_tile(drill),
        _rto_tile(worst, _prediction(beside, worst.function, "RTO")),
        *_rpo_tiles(drill.measures, beside),
        _failed_tile(worst, _prediction(beside, worst.function, "failed share")),
        Tile("Prediction", f"{inside} of {len(known)}", details, "" if outside else "pass"),
        _verdict_tile("Simulation", simulation.verdict),
        *best,
    ]


def comparison_tiles(comparison: Comparison, verdicts: Mapping[str, Verdict]) -> list[Tile]:
    """Of strategies compared: their verdicts by strategy, the best of each function, and what the last one costs."""
    passing = [name for name, verdict in verdicts.items() if verdict.status is Status.PASS]
    worst = max((verdict.status for verdict in verdicts.values()), key=lambda status: status.rank)
    details = [f"{name}: {each.status.value}" for name, each in verdicts.items() if name not in passing]
    verdict = Tile("Verdicts", f"{len(passing)} of {len(verdicts)} pass", tuple(details), worst.value)
    return [verdict, *best_tiles(comparison)]


def best_tiles(comparison: Comparison) -> list[Tile]:
    """The best strategy of each function."""
    tiles = []
    for function in comparison.functions:
        rows = comparison.of(function)
        best = next(row for row in rows if row.best)
        told = any(each.statement == "worse" for row in rows for each in row.differences)
        details = [f"RTO met {percent(best.rto_attainment.value)}, p95 {seconds(best.rto_p95_s.value)}"]
        if best.failed_share is not None:
            details.append(f"failed {percent(best.failed_share.value)}{_lost(best)}")
        last = max(rows, key=lambda row: (-row.rto_attainment.value, row.failed_share.value if row.failed_share else 0))
        if told and last is not best and last.failed_share is not None:
            details.append(f"last, {last.strategy}: failed {percent(last.failed_share.value)}{_lost(last)}")
        answer = best.strategy if told else _NO_DIFFERENCE
        if not told:
            alike = len(rows) > 1 and all(each.statement == SAME for row in rows for each in row.differences)
            why = SAME if alike else "the data cannot tell the strategies apart"
            details = [why, *details[:1]]
        tiles.append(Tile(f"Best for {function}", answer, tuple(details)))
    return tiles


def rollback_tile(run: RunContent) -> Tile:
    """Whether the drill's rollback took place, was complete, and left application and data as they were."""
    question = "Did the rollback work?"
    ends = [event for event in run.events if event.kind == EventKind.ROLLBACK_END]
    if not ends:
        return _no_rollback(question, run)
    measure = run.measures[0]
    looks = [event for event in run.events if event.kind == EventKind.VERIFY]
    complete = ends[-1].detail.get("complete") is not False and measure.outcome == Outcome.ROLLED_BACK
    lost = sum(row.lost_writes for row in run.measures)
    details = [f"took {seconds(measure.rollback_duration_s)}, begun {seconds(_begun_after(run))} after the release"]
    if not looks:
        return Tile(question, "Not verified", tuple(details), "inconclusive")
    odd = [event.subject for event in looks if event.detail.get("differences")]
    details.append(
        f"differences: {', '.join(odd)}" if odd else f"no differences: {', '.join(e.subject for e in looks)}"
    )
    if written := sum(row.acknowledged_writes for row in run.measures):
        details.append(f"{lost:,} of {written:,} acknowledged writes missing")
    if measure.reconciled_rows is not None:
        details.append(f"{measure.reconciled_rows:,} rows reconciled in {seconds(measure.reconcile_s)}")
    works = not odd and complete and not lost
    return Tile(question, "Yes" if works else "No", tuple(details), _mark(works))


def _no_rollback(question: str, run: RunContent) -> Tile:
    kinds = {event.kind for event in run.events}
    if EventKind.ROLLBACK_START in kinds:
        return Tile(question, "Not by the end", ("it was under way when the load ended",), "inconclusive")
    begun = EventKind.RELEASE_START in kinds
    return Tile(question, "There was none", (f"the release was {_outcome(run)}" if begun else "no release began",))


def _begun_after(run: RunContent) -> float | None:
    first = {
        kind: next((event.time_s for event in run.events if event.kind == kind), None)
        for kind in (EventKind.RELEASE_START, EventKind.ROLLBACK_START)
    }
    released_s, begun_s = first[EventKind.RELEASE_START], first[EventKind.ROLLBACK_START]
    return None if released_s is None or begun_s is None else begun_s - released_s


_NO_DIFFERENCE = "no difference"
_WORLDS = {World.SIMULATION: "Simulation", World.STAGING: "Drill on staging"}


def _verdict_tile(name: str, verdict: Verdict) -> Tile:
    """The verdict, and of a bad one what made it."""
    behind = [check for check in verdict.checks if check.status is verdict.status]
    if verdict.status is Status.PASS:
        return Tile(name, "pass", (f"{len(behind)} of {len(verdict.checks)} checks",), "pass")
    details = tuple(f"{check.subject}: {check.reason}" for check in behind[:2])
    more = (f"and {len(behind) - 2} more",) if len(behind) > 2 else ()
    return Tile(name, verdict.status.value, details + more, verdict.status.value)


def _rto_tile(row: FunctionMeasure, predicted: str = "") -> Tile:
    details = [f"predicted {predicted}"] if predicted else []
    if row.rto_objective_s is not None:
        details.append(f"objective {seconds(row.rto_objective_s)}")
    mark = "" if row.met_rto is None else _mark(row.met_rto)
    return Tile(f"RTO of {row.function}", seconds(row.rto_s, censored=row.rto_censored), tuple(details), mark)


def _rpo_tiles(measures: Sequence[FunctionMeasure], beside: Beside | None = None) -> list[Tile]:
    known = [row for row in measures if row.rpo_s is not None]
    if not known:
        return []
    row = max(known, key=lambda each: each.rpo_s or 0.0)
    details = [f"predicted {_prediction(beside, row.function, 'RPO')}"] if beside is not None else []
    if row.rpo_objective_s is not None:
        details.append(f"objective {seconds(row.rpo_objective_s)}")
    details.append(f"{row.lost_writes:,} of {row.acknowledged_writes:,} acknowledged writes missing")
    if row.rpo_high_s is not None and row.rpo_high_s > (row.rpo_s or 0.0):
        details.append(f"at most {seconds(row.rpo_high_s)}, counting writes of unknown fate")
    mark = "inconclusive" if row.met_rpo is None else _mark(row.met_rpo)
    return [Tile(f"RPO of {row.function}", seconds(row.rpo_s), tuple(details), mark)]


def _failed_tile(row: FunctionMeasure, predicted: str = "") -> Tile:
    details = [f"predicted {predicted}"] if predicted else []
    details.append(f"{row.failed:,} of {row.requests:,} requests")
    if row.revenue_lost is not None:
        details.append(f"revenue lost {money(row.revenue_lost, row.currency)}")
    return Tile(f"Requests failed, {row.function}", percent(row.failed_share), tuple(details))


def _prediction(beside: Beside, function: str, measure: str) -> str:
    found = next((row for row in beside.rows if (row.function, row.measure.strip()) == (function, measure)), None)
    return "-" if found is None else with_range(found.predicted, found.low, found.high, found.unit)


def _caught_tile(run: RunContent) -> Tile:
    """How often a bad release was rolled back, and a good one too."""
    first = run.measures[0].function
    rows = [row for row in run.measures if row.function == first and row.outcome not in NOT_STARTED]
    bad, good = [row for row in rows if row.defects], [row for row in rows if not row.defects]
    back = [sum(row.outcome == Outcome.ROLLED_BACK for row in part) for part in (bad, good)]
    details = [f"false alarms: {back[1]} of {len(good)} good releases"] if good else []
    if not bad:
        return Tile("Bad releases rolled back", "none drawn", tuple(details))
    times = sorted(row.rollback_duration_s for row in bad if row.rollback_duration_s is not None)
    if times:
        details.insert(0, f"a rollback takes {seconds(times[len(times) // 2])} (median)")
    return Tile("Bad releases rolled back", f"{back[0]} of {len(bad)}", tuple(details))


def _predicted_rto_tile(row: StrategyRow) -> Tile:
    met = row.rto_attainment
    details = [f"p95; median {seconds(row.rto_p50_s.value)}"]
    if row.rto_objective_s is not None:
        details.append(f"objective {seconds(row.rto_objective_s)}, met {share(met.value, met.low, met.high)}")
    return Tile(f"RTO of {row.function}", seconds(row.rto_p95_s.value), tuple(details))


def _predicted_failed_tile(row: StrategyRow) -> Tile:
    details = [f"mean of {replications(row.replications)}"]
    if row.revenue_lost is not None:
        details.append(f"revenue lost {money(row.revenue_lost.value, row.currency)}")
    value = None if row.failed_share is None else row.failed_share.value
    return Tile(f"Requests failed, {row.function}", percent(value), tuple(details))


def _lost(row: StrategyRow) -> str:
    return "" if row.revenue_lost is None else f", {money(row.revenue_lost.value, row.currency)} lost"


def _worst(measures: Sequence[FunctionMeasure]) -> FunctionMeasure:
    """The function that was hit longest, the first of equals."""
    return max(measures, key=lambda row: (row.rto_censored, row.rto_s))


def _weakest(rows: Sequence[StrategyRow]) -> StrategyRow:
    return max(rows, key=lambda row: (-row.rto_attainment.value, row.rto_p95_s.value, row.rto_p50_s.value))


def _outcome(run: RunContent) -> str:
    return run.measures[0].outcome.replace("-", " ")


def _mark(holds: bool) -> str:
    return "pass" if holds else "fail"
