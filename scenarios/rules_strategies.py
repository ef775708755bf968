"""What must hold between strategies and the rest: their cohorts, zones, sign-offs and checks must be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios.rule_views import Data, Violation, items, known, mapping, text_of
from scenarios.rules_people import skills_paged
from scenarios.yaml_text import Path

__all__ = ["strategy_rules"]


def strategy_rules(view: Data) -> Iterator[Violation]:
    """Every rule of strategies that is broken, of the alternatives too."""
    strategies: list[tuple[Path, dict[str, Any]]] = [(("release", "strategy"), mapping(view.release.get("strategy")))]
    strategies += [
        (("release", "alternatives", index), each) for index, each in items(view.release.get("alternatives"))
    ]
    for at, strategy in strategies:
        for kind, value in strategy.items():
            yield from _strategy(view, (*at, kind), mapping(value))
    if not any("toggle" in strategy for _, strategy in strategies):
        yield from _without_toggle(view)


def _strategy(view: Data, at: Path, strategy: dict[str, Any]) -> Iterator[Violation]:
    yield from _gates(view, at, strategy)
    for index, step in items(strategy.get("steps")):
        yield from _gates(view, (*at, "steps", index), step)
        yield from _cohort(view, (*at, "steps", index, "cohort"), step.get("cohort"))
    if strategy.get("by") == "zones":
        yield from _zones(view, at, strategy)
    elif strategy.get("by") == "cohorts":
        for place, name in _waves(strategy):
            yield from _cohort(view, (*at, *place), name)


def _gates(view: Data, at: Path, step: dict[str, Any]) -> Iterator[Violation]:
    operations = mapping(view.top.get("operations"))
    name, approvals = text_of(step.get("approve")), mapping(operations.get("approvals"))
    if name is not None and name not in approvals:
        yield Violation((*at, "approve"), name, f"must be one of operations.approvals: {known(approvals)}")
    if "analysis" not in step:
        return
    analysis = mapping(step["analysis"])
    if analysis.get("inconclusive", "pause") == "pause" and "on_call" not in operations:
        rule = "must be rollback or go-on where nobody is there to decide: there is no operations.on_call"
        yield Violation((*at, "analysis", "inconclusive"), "pause", rule)
    elif analysis.get("inconclusive", "pause") == "pause":
        yield from _decided_by_someone(view, (*at, "analysis", "inconclusive"))
    for index, check in items(analysis.get("checks")):
        place = (*at, "analysis", "checks", index)
        service, version = text_of(check.get("of")), check.get("version", "new")
        if service is not None and service not in view.services:
            yield Violation((*place, "of"), service, f"must be a service: {known(view.services)}")
        elif version in ("new", "old") and service is not None and service not in view.changed:
            yield Violation((*place, "version"), version, f"must be any: {service} has one version in this release")


def _decided_by_someone(view: Data, at: Path) -> Iterator[Violation]:
    """An analysis that pauses pages about the service that it is of: each of the release's, in its turn."""
    skills = skills_paged(view)
    unknown = [] if skills is None else sorted(each for each in view.changed - skills if each in view.services)
    if unknown:
        rule = f"must be rollback or go-on: nobody who is paged knows {known(unknown)} (skills)"
        yield Violation(at, "pause", rule)


def _cohort(view: Data, at: Path, cohort: Any) -> Iterator[Violation]:
    if isinstance(cohort, str) and cohort not in view.cohorts:
        yield Violation(at, cohort, f"must be a cohort of a function: {known(sorted(view.cohorts))}")


def _waves(strategy: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Place and name of each member of each wave."""
    waves = strategy.get("waves")
    for number, wave in enumerate(waves if isinstance(waves, list) else []):
        for index, name in enumerate(wave if isinstance(wave, list) else []):
            if isinstance(name, str):
                yield ("waves", number, index), name


def _zones(view: Data, at: Path, strategy: dict[str, Any]) -> Iterator[Violation]:
    value = mapping(view.top.get("system")).get("zones")
    zones = [zone for zone in value if isinstance(zone, str)] if isinstance(value, list) else []
    named = set()
    for place, name in _waves(strategy):
        named.add(name)
        if name not in zones:
            yield Violation((*at, *place), name, f"must be one of system.zones: {known(zones)}")
    left = [zone for zone in zones if zone not in named]
    if left:
        rule = f"must name every zone, or the old version stays there: {known(left)} is missing"
        yield Violation((*at, "waves"), strategy.get("waves"), rule)


def _without_toggle(view: Data) -> Iterator[Violation]:
    rule = "must go with a toggle among strategy and alternatives: nothing else has a flag"
    steps = view.release.get("rollback")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        if step == "kill-switch":
            yield Violation(("release", "rollback", index), step, rule)
    for index, defect in items(view.release.get("defects")):
        if defect.get("flag") is True:
            yield Violation(("release", "defects", index, "flag"), True, rule)
