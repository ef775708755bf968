"""How well each guardrail tells bad releases from good ones: false alarms, misses and delay, over replications.

A release that has defects is bad. It can be seen from the moment at which a request first could meet one of them
(evidence/exposure.py), and from there the delay counts; a bad release that never got so far shows nothing, and is left
out. A guardrail that trips before that moment has seen something else, and has missed it.

A guardrail stops when the release is taken back. Where that happened before it tripped, through another guardrail,
nobody knows what it would have said: such releases are cut short, and count neither way. Guardrails with `action: note`
take nothing back, so that several see all of the same releases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.events import NOT_STARTED
from evidence.measures import FunctionMeasure
from evidence.statistics import Estimate, quantile_with_interval, share_with_interval
from scenarios.models import Scenario, guardrail_labels

__all__ = ["Caught", "JudgeRow", "detection", "finite"]


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of bad releases: of those with one defect (among others, or alone), or of all (None).

    Delays, in seconds, are those of the releases that were caught; their intervals end at infinity where too few bound
    them. Shares have Clopper-Pearson intervals.
    """

    defect: str | None
    misses: Estimate
    delay_p50_s: Estimate | None
    delay_p95_s: Estimate | None


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One guardrail. `false_alarms` is None where no good release was watched to its end.

    `caught` is of all bad releases, None where none was; `by_defect` is of each defect that was met.
    """

    guardrail: str
    judge: str
    action: str
    false_alarms: Estimate | None
    caught: Caught | None
    by_defect: tuple[Caught, ...]
    cut_short: int

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def detection(scenario: Scenario, measures: Sequence[FunctionMeasure]) -> list[JudgeRow]:
    """A row for each guardrail of the scenario, each check of the strategy's analyses, and tickets that page, in order.

    Releases that the calendar never let start are left out. Empty without guardrails, and for measures of before trips
    were kept.
    """
    first = next(iter(scenario.functions))
    runs = [row for row in measures if row.function == first]
    runs = [run for run in runs if run.outcome not in NOT_STARTED]
    if not runs or any(run.tripped and not run.trips for run in runs):
        return []
    return [_row(*watcher, runs) for watcher in _watchers(scenario, runs[0].strategy)]


def _watchers(scenario: Scenario, kind: str) -> Iterator[tuple[str, str, str]]:
    """Name, judge and action of everything that can trip; customers who call for support, at the end."""
    strategy = scenario.release.strategy_of(kind)
    guardrails = scenario.release.guardrails
    for name, guardrail in zip(guardrail_labels(guardrails), guardrails, strict=True):
        yield name, guardrail.judge, guardrail.action
    checks = {
        name: check
        for analysis in (strategy.analyses if strategy is not None else ())
        for name, check in zip(analysis.names, analysis.checks, strict=True)
    }
    for name, check in checks.items():
        yield name, check.judge, "rollback"
    tickets = scenario.operations.tickets
    if tickets is not None and tickets.page is not None:
        for function in scenario.functions:
            yield f"tickets of {function}", "tickets", "page"


def _row(name: str, judge: str, action: str, runs: Sequence[FunctionMeasure]) -> JudgeRow:
    trips = [(run, _trip_s(run, name)) for run in runs]
    watched = [(run, trip_s) for run, trip_s in trips if trip_s is not None or run.taken_back_s is None]
    alarms = [trip_s is not None for run, trip_s in watched if not run.defects]
    # Of each bad release that was met: when the guardrail tripped, and when each of its defects could be seen.
    bad = [(trip_s, seen_s) for run, trip_s in watched if (seen_s := _seen_s(run))]
    names = sorted({defect for _, seen_s in bad for defect in seen_s})
    return JudgeRow(
        guardrail=name,
        judge=judge,
        action=action,
        false_alarms=share_with_interval(sum(alarms), len(alarms)) if alarms else None,
        caught=_caught(None, [_delay_s(trip_s, min(seen_s.values())) for trip_s, seen_s in bad]) if bad else None,
        by_defect=tuple(
            _caught(each, [_delay_s(trip_s, seen_s[each]) for trip_s, seen_s in bad if each in seen_s])
            for each in names
        ),
        cut_short=len(trips) - len(watched),
    )


def _seen_s(run: FunctionMeasure) -> dict[str, float]:
    """When each defect that a request could meet first could be seen."""
    if not run.defects_seen_s:
        return {}
    seen_s = zip(run.defects, run.defects_seen_s, strict=True)
    return {defect: time_s for defect, time_s in seen_s if math.isfinite(time_s)}


def _trip_s(run: FunctionMeasure, name: str) -> float | None:
    return next((time_s for trip, time_s in zip(run.trips, run.trip_times_s, strict=True) if trip == name), None)


def _delay_s(trip_s: float | None, seen_s: float) -> float:
    """Infinite where the guardrail did not trip on what it could see."""
    return math.inf if trip_s is None or trip_s < seen_s else trip_s - seen_s


def _caught(defect: str | None, delays_s: Sequence[float]) -> Caught:
    caught = [delay_s for delay_s in delays_s if math.isfinite(delay_s)]
    return Caught(
        defect=defect,
        misses=share_with_interval(len(delays_s) - len(caught), len(delays_s)),
        delay_p50_s=quantile_with_interval(caught, 0.50) if caught else None,
        delay_p95_s=quantile_with_interval(caught, 0.95) if caught else None,
    )


def finite(value: Any) -> Any:
    """Plain data with infinite numbers as null, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
