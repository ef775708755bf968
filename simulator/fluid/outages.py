"""Services that outages of zones leave less than comes to them, so that chance decides what a guardrail sees."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scenarios.models import Scenario
from simulator.compile import Compiled
from simulator.network import Network

__all__ = ["offered_per_s", "overloaded"]


def overloaded(scenario: Scenario, compiled: Compiled, judged: Iterable[str]) -> frozenset[int]:
    """Stations of judged services with bounded queues that an outage of a zone leaves less than what they are offered.

    What one version refuses then comes to the other, as long as the one is full: whether that one's guardrail trips
    hangs on when it is. So they are played request by request (`simulator.fluid.singly`).
    """
    zones = len(scenario.system.zones)
    if not any(getattr(fault, "zone", None) is not None for fault in scenario.faults):
        return frozenset()
    found = set()
    for name in {*judged} & {*compiled.services}:
        service, station = scenario.system.services[name], compiled.station(name)
        if service.external or service.queue is None:
            continue
        left = service.replicas - math.ceil(service.replicas / zones)
        left_per_s = left * service.workers / compiled.network.stations[station].service.mean_s
        if offered_per_s(compiled.network, station) > left_per_s:
            found.add(station)
    return frozenset(found)


def offered_per_s(network: Network, station: int) -> float:
    """First attempts at a station when all functions have their peaks."""
    return sum(
        max(rate for _, rate in function.rates)
        * sum(network.calls[node.call].callee == station for node in function.root.walk())
        for function in network.functions
    )
