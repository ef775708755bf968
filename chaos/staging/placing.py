"""Where replicas stand: each has a place, a number among its version's, and place n is in zone n modulo their number.

As the simulator has it (simulator.tended_fleet): new replicas take the lowest free places in zones that are open, and
of too many, those in zones that are to be left go first, then the highest places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import count, islice

from chaos.staging.state import Replica, State

__all__ = ["by_zone", "free_places", "going", "open_zones", "zone_of"]


def zone_of(zones: Sequence[str], place: int) -> str:
    """The zone of a place; empty where there are none."""
    return zones[place % len(zones)] if zones else ""


def open_zones(state: State, service: str, version: str) -> frozenset[str]:
    """Those in which the version's replicas may stand now: as the last deploy had it, without those that are out.

    Of a service without zones, the empty one.
    """
    zones = state.config.services[service].zones
    if not zones:
        return frozenset([""])
    wanted = state.placed.get(service, {}).get(version) or zones
    return frozenset(wanted) - frozenset(state.zones_out)


def free_places(taken: Collection[int], number: int, zones: Sequence[str], allowed: Collection[str]) -> list[int]:
    """The lowest places in allowed zones that nobody has; none while no zone is allowed."""
    if not allowed:
        return []
    free = (place for place in count() if place not in taken and zone_of(zones, place) in allowed)
    return list(islice(free, number))


def going(live: Sequence[Replica], number: int, zones: Sequence[str], allowed: Collection[str]) -> list[Replica]:
    """So many of them, in the order in which they have to go."""
    order = sorted(live, key=lambda replica: (zone_of(zones, replica.place) in allowed, -replica.place, -replica.index))
    return order[:number]


def by_zone(replicas: Sequence[Replica], zones: Sequence[str]) -> dict[str, int]:
    """How many stand in each zone, in the zones' order; those with none are left out."""
    counts = Counter(zone_of(zones, replica.place) for replica in replicas)
    return {zone: counts[zone] for zone in zones if counts[zone]}
