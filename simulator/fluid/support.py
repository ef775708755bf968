"""What a scenario may use under `fidelity: fluid`; whatever is not listed here is refused by its key.

A list of what is modelled, and not of what is not: so a key that the language gains later is refused until somebody
has decided what it means for flows, and never silently ignored.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from scenarios.models import Call, Scenario
from simulator.compile import compile_scenario
from simulator.errors import RequestError
from simulator.fluid.luck import locked_stores, offered_per_s, stations_below
from simulator.parts import parts

__all__ = ["require_fluid"]

_MODELLED = {
    "System": {"services", "stores", "calls", "zones"},
    "Service": {"replicas", "workers", "queue", "startup", "service_time", "external", "holds_worker",
                "availability", "readiness", "liveness", "autoscaling", "balancing",
                "shedding", "quota", "ejection"},
    "Store": {"engine", "connections", "service_time", "size_bytes", "standbys", "replication", "lag", "failover",
              "backup", "archive_every_s"},
    "Call": {"caller", "callee", "timeout_s", "retries", "backoff", "writes", "parallel",
             "retry_budget", "cancel", "breaker"},
    "Defect": {"name", "of", "probability", "errors", "latency", "lost_writes", "cohort", "after_s", "ramp_s",
               "above_rate_per_s", "crash", "crash_after_s", "flag", "contract", "bad_data", "incompatible_with"},
    "Fault": {"at_s", "for_s", "latency", "cut", "error", "kill", "zone", "outage", "primary", "standby", "lag"},
}  # fmt: skip
"""Keys of the parts that the data plane plays; parts that are not listed belong to the control plane alone."""
_SHORT = 0.05
"""Share of a lock, beyond the first attempt's timeout, for which it may seem to last longer."""


def require_fluid(scenario: Scenario) -> None:
    """Raise RequestError for the first key that flows do not model."""
    for path in (*_unmodelled(scenario.system, "system"), *_of_lists(scenario)):
        raise RequestError(f"fidelity fluid does not model {path}: play it with fidelity requests")


def _of_lists(scenario: Scenario) -> Iterator[str]:
    for place, defect in enumerate(scenario.release.defects):
        yield from _unmodelled(defect, f"release.defects[{place}]")
    for place, fault in enumerate(scenario.faults):
        yield from _unmodelled(fault, f"faults[{place}]")
    yield from _cancelled_locks(scenario)
    yield from _crowded_locks(scenario)


def _cancelled_locks(scenario: Scenario) -> Iterator[str]:
    """Cancelled calls that make calls to a store that is locked, which is never played request by request."""
    locked = {store for _, store, _ in locked_stores(scenario)}
    if not locked or not any(call.cancel for call in scenario.system.calls):
        return
    compiled = compile_scenario(scenario)
    for place, call in enumerate(scenario.system.calls):
        below = map(compiled.name_of, stations_below(compiled.network, compiled.station(call.callee)))
        for store in sorted(locked.intersection(below) if call.cancel else ()):
            yield f"system.calls[{place}].cancel ({call.callee} makes calls to {store}, which is locked for a while)"


def _crowded_locks(scenario: Scenario) -> Iterator[str]:
    """Locks whose retries hold up many more statements than there are connections.

    Flows make a retry when the first attempt is made. So what waits when the lock ends is more than it should be, by
    what comes in the time that retries take to begin.
    """
    held = [*locked_stores(scenario)]
    if not held:
        return
    network, place_of = (compiled := compile_scenario(scenario)).network, compiled.station
    for path, store, held_s in held:
        station = network.stations[place_of(store)]
        each_per_s = offered_per_s(network, place_of(store))
        for call in scenario.system.calls:
            if call.callee != store or call.timeout_s is None or call.timeout_s >= held_s:
                continue
            begin_s = [begins_s for begins_s in _retries_begin_s(call) if begins_s < held_s]
            statements = each_per_s * (held_s + sum(held_s - begins_s for begins_s in begin_s))
            more_s = each_per_s * sum(begin_s) * station.service.mean_s / station.workers
            if statements > station.workers and more_s > _SHORT * (held_s - call.timeout_s):
                yield (
                    f"{path} (of {held_s:g} s, with retries after {call.timeout_s:g} s of which flows would hold up "
                    f"the {station.workers} connections of {store} for {more_s:.2g} s too long)"
                )


def _retries_begin_s(call: Call) -> Iterator[float]:
    """When the retries of a call begin whose attempts all time out, on the mean."""
    assert call.timeout_s is not None
    begins_s, wait_s = 0.0, 0.0
    if call.backoff is not None:
        wait_s = call.backoff.base_s * (0.5 if call.backoff.jitter == "full" else 1.0)
    for retry in range(call.retries):
        begins_s += call.timeout_s + wait_s * 2.0**retry
        yield begins_s


def _unmodelled(part: BaseModel, path: str) -> Iterator[str]:
    """Paths of keys, below and in `part`, that are set to something and not modelled."""
    modelled = _MODELLED.get(type(part).__name__)
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        where = f"{path}.{field.alias or name}"
        if modelled is not None and name not in modelled and value != field.get_default(call_default_factory=True):
            yield where
        for inner, place in parts(value, where):
            yield from _unmodelled(inner, place)
