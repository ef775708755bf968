"""Reach: what the dependency graph says a bad release could hit, whatever a run then measured.

The graph has a node for every function, service and store, and an edge from each to what it depends
on. The reach of a service is everything that depends on it, directly or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.models import Function, Scenario

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Reach", "dependency_graph", "reach_of", "services_used", "stores_written"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What could be hit when `service` misbehaves; names in the scenario's order."""

    service: str
    functions: tuple[str, ...]
    services: tuple[str, ...]
    stores: tuple[str, ...]
    requests_per_s: float
    request_share: float


def dependency_graph(scenario: Scenario) -> nx.DiGraph:
    """Nodes ("function" | "service" | "store", name) with attributes kind and name; edges to dependencies.

    A function depends on the first service of its path, services on what they call.
    """
    import networkx as nx  # takes a fifth of a second, which only drawing needs

    graph = nx.DiGraph()
    system = scenario.system
    for kind, names in (
        ("function", scenario.functions),
        ("service", system.services),
        ("store", system.stores),
    ):
        for name in names:
            graph.add_node((kind, name), kind=kind, name=name)
    for call in system.calls:
        kind = "store" if call.callee in system.stores else "service"
        graph.add_edge(("service", call.caller), (kind, call.callee))
    for name, function in scenario.functions.items():
        graph.add_edge(("function", name), ("service", function.path[0]))
    return graph


def services_used(scenario: Scenario, function: Function) -> tuple[set[str], set[str]]:
    """Services and stores that a request of the function may touch.

    Only the last service of a path makes all its calls; those before it call the next one.
    """
    system = scenario.system
    services, stores = set(function.path), set[str]()
    open_ends = [function.path[-1]]
    while open_ends:
        for call in system.calls_of(open_ends.pop()):
            if call.callee in system.stores:
                stores.add(call.callee)
            elif call.callee not in services:
                services.add(call.callee)
                open_ends.append(call.callee)
    return services, stores


def stores_written(scenario: Scenario, function: Function) -> tuple[str, ...]:
    """Stores that a request of the function may write, in the scenario's order."""
    system = scenario.system
    services, _ = services_used(scenario, function)
    callers = services - set(function.path[:-1])
    written = {call.callee for call in system.calls if call.writes and call.caller in callers}
    return tuple(name for name in system.stores if name in written)


def _callers(scenario: Scenario, service: str) -> set[str]:
    """Services that call this one, directly or not."""
    found, open_ends = set[str](), [service]
    while open_ends:
        callee = open_ends.pop()
        direct = {call.caller for call in scenario.system.calls if call.callee == callee} - found
        found |= direct
        open_ends += direct
    return found


def reach_of(scenario: Scenario, service: str) -> Reach:
    """What the service's misbehaviour could hit: its callers up to the functions, and what it writes."""
    system = scenario.system
    hit = [name for name, function in scenario.functions.items() if service in services_used(scenario, function)[0]]
    above = _callers(scenario, service) | {service}
    # A caller counts only where some function takes its requests through both.
    used = set().union(*(services_used(scenario, scenario.functions[name])[0] for name in hit))
    written = {call.callee for call in system.calls_of(service) if call.writes}
    rate = sum(scenario.functions[name].rate_per_s for name in hit)
    total = sum(function.rate_per_s for function in scenario.functions.values())
    return Reach(
        service=service,
        functions=tuple(hit),
        services=tuple(n for n in system.services if n in above and n in used),
        stores=tuple(n for n in system.stores if n in written),
        requests_per_s=rate,
        request_share=rate / total,
    )
