"""Single points of failure and cascades, from the dependency graph alone.

Whatever a function's requests come through, it depends on. A dependency is a single point of failure where there is
one copy of it, or one provider. One that hangs is worse than one that is down: callers wait, and each waiting request
holds a worker. By Little's law a call that hangs keeps (rate x time until it is given up) workers of its caller busy;
where that is as many as the caller has, the caller hangs too, for everything else that it serves. That is a cascade.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evidence.reach import services_used
from scenarios.models import Call, Function, Scenario

__all__ = ["Dependency", "Saturation", "calls_made", "dependencies"]


@dataclass(frozen=True, slots=True)
class Saturation:
    """A caller whose `workers` all wait when `callee` hangs: it would need `held`, inf for a call without timeout."""

    caller: str
    callee: str
    held: float
    workers: int


@dataclass(frozen=True, slots=True)
class Dependency:
    """One service or store, and what hangs on it; names in the scenario's order.

    `single` says why it is a single point of failure, None when it is not. `down` are the functions that cannot do
    without it, `slow` those that are hit when it hangs, by way of `saturations`.
    """

    name: str
    kind: str
    copies: int
    single: str | None
    down: tuple[str, ...]
    slow: tuple[str, ...]
    saturations: tuple[Saturation, ...]
    request_share: float


def dependencies(scenario: Scenario) -> list[Dependency]:
    """Every service and store that some function uses, those with the largest share of the load first."""
    total = sum(function.rate_per_s for function in scenario.functions.values())
    found = []
    for name in (*scenario.system.services, *scenario.system.stores):
        down = _users(scenario, name)
        if not down:
            continue
        saturations = tuple(_cascade(scenario, name))
        slow = {*down, *(user for each in saturations for user in _users(scenario, each.caller))}
        kind, copies, single = _copies(scenario, name)
        found.append(
            Dependency(
                name=name,
                kind=kind,
                copies=copies,
                single=single,
                down=down,
                slow=tuple(function for function in scenario.functions if function in slow),
                saturations=saturations,
                request_share=sum(scenario.functions[function].rate_per_s for function in down) / total,
            )
        )
    return sorted(found, key=lambda each: -each.request_share)


def calls_made(scenario: Scenario, function: Function) -> Iterator[Call]:
    """Every call that a request of the function makes, once for each time that it is made."""
    by_name = {call.name: call for call in scenario.system.calls}
    for caller, callee in zip(function.path, function.path[1:], strict=False):
        yield by_name[f"{caller} -> {callee}"]
    below = [function.path[-1]]
    while below:
        for call in scenario.system.calls_of(below.pop()):
            yield call
            below.append(call.callee)


def _users(scenario: Scenario, name: str) -> tuple[str, ...]:
    used = {each: set().union(*services_used(scenario, function)) for each, function in scenario.functions.items()}
    return tuple(each for each in scenario.functions if name in used[each])


def _copies(scenario: Scenario, name: str) -> tuple[str, int, str | None]:
    """Kind, number of copies, and why there is a single one, if so."""
    store = scenario.system.stores.get(name)
    if store is not None:
        alone = "no standby" if store.standbys == 0 else "no failover" if store.noticed_after is None else None
        return "store", 1 + store.standbys, alone
    service = scenario.system.services[name]
    if service.external:
        return "third party", 1, "one provider"
    copies, zones = service.replicas, scenario.system.zones
    if copies == 1:
        return "service", 1, "one replica"
    return "service", copies, f"all replicas in zone {zones[0]}" if len(zones) == 1 else None


def _cascade(scenario: Scenario, name: str) -> Iterator[Saturation]:
    """Callers that hang when `name` hangs, and theirs in turn."""
    seen, hanging = {name}, [name]
    while hanging:
        callee = hanging.pop(0)
        for call in scenario.system.calls:
            if call.callee != callee or call.caller in seen:
                continue
            caller = scenario.system.services[call.caller]
            held, workers = _held(scenario, call), caller.replicas * caller.workers
            if caller.holds_worker and held >= workers:
                seen.add(call.caller)
                hanging.append(call.caller)
                yield Saturation(call.caller, callee, held, workers)


def _held(scenario: Scenario, call: Call) -> float:
    """Workers of the caller that wait for a callee that never answers: rate x time until the call is given up."""
    rate_per_s = sum(
        function.rate_per_s
        for function in scenario.functions.values()
        for made in calls_made(scenario, function)
        if made.name == call.name
    )
    if call.timeout_s is None:
        return math.inf if rate_per_s > 0 else 0.0
    waits_s = 0.0
    if call.backoff is not None:
        # The mean of a uniform draw is half of its end.
        share = 0.5 if call.backoff.jitter == "full" else 1.0
        waits_s = sum(share * call.backoff.base_s * 2**retry for retry in range(call.retries))
    return rate_per_s * (call.timeout_s * (call.retries + 1) + waits_s)
