"""What is well formed and can only be a mistake: it would be played, and would change nothing or say nothing.

What may be meant, though it changes nothing here, is a caveat beside the figures instead (evidence.idle).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios.functions import DEFAULT_COHORT
from scenarios.quantities import parse_ratio
from scenarios.rule_views import Anything, Data, Violation, duration_s_of, items, known, mapping, text_of
from scenarios.yaml_text import Path

__all__ = ["meant_rules"]


def meant_rules(view: Data) -> Iterator[Violation]:
    """Watchers that see nothing, cohorts that come nowhere near, times that are never reached."""
    resolution = mapping(view.top.get("measure")).get("resolution", "250ms")
    for at, watcher in _watchers(view):
        yield from _watcher(view, at, watcher, resolution)
    yield from _cohorts(view)
    yield from _objectives(view, resolution)
    yield from _loads(view)


def _strategies(view: Data) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Place and parameters of each, the alternatives too."""
    given = [(("release", "strategy"), mapping(view.release.get("strategy")))]
    alternatives = items(view.release.get("alternatives"))
    for at, strategy in (*given, *((("release", "alternatives", index), each) for index, each in alternatives)):
        for kind, value in strategy.items():
            yield (*at, kind), mapping(value)


def _watchers(view: Data) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Guardrails, and the checks of analyses."""
    for index, guardrail in items(view.release.get("guardrails")):
        yield ("release", "guardrails", index), guardrail
    for at, strategy in _strategies(view):
        steps = [((*at, "steps", index), step) for index, step in items(strategy.get("steps"))]
        for place, held in ((at, strategy), *steps):
            for index, check in items(mapping(held.get("analysis")).get("checks")):
                yield (*place, "analysis", "checks", index), check


def _watcher(view: Data, at: Path, watcher: dict[str, Any], resolution: Any) -> Iterator[Violation]:
    service = text_of(watcher.get("of"))
    # Of a service that the release changes it is said there.
    if service in view.services and service not in view.reached and service not in view.changed:
        yield Violation((*at, "of"), service, "must be reached by a function: no request comes to it")
    window_s, cell_s = duration_s_of(watcher.get("window")), duration_s_of(resolution)
    if window_s and cell_s and window_s < cell_s:
        rule = f"must be at least a cell of the record: measure.resolution is {resolution}"
        yield Violation((*at, "window"), watcher["window"], rule)
    if watcher.get("metric") == "error-ratio" and _ratio(watcher.get("above")) == 1.0:
        yield Violation((*at, "above"), watcher["above"], "must be below 100%: no share of errors is above it")


def _ratio(value: Any) -> float | None:
    try:
        return parse_ratio(value)
    except ValueError:
        return None


def _cohorts(view: Data) -> Iterator[Violation]:
    """A cohort of one function never meets what is on a service of another's."""
    changes = items(view.release.get("changes"))
    first = changes[0][1].get("service") if changes else None
    for index, defect in items(view.release.get("defects")):
        at = ("release", "defects", index, "cohort")
        yield from _cohort(view, at, defect.get("cohort"), {text_of(defect.get("of", first))})
    for place, strategy in _strategies(view):
        for index, step in items(strategy.get("steps")):
            yield from _cohort(view, (*place, "steps", index, "cohort"), step.get("cohort"), view.changed)
    for index, fault in view.faults:
        for kind in ("error", "delay"):
            effect = mapping(fault.get(kind))
            yield from _cohort(
                view, ("faults", index, kind, "cohort"), effect.get("cohort"), {text_of(effect.get("on"))}
            )


def _cohort(view: Data, at: Path, cohort: Any, services: set[str | None]) -> Iterator[Violation]:
    # Services and cohorts that there are not have rules of their own, and so have services that nobody reaches.
    if isinstance(view.reached, Anything) or isinstance(view.cohorts, Anything):
        return
    there = {service for service in services if service in view.services and service in view.reached}
    if text_of(cohort) not in view.cohorts or not there:
        return
    met = {
        each
        for name, function in view.functions.items()
        if there & view.reached_by(name)
        for each in _cohorts_of(function)
    }
    if cohort not in met:
        rule = f"must be a cohort of a function that reaches {known(sorted(there))}: {known(sorted(met))}"
        yield Violation(at, cohort, rule)


def _cohorts_of(function: dict[str, Any]) -> set[str]:
    """Of its requests: the default one too, unless the others leave nothing."""
    shares = [_ratio(share) for share in mapping(function.get("cohorts")).values()]
    rest = 1.0 - sum(share for share in shares if share is not None)
    return {*mapping(function.get("cohorts")), *([DEFAULT_COHORT] if rest > 1e-9 else [])}


def _objectives(view: Data, resolution: Any) -> Iterator[Violation]:
    cell_s = duration_s_of(resolution)
    for name, function in view.functions.items():
        rto_s = duration_s_of(function.get("rto"))
        if rto_s and cell_s and rto_s < cell_s:
            rule = f"must be at least measure.resolution, {resolution}: an RTO is known to no less"
            yield Violation(("functions", name, "rto"), function["rto"], rule)


def _loads(view: Data) -> Iterator[Violation]:
    for name, function in view.functions.items():
        profile = mapping(function.get("profile"))
        for key in ("steps", "peaks"):
            for index, each in items(profile.get(key)):
                at_s = duration_s_of(each.get("at"))
                if at_s is not None and view.duration_s is not None and at_s >= view.duration_s > 0:
                    place = ("functions", name, "profile", key, index, "at")
                    yield Violation(place, each["at"], "must be before the end (duration)")
