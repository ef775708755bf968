"""What must hold between faults and the parts that they are on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from scenarios.faults import CLIENT, LINK_KINDS, FaultKind
from scenarios.rule_views import Data, Violation, duration_s_of, known, link_of, mapping, text_of
from scenarios.yaml_text import Path

__all__ = ["fault_rules"]

# Kinds that are on replicas, of a version and so many.
_VICTIM_KINDS = ("kill", "pause", "crash_loop")
# Kinds that are on processes of our own.
_OWN_KINDS = (*_VICTIM_KINDS, "slow_start", "configuration")
# Those of them that need nothing of it but that it is there.
_STORE_KINDS = ("exhaustion", "lock", "read_only", "corrupted_migration")
_SERVICE_KINDS = (*_OWN_KINDS, "outage", "quota", "cpu", "memory", "descriptors", "disk")


def fault_rules(view: Data) -> Iterator[Violation]:
    """Violations of one topic, as in rules.py."""
    for index, fault in view.faults:
        at_s = duration_s_of(fault.get("at"))
        if at_s is not None and view.duration_s is not None and at_s >= view.duration_s:
            yield Violation(("faults", index, "at"), fault["at"], "must be before the end (duration)")
        yield from _links(view, index, fault)
        for kind in ("error", "delay"):
            effect = mapping(fault.get(kind))
            yield from _on_service(view, (index, kind, "on"), effect.get("on"))
            cohort = effect.get("cohort")
            if isinstance(cohort, str) and cohort not in view.cohorts:
                rule = f"must be a cohort of a function: {known(sorted(view.cohorts))}"
                yield Violation(("faults", index, kind, "cohort"), cohort, rule)
        yield from _services(view, index, fault)
    yield from _overlaps(view)


def _links(view: Data, index: int, fault: dict[str, Any]) -> Iterator[Violation]:
    for kind in LINK_KINDS:
        link = link_of(mapping(fault.get(kind)).get("on"))
        if link is None or (link[1] in view.entries if link[0] == CLIENT else link in view.links):
            continue
        links = sorted(f"{caller} -> {callee}" for caller, callee in view.links if isinstance(caller, str))
        links += sorted(f"{CLIENT} -> {entry}" for entry in view.entries)
        value = f"{link[0]} -> {link[1]}"
        yield Violation(("faults", index, kind, "on"), value, f"must be a link: {known(links)}")


def _services(view: Data, index: int, fault: dict[str, Any]) -> Iterator[Violation]:
    for kind in _SERVICE_KINDS:
        effect = mapping(fault.get(kind))
        service = effect.get("of")
        yield from _on_service(view, (index, kind, "of"), service)
        if kind in _OWN_KINDS and view.external(service):
            rule = "must not be external: cut the link to it instead"
            yield Violation(("faults", index, kind, "of"), service, rule)
        if kind in _VICTIM_KINDS:
            yield from _victims(view, index, kind, effect)

    for kind in _STORE_KINDS:
        store = mapping(fault.get(kind)).get("of")
        if isinstance(store, str) and store not in view.stores:
            yield Violation(("faults", index, kind, "of"), store, f"must be a store: {known(view.stores)}")


def _on_service(view: Data, at: Path, service: Any) -> Iterator[Violation]:
    if isinstance(service, str) and service not in view.services:
        yield Violation(("faults", *at), service, f"must be a service: {known(view.services)}")


def _victims(view: Data, index: int, kind: str, effect: dict[str, Any]) -> Iterator[Violation]:
    service, wanted = text_of(effect.get("of")), effect.get("replicas", 1)
    if effect.get("version") in ("new", "old") and service in view.services and service not in view.changed:
        rule = f"must be any: {service} has one version in this release"
        yield Violation(("faults", index, kind, "version"), effect["version"], rule)
    # Of the service that is released there may be more or fewer at the time; the worlds check that.
    if service is None or (service in view.changed and effect.get("version") != "old"):
        return
    there = mapping(view.services.get(service)).get("replicas", 1)
    if isinstance(wanted, int) and isinstance(there, int) and wanted > there >= 1:
        rule = f"must be at most the replicas of {service}: {there}"
        yield Violation(("faults", index, kind, "replicas"), wanted, rule)


def _overlaps(view: Data) -> Iterator[Violation]:
    """Two faults of one kind on one target: the end of the first would end the second, also when they only touch."""
    spans_s: list[tuple[str, float, float]] = []
    for index, fault in view.faults:
        at_s, for_s = duration_s_of(fault.get("at")), duration_s_of(fault.get("for"))
        for kind in get_args(FaultKind):
            effect = mapping(fault.get(kind))
            target = effect.get("on", effect.get("of"))
            if at_s is None or for_s is None or not isinstance(target, str):
                continue
            key = f"{kind} on {' '.join(target.replace('->', ' -> ').split())}"
            also = _also(view, kind, target)
            for one in (key, *also):
                if any(one == other and at_s <= end and start <= at_s + for_s for other, start, end in spans_s):
                    rule = "must not overlap with or touch another fault of its kind and target"
                    yield Violation(("faults", index), one, rule)
            spans_s += [(one, at_s, at_s + for_s) for one in (key, *also)]


def _also(view: Data, kind: str, target: str) -> list[str]:
    """What a fault is besides: an outage cuts every link to its service, and less CPU is a pause again and again."""
    if kind == "outage":
        return [f"cut on {caller} -> {callee}" for caller, callee in _ways_to(view, target)]
    return [f"pause on {target}"] if kind == "cpu" else []


def _ways_to(view: Data, service: str) -> list[tuple[str, str]]:
    ways = sorted(link for link in view.links if link[1] == service)
    return [*ways, (CLIENT, service)] if service in view.entries else ways
