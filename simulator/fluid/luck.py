"""Which services flows play request by request: those whose outcome hangs on the luck of single requests.

That is decided here, for a whole scenario, before anything is played (`simulator.fluid.singly` plays them):

- replicas are ejected, or service times vary so much that one replica is stuck beside others (`_differ`);
- a full queue answers its last just in time (`_answers_just_in_time`);
- callers cancel what they no longer wait for, at a service near its capacity or beyond (`_is_left`);
- callers cancel what makes calls of its own: the service and all below it, where calls end with it (`stations_below`);
- a judged service is overloaded by the outage of a zone, so that a guardrail hangs on which version is full
  (`overloaded`);
- a caller's workers may all be held by waits for a service near its capacity: the services from the caller down to that
  one, for those waits are the same luck (`_held_up`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from scenarios.models import Defect, Scenario
from scenarios.network_faults import Latency
from simulator.compile import Compiled
from simulator.fluid.slow import CLEARLY
from simulator.network import Balancing, Network, Node, Station

__all__ = ["by_luck", "locked_stores", "of_scenario", "offered_per_s", "overloaded", "patience_s", "stations_below"]

_VARIATION_MAX = {Balancing.ROUND_ROBIN: 1.4, Balancing.LEAST_REQUEST: math.inf, Balancing.RANDOM_OF_TWO: 1.01}
"""Coefficient of variation of service times up to which all replicas may be taken for alike: as measured.

Round robin at 75 and 90 % of its capacity: at 1.5 flows had 1.01 and 1.10 times the failures, at 2 1.19 and 1.29.
"""
_NEAR_MIN, _NEAR_MAX = 0.8, 1.2
"""Share of a service's capacity, of first attempts, between which luck decides how long it takes."""
_HELD = 0.9
"""Share of a caller's workers that are held when nearly all are."""


@dataclass(frozen=True, slots=True)
class Slower:
    """What makes services slower for a while."""

    factor: dict[int, float] = field(default_factory=dict)  # of the service time, by station
    add_s: dict[int, float] = field(default_factory=dict)
    call_s: dict[int, float] = field(default_factory=dict)  # on the way, by call


_AS_IT_IS = Slower()


def by_luck(network: Network) -> frozenset[int]:
    """Stations to be played request by request whatever else happens in a scenario, all of their replicas ready."""
    replicas = [station.replicas[0] for station in network.stations]
    return _by_luck(network, replicas, [_AS_IT_IS], frozenset())


def of_scenario(
    scenario: Scenario, compiled: Compiled, judged: Iterable[str], defects: Iterable[Defect]
) -> frozenset[int]:
    """Stations to be played request by request when the new version has these defects.

    `judged` services have guardrails or analyses.
    """
    counts = [service.replicas for service in scenario.system.services.values()] + [1] * len(scenario.system.stores)
    locked = frozenset(compiled.station(store) for _, store, _ in locked_stores(scenario))
    found = _by_luck(compiled.network, counts, [_AS_IT_IS, *_slower(scenario, compiled, defects)], locked)
    return found | overloaded(scenario, compiled, judged)


def _by_luck(
    network: Network, replicas: Sequence[int], slower: Iterable[Slower], locked: Collection[int]
) -> frozenset[int]:
    limits_s = patience_s(network)
    found = {place for place, station in enumerate(network.stations) if _differ(station)}
    for call in network.calls:
        if call.cancel and (below := stations_below(network, call.callee)):
            found |= {call.callee, *below}
    for slow in slower:
        times = _Times(network, slow)
        for place, station in enumerate(network.stations):
            just_in_time = _answers_just_in_time(station, *times.of(place), limits_s[place])
            if just_in_time or _is_left(times, place, replicas[place]):
                found.add(place)
        found |= _held_up(times, replicas)
    return frozenset(found - {*locked})


def stations_below(network: Network, place: int) -> set[int]:
    """Stations that a station calls, directly or not."""
    found, found_before = {call.callee for call in network.calls if call.caller == place}, set[int]()
    while found != found_before:
        found_before = found
        found = found | {call.callee for call in network.calls if call.caller in found}
    return found


def _differ(station: Station) -> bool:
    """Whether a replica may be out, or stuck, by its own luck."""
    alike = station.service.variation <= _VARIATION_MAX[station.balancing] or sum(station.replicas) == 1
    return station.ejection is not None or not alike


def _answers_just_in_time(station: Station, hold_s: float, variance: float, limit_s: float) -> bool:
    """Whether it is luck that who is last in its queue has an answer before callers have lost their patience.

    Whoever leaves a full queue sooner than as a rule lets others be answered in time, who do not come again then.
    """
    if station.queue <= 0:
        return False
    deviation_s = math.sqrt(station.queue * variance) / station.workers
    return abs(station.queue * hold_s / station.workers + hold_s - limit_s) < CLEARLY * deviation_s


