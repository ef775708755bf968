"""What a scenario may ask for that the simulator does not model: refused by path, never left out in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scenarios.models import Error, Fault, Latency, Outage, Scenario
from simulator.errors import RequestError

__all__ = ["PARTLY_MODELLED", "UNMODELLED", "require_modelled"]

_BYTES = "requests and answers have no size here, and connections no end"
_RESOURCES = "processes have no memory, descriptors or files here: let the service's requests fail by error"
# Kinds of faults that only real staging has, and why.
UNMODELLED: Mapping[str, str] = {
    "experiment": "nothing but the Chaos Toolkit knows what its actions do",
    "bandwidth": _BYTES,
    "timeout": "connections are not followed: cut the link, or put a latency on it that is beyond the caller's timeout",
    "reset": "connections are not followed: cut the link, or let a share of the service's requests fail by error",
    "slicer": _BYTES,
    "limit_data": _BYTES,
    "slow_close": _BYTES,
    "packets": "neither packets nor their retransmission are followed: put a latency on the link, or cut it",
    "delay": "the router holds nothing back: put a latency on the links to the service",
    "pause": "a process either serves or is dead: kill it",
    "crash_loop": "nothing restarts what a fault has killed before the fault ends: kill it",
    "slow_start": "a start takes what the service's startup says, always",
    "configuration": "workers and timeouts are what the system says, always",
    "quota": "only what holds all the time: give the service a quota (system.services.NAME.quota)",
    "cpu": "a service time is what the service says: let a defect stretch it",
    "memory": _RESOURCES,
    "descriptors": _RESOURCES,
    "disk": _RESOURCES,
    "exhaustion": "nobody but the callers holds a store's connections: give it fewer (system.stores.NAME.connections)",
    "lock": "tables are not told apart: lose the primary instead",
    "read_only": "reads and writes of a store are refused together: lose the primary instead",
    "corrupted_migration": "statements have no columns: let the service's requests fail by error",
}

# Kinds of which a part is refused (_of_fault): what is left.
PARTLY_MODELLED: Mapping[str, str] = {
    "latency": "of answers, on all connections",
    "error": "of all cohorts together",
    "outage": "not silent",
}


def require_modelled(scenario: Scenario) -> None:
    """Raise RequestError with all that is not modelled."""
    problems = [
        f"  faults[{place}].{problem}" for place, fault in enumerate(scenario.faults) for problem in _of_fault(fault)
    ]
    problems += [
        f"  release.rollback[{place}]: procedure: only its author knows what it does"
        for place, step in enumerate(scenario.release.rollback)
        if step == "procedure"
    ]
    if problems:
        raise RequestError("\n".join([f"scenario {scenario.name} cannot be simulated, only drilled:", *problems]))


def _of_fault(fault: Fault) -> Iterator[str]:
    if fault.kind in UNMODELLED:
        yield f"{fault.kind}: {UNMODELLED[fault.kind]}"
    if isinstance(fault.effect, Outage) and fault.effect.silent:
        yield "outage.silent: true: connections are not followed: callers are refused, or wait by a latency"
    if isinstance(fault.effect, Error) and fault.effect.cohort is not None:
        yield f"error.cohort: {fault.effect.cohort}: errors are of all requests: let a defect of a cohort fail instead"
    if isinstance(fault.effect, Latency):
        if fault.effect.direction != "answers":
            yield f"latency.direction: {fault.effect.direction}: only answers come later"
        if fault.effect.connections < 1.0:
            yield f"latency.connections: {fault.effect.connections:.6g}: connections are not followed, only requests"
