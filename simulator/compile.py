"""From a scenario to the network that the data plane simulates, and from its numbers back to names.

The network is the same for every strategy of a scenario: a plan never has more replicas of one version ready than the
service has (or autoscaling gives it), so strategies compared on one seed differ in control changes only. A toggle
has one more version of what is released, its flag on; draws do not depend on versions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evidence.histogram import edges_s
from rollout.versions import flag_on
from scenarios.models import CLIENT as CLIENT_NAME
from scenarios.models import DEFAULT_COHORT, Function, Scenario, Service
from scenarios.models import Distribution as ScenarioDistribution
from simulator import mechanics
from simulator import network as plain
from simulator.errors import RequestError
from simulator.unmodelled import require_modelled

__all__ = ["Compiled", "capacity_of", "compile_scenario"]

# As the load generator of a drill: answers are awaited past the end of the load for every client's own patience.
_DRAIN_MIN_S = 3.0
_DRAIN_BEYOND_TIMEOUT_S = 1.0

_COUNT_BYTES = 4
_TABLES_GB_MAX = 4.0

Link = tuple[str, str]


@dataclass(frozen=True)
class Compiled:
    """A network with the names of its numbers: a name's number is its place.

    `versions` holds the versions of each service in the order of the network (one without a name where the release
    changes nothing); `links` the call of each (caller, callee), the outside caller being `client`. `toggled`: the new
    version of a released service is there twice, the second time with its flag on, on the same replicas.
    """

    network: plain.Network
    services: tuple[str, ...]
    stores: tuple[str, ...]
    versions: dict[str, tuple[str, ...]]
    links: dict[Link, int]
    functions: tuple[str, ...]
    cohorts: tuple[str, ...]
    toggled: bool = False

    def routed(self, service: str) -> tuple[str, ...]:
        """All that may answer for a service, in the order of the network; what shares replicas comes last."""
        versions = self.versions[service]
        return (*versions, flag_on(versions[-1])) if self.toggled and len(versions) > 1 else versions

    def new_versions(self, service: str) -> range:
        """Places, in the network, of what a released service's new version answers as."""
        return range(1, len(self.routed(service)))

    def station(self, name: str) -> int:
        """The station of a service or store."""
        return (*self.services, *self.stores).index(name)

    def name_of(self, station: int) -> str:
        """The service or store of a station."""
        return (*self.services, *self.stores)[station]

    def node_stations(self) -> list[int]:
        """The station of every node, in the order in which the data plane numbers nodes."""
        calls = self.network.calls
        return [calls[node.call].callee for function in self.network.functions for node in function.root.walk()]

    def node_functions(self) -> list[int]:
        """The function of every node, in the same order."""
        functions = self.network.functions
        return [place for place, function in enumerate(functions) for _ in function.root.walk()]


def compile_scenario(scenario: Scenario, *, toggled: bool = False) -> Compiled:
    """The network of a scenario; its own rules (scenarios.rules) are taken to hold. `toggled`: played by a toggle.

    Raises RequestError for what is not modelled, and when its tables would be too large.
    """
    require_modelled(scenario)
    services, stores = tuple(scenario.system.services), tuple(scenario.system.stores)
    cohorts = _cohorts(scenario)
    calls = dict(_calls(scenario, (*services, *stores)))
    links = {link: place for place, link in enumerate(calls)}
    resolution_s = scenario.measure.resolution_s
    cells = _cells(scenario.duration_s, resolution_s) + _cells(_drain_s(scenario), resolution_s)
    versions = _versions(scenario)
    network = plain.Network(
        stations=tuple(_stations(scenario, versions, toggled=toggled)),
        calls=tuple(calls.values()),
        functions=tuple(
            _function(scenario, name, function, links, cohorts) for name, function in scenario.functions.items()
        ),
        resolution_s=resolution_s,
        cells=cells,
        edges_s=edges_s(scenario),
        cohorts=len(cohorts),
    )
    _check_size(network)
    return Compiled(network, services, stores, versions, links, tuple(scenario.functions), cohorts, toggled)


def _check_size(network: plain.Network) -> None:
    """Raise RequestError for tables that would not fit into memory beside those of other replications."""
    rows = len(network.functions) * network.cohorts + sum(len(station.replicas) for station in network.stations)
    size_gb = network.cells * rows * (len(network.edges_s) + 1) * _COUNT_BYTES / 1e9
    if size_gb > _TABLES_GB_MAX:
        cells = f"{network.cells} cells of {network.resolution_s:g} s, {rows} rows"
        raise RequestError(
            f"tables of a replication(={size_gb:.1f} GB: {cells}) must be at most {_TABLES_GB_MAX:g} GB: "
            "a coarser measure.resolution or a shorter duration or timeout helps"
        )


