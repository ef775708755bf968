"""From a scenario to what the embedded staging and its load are told.

The embedded staging is one shop of a fixed topology; a scenario's numbers are realised on it (replicas, workers,
service times, timeouts, retries, rates, cohorts), and a scenario of another shape is refused with what does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaos.errors import ChaosError
from chaos.load.plan import FunctionLoad, LoadPlan, Profile
from chaos.staging.adapter import Request, StagingAdapter
from chaos.staging.config import (
    CALLS,
    SERVICES,
    STORE,
    CallConfig,
    Defect,
    ServiceConfig,
    ServiceTime,
    StagingConfig,
    StoreConfig,
    Symptom,
)
from chaos.staging.postgres import OLD_ROW_BYTES
from chaos.unrealised import unrealised
from evidence.histogram import edges_s
from scenarios.models import Distribution, Function, Scenario, Store, Strategy

__all__ = ["NotRealisable", "defects_of", "load_plan", "request_of", "require_realisable", "staging_config"]

# What the shop offers to its clients: the path through it, and the request that takes it.
_REQUESTS: dict[tuple[str, ...], Request] = {
    ("edge", "checkout"): Request("POST", "/checkout", '{"order_id": "$id", "amount": 55}', STORE),
    ("edge", "catalogue"): Request("GET", "/catalogue"),
}

# A provider that polled its file more often than that would do little else.
FLAG_POLL_MIN_S = 0.05


class NotRealisable(ChaosError):
    """The scenario's system is not the embedded staging's shop; every difference is in the message."""


def require_realisable(scenario: Scenario) -> None:
    """Raise NotRealisable, with all that does not fit, unless the shop can be the scenario's system."""
    problems = [*_system_problems(scenario)]
    for name, function in scenario.functions.items():
        if tuple(function.path) not in _REQUESTS:
            known = " or ".join(str(list(path)) for path in _REQUESTS)
            problems.append(f"functions.{name}.path: {function.path}: must be {known}")
    if len(scenario.release.changes) > 1:
        services = ", ".join(change.service for change in scenario.release.changes)
        problems.append(f"release.changes: {services}: must be one change")
    if scenario.release.change.service == "payments":
        problems.append("release.changes[0].service: payments: must be one of the shop's own services")
    problems += unrealised(scenario)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise NotRealisable(f"scenario {scenario.name} cannot be drilled on the embedded staging:\n{listed}")


def _system_problems(scenario: Scenario) -> list[str]:
    system = scenario.system
    problems = []
    if set(system.services) != set(SERVICES):
        problems.append(f"system.services: {', '.join(system.services)}: must be {', '.join(SERVICES)}")
    if set(system.stores) != {STORE}:
        problems.append(f"system.stores: {', '.join(system.stores) or '(none)'}: must be {STORE}")
    links = {(call.caller, call.callee) for call in system.calls}
    shop = {link for link in CALLS if link[0] in SERVICES}
    if links != shop:
        odd = ", ".join(f"{a} -> {b}" for a, b in sorted(links ^ shop))
        known = ", ".join(f"{a} -> {b}" for a, b in sorted(shop))
        problems.append(f"system.calls: {odd}: must be exactly {known}")
    return problems


def staging_config(scenario: Scenario, seed: int) -> StagingConfig:
    """The shop with the scenario's numbers."""
    change = scenario.release.change
    services = {
        name: ServiceConfig(
            versions=(change.old, change.new) if name == change.service else ("1.0",),
            replicas=service.replicas,
            workers=service.workers,
            queue=service.queue,
            service_time=_service_time(service.service_time),
            holds_worker=service.holds_worker,
            zones=() if service.external else tuple(scenario.system.zones),
        )
        for name, service in scenario.system.services.items()
    }
    calls = {
        (call.caller, call.callee): CallConfig(
            timeout_s=call.timeout_s,
            retries=call.retries,
            backoff_base_s=call.backoff.base_s if call.backoff is not None else 0.0,
            jitter=call.backoff.jitter if call.backoff is not None else "none",
        )
        for call in scenario.system.calls
    }
    store = scenario.system.stores[STORE]
    # Envoy's histograms count whole milliseconds.
    bounds_s = sorted({round(edge, 3) for edge in edges_s(scenario) if edge >= 1e-3})
    return StagingConfig(
        services=services,
        calls=calls,
        store=_store(scenario, store),
        latency_edges_s=tuple(bounds_s),
        seed=seed,
        cohorts=tuple(sorted({name for each in scenario.functions.values() for name in each.cohort_shares})),
        flag_poll_s=_flag_poll_s(scenario),
    )


