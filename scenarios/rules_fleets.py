"""What must hold between services, their probes and autoscaling, zones, and third parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios.rule_views import Data, Violation, known, mapping, text_of

__all__ = ["fleet_rules"]


def fleet_rules(view: Data) -> Iterator[Violation]:
    """Every rule of fleets and zones that is broken."""
    for name, service in view.services.items():
        yield from _service(view, name, mapping(service))
    yield from _zones(view)


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