def _is_left(times: _Times, place: int, replicas: int) -> bool:
    """Whether callers may cancel so much at a station that luck decides who is served."""
    network, (hold_s, _) = times.network, times.of(place)
    cancelled = any(call.callee == place and call.cancel for call in network.calls)
    workers = network.stations[place].workers * replicas
    return cancelled and offered_per_s(network, place) * hold_s >= _NEAR_MIN * workers


class _Times:
    """How long workers are held, when nobody waits for a place, and something makes services slower."""

    def __init__(self, network: Network, slower: Slower) -> None:
        self.network = network
        self._slower = slower
        self._nodes: list[list[Node]] = [[] for _ in network.stations]
        for function in network.functions:
            for node in function.root.walk():
                self._nodes[network.calls[node.call].callee].append(node)

    def of(self, station: int) -> tuple[float, float]:
        """Of the longest course of a station: the mean, s, and the variance, s²."""
        return max((self.of_node(node) for node in self._nodes[station]), default=(0.0, 0.0))

    def of_node(self, node: Node) -> tuple[float, float]:
        """Of one course: the mean, s, and the variance, s²."""
        place = self.network.calls[node.call].callee
        station = self.network.stations[place]
        own_s = station.service.mean_s * self._slower.factor.get(place, 1.0)
        mean_s, variance = own_s + self._slower.add_s.get(place, 0.0), (own_s * station.service.variation) ** 2
        if station.holds_worker:
            for child in node.children:
                child_s, child_variance = self.of_node(child)
                mean_s += child_s + self._slower.call_s.get(child.call, 0.0)
                variance += child_variance
        return mean_s, variance


def _held_up(times: _Times, replicas: Sequence[int]) -> set[int]:
    """Stations from callers whose workers may all be held down to the services near their capacity that hold them."""
    network, found = times.network, set[int]()
    offered = [offered_per_s(network, place) for place in range(len(network.stations))]

    def longest_s(node: Node) -> tuple[float, frozenset[int]]:
        """How long a call may take, and the stations below whose luck that is."""
        call = network.calls[node.call]
        station, place = network.stations[call.callee], call.callee
        mean_s, _ = times.of_node(node)
        waits, lasts_s = frozenset[int](), mean_s
        for child in node.children:
            child_s, below = longest_s(child)
            if below:
                waits |= below
                lasts_s += child_s - times.of_node(child)[0]
        held_up = waits and station.holds_worker
        if held_up and offered[place] * lasts_s >= _HELD * station.workers * replicas[place]:
            found.update(waits, {place})
        near = _NEAR_MIN <= offered[place] * mean_s / (station.workers * replicas[place]) <= _NEAR_MAX
        if near or place in found:
            full_s = station.queue * lasts_s / station.workers if station.queue >= 0 else math.inf
            lasts_s += min(full_s, station.shed_s)
            waits |= {place}
        elif waits:
            waits |= {place}
        return min(lasts_s, _life_s(network, node)), waits

    for function in network.functions:
        longest_s(function.root)
    return found


def _life_s(network: Network, node: Node) -> float:
    """How long a call lasts at the most, with all its attempts."""
    call = network.calls[node.call]
    return (call.retries + 1) * call.timeout_s + call.backoff_s * (2.0**call.retries - 1.0)


def _slower(scenario: Scenario, compiled: Compiled, defects: Iterable[Defect]) -> Iterator[Slower]:
    """What makes services slower: each defect, and each latency on a link."""
    for defect in defects:
        if (defect.latency.factor, defect.latency.add_s) != (1.0, 0.0):
            place = compiled.station(defect.of or scenario.release.changes[0].service)
            yield Slower(factor={place: defect.latency.factor}, add_s={place: defect.latency.add_s})
    for fault in scenario.faults:
        if isinstance(fault.effect, Latency):
            link = compiled.links.get((fault.effect.on.caller, fault.effect.on.callee))
            if link is not None:
                yield Slower(call_s={link: fault.effect.add_s + 0.5 * fault.effect.jitter_s})


def patience_s(network: Network) -> list[float]:
    """Of each station, the shortest time limit of those who wait for its answers: its callers, and theirs."""
    found = [math.inf] * len(network.stations)

    def descend(node: Node, limit_s: float) -> None:
        callee = network.calls[node.call].callee
        found[callee] = min(found[callee], limit_s)
        for child in node.children:
            descend(child, min(limit_s, network.calls[child.call].timeout_s))

    for function in network.functions:
        descend(function.root, function.timeout_s)
    return found


def locked_stores(scenario: Scenario) -> Iterator[tuple[str, str, float]]:
    """What holds up all statements of a store: its path, the store, and for how many seconds."""
    for place, fault in enumerate(scenario.faults):
        if fault.standby is not None and scenario.system.stores[fault.standby.of].replication == "sync":
            yield f"faults[{place}].standby", fault.standby.of, fault.for_s
    migration = scenario.release.migration
    if migration is not None and migration.lock_s > 0.0:
        yield "release.migration.lock", migration.store, migration.lock_s


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