def _store(scenario: Scenario, store: Store) -> StoreConfig:
    migration = scenario.release.migration
    return StoreConfig(
        connections=store.connections,
        service_time=_service_time(store.service_time),
        replication=store.replication,
        archive_every_s=store.archive_every_s,
        rows=0 if store.size_bytes is None else round(store.size_bytes / OLD_ROW_BYTES),
        migration=None if migration is None else "dual" if migration.dual_writes else "new",
        symptom=_symptom(scenario),
    )


def _symptom(scenario: Scenario) -> Symptom | None:
    """Of the one defect with bad data that a drill may have."""
    for defect in scenario.release.defects:
        if defect.bad_data is not None and defect.bad_data.errors:
            return Symptom(defect.bad_data.symptom_after_s, defect.bad_data.errors, defect.cohort)
    return None


def _service_time(distribution: Distribution) -> ServiceTime:
    first, second = distribution.params
    return ServiceTime(distribution.kind, first, second)


def _flag_poll_s(scenario: Scenario) -> float | None:
    """Replicas look at the flag so often that all follow within the propagation of whichever toggle is played."""
    strategies = (scenario.release.strategy, *scenario.release.alternatives)
    propagations_s = [each.toggle.propagation_s for each in strategies if each.toggle is not None]
    return max(FLAG_POLL_MIN_S, min(propagations_s)) if propagations_s else None


def defects_of(scenario: Scenario, names: Sequence[str], strategy: Strategy) -> tuple[Defect, ...]:
    """The scenario's defects of those names, as the shop's replicas are told them."""
    return tuple(
        Defect(
            name=defect.name,
            errors_ratio=defect.errors,
            latency_factor=defect.latency.factor,
            latency_add_s=defect.latency.add_s,
            lost_writes_ratio=defect.lost_writes,
            wrong_rows_ratio=0.0 if defect.bad_data is None else defect.bad_data.share,
            cohort=defect.cohort,
            # under the other strategies it is like any defect
            flag=defect.flag and strategy.toggle is not None,
            contract=defect.contract,
        )
        for defect in scenario.release.defects
        if defect.name in names
    )


def request_of(function: Function) -> Request:
    """The request that takes a business function's path through the shop."""
    return _REQUESTS[tuple(function.path)]


def load_plan(
    scenario: Scenario,
    staging: StagingAdapter,
    seed: int,
    duration_s: float,
    rates: Mapping[str, Profile] | None = None,
) -> LoadPlan:
    """Every business function, open loop, for `duration_s`: at `rates`, or at the scenario's from its start on."""
    functions = tuple(
        _function_load(
            name,
            function,
            function.rates(scenario.clock, duration_s) if rates is None else rates[name],
            staging.request(name, function),
        )
        for name, function in scenario.functions.items()
    )
    patience_s = max((each.timeout_s or 0.0 for each in functions), default=0.0)
    return LoadPlan(
        base_url=staging.target_url(),
        networks=tuple(str(network) for network in staging.allow.networks),
        functions=functions,
        duration_s=duration_s,
        seed=seed,
        # Long enough for every client's own patience, so that what is cut off here is rare.
        drain_s=max(3.0, patience_s + 1.0),
    )


def _function_load(name: str, function: Function, profile: Profile, request: Request) -> FunctionLoad:
    return FunctionLoad(
        name=name,
        profile=profile,
        method=request.method,
        path=request.path,
        body=request.body,
        cohorts=function.cohorts,
        timeout_s=function.timeout_s,
        store=request.store,
        headers=request.headers,
    )