def _cells(time_s: float, resolution_s: float) -> int:
    return math.ceil(time_s / resolution_s - 1e-9)


def _drain_s(scenario: Scenario) -> float:
    patience_s = max(function.timeout_s or 0.0 for function in scenario.functions.values())
    return max(_DRAIN_MIN_S, patience_s + _DRAIN_BEYOND_TIMEOUT_S)


def _cohorts(scenario: Scenario) -> tuple[str, ...]:
    """Every cohort of any function as first named, the default one last where there is one."""
    names = dict.fromkeys(name for function in scenario.functions.values() for name in function.cohort_shares)
    named = [name for name in names if name != DEFAULT_COHORT]
    return (*named, DEFAULT_COHORT) if DEFAULT_COHORT in names else tuple(named)


def _versions(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    changes = {change.service: (change.old, change.new) for change in scenario.release.changes}
    return {name: changes.get(name, ("",)) for name in scenario.system.services}


def _stations(scenario: Scenario, versions: dict[str, tuple[str, ...]], *, toggled: bool) -> Iterator[plain.Station]:
    for name, service in scenario.system.services.items():
        replicas = (capacity_of(scenario, service),) * len(versions[name])
        shares: tuple[int, ...] = ()
        if toggled and len(versions[name]) > 1:
            replicas, shares = (*replicas, 0), (*range(len(replicas)), len(replicas) - 1)
        yield plain.Station(
            name=name,
            workers=service.workers,
            service=_distribution(service.service_time),
            queue=plain.UNBOUNDED if service.queue is None else service.queue,
            holds_worker=service.holds_worker,
            replicas=replicas,
            shares=shares,
            **mechanics.of_service(service),
        )
    for name, store in scenario.system.stores.items():
        yield plain.Station(name=name, workers=store.connections, service=_distribution(store.service_time))


def capacity_of(scenario: Scenario, service: Service) -> int:
    """Replicas that one version of a service may ever have; enough for all of them in the last zone that is left."""
    most = service.replicas if service.autoscaling is None else service.autoscaling.maximum
    return most if service.external else most * max(1, len(scenario.system.zones))


def _distribution(distribution: ScenarioDistribution) -> plain.Distribution:
    return plain.Distribution(plain.Kind[distribution.kind.upper()], *distribution.params)


def _calls(scenario: Scenario, stations: tuple[str, ...]) -> Iterator[tuple[Link, plain.Call]]:
    """The clients' calls to each entry, then the scenario's in its order."""
    for entry in dict.fromkeys(function.path[0] for function in scenario.functions.values()):
        yield (CLIENT_NAME, entry), plain.Call(plain.CLIENT, stations.index(entry))
    for call in scenario.system.calls:
        yield (
            (call.caller, call.callee),
            plain.Call(
                caller=stations.index(call.caller),
                callee=stations.index(call.callee),
                timeout_s=math.inf if call.timeout_s is None else call.timeout_s,
                retries=call.retries,
                backoff_s=0.0 if call.backoff is None else call.backoff.base_s,
                jitter=call.backoff is not None and call.backoff.jitter == "full",
                writes=call.writes > 0,
                **mechanics.of_call(call),
            ),
        )


def _function(
    scenario: Scenario, name: str, function: Function, links: dict[Link, int], cohorts: tuple[str, ...]
) -> plain.Function:
    shares = [function.cohort_shares.get(cohort, 0.0) for cohort in cohorts]
    return plain.Function(
        name=name,
        rates=(*function.rates(scenario.clock, scenario.duration_s), (scenario.duration_s, 0.0)),
        root=_tree(scenario, links, CLIENT_NAME, function.path),
        timeout_s=math.inf if function.timeout_s is None else function.timeout_s,
        cohort_shares=tuple(share / sum(shares) for share in shares),
    )


def _tree(scenario: Scenario, links: dict[Link, int], caller: str, path: list[str]) -> plain.Node:
    """Each service of the path calls the next one only; the last makes all its calls, and so on down."""
    callee, rest = path[0], path[1:]
    if rest:
        children = [_tree(scenario, links, callee, rest)]
    else:
        children = [_tree(scenario, links, callee, [call.callee]) for call in scenario.system.calls_of(callee)]
    return plain.Node(links[caller, callee], tuple(children))
