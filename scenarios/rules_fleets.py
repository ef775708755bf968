"""What must hold between services, their probes and autoscaling, zones, and third parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios.rule_views import Data, Violation, items, known, mapping, text_of

__all__ = ["fleet_rules"]


def fleet_rules(view: Data) -> Iterator[Violation]:
    """Every rule of fleets and zones that is broken."""
    for name, service in view.services.items():
        yield from _service(view, name, mapping(service))
    yield from _zones(view)
    yield from _peers(view)


def _service(view: Data, name: str, service: dict[str, Any]) -> Iterator[Violation]:
    at = ("system", "services", name)
    for key in ("readiness", "liveness", "autoscaling"):
        if key in service and view.external(name):
            yield Violation((*at, key), key, "must not be of an external service: a third party keeps its own up")
    if "availability" in service and not view.external(name):
        yield Violation((*at, "availability"), "availability", "must be of an external service: ours fail by faults")
    scaling = mapping(service.get("autoscaling"))
    replicas, low, high = service.get("replicas", 1), scaling.get("minimum", 1), scaling.get("maximum")
    if all(isinstance(each, int) for each in (replicas, low, high)) and not low <= replicas <= high:
        yield Violation((*at, "replicas"), replicas, f"must be between minimum and maximum: {low} to {high}")


def _zones(view: Data) -> Iterator[Violation]:
    value = mapping(view.top.get("system")).get("zones")
    zones = [text_of(zone) for zone in value] if isinstance(value, list) else []
    for index, zone in enumerate(zones):
        if zone is not None and zone in zones[:index]:
            yield Violation(("system", "zones", index), zone, "must be there once")
    for index, fault in view.faults:
        zone = text_of(mapping(fault.get("zone")).get("of"))
        if zone is not None and zone not in zones:
            yield Violation(("faults", index, "zone", "of"), zone, f"must be one of system.zones: {known(zones)}")


def _peers(view: Data) -> Iterator[Violation]:
    changes = items(view.release.get("changes"))
    first = text_of(changes[0][1].get("service")) if changes else None
    for index, defect in items(view.release.get("defects")):
        peer = mapping(defect.get("incompatible_with"))
        service, own = text_of(peer.get("service")), text_of(defect.get("of", first))
        if service is None or own is None:
            continue
        at = ("release", "defects", index, "incompatible_with")
        if (service, own) not in view.links and (own, service) not in view.links:
            yield Violation((*at, "service"), service, f"must call {own} or be called by it")
        elif service not in view.services:
            yield Violation((*at, "service"), service, f"must be a service: {known(view.services)}")
        elif peer.get("version") in ("new", "old") and service not in view.changed:
            rule = f"must be any: {service} has one version in this release"
            yield Violation((*at, "version"), peer["version"], rule)
