"""What stations and calls have beyond plain ones, as the kernel's records at time zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.layout import (
    BALANCED,
    BREAKER,
    BUCKETS,
    BUDGET,
    CANCEL,
    EJECTING,
    GROUPED,
    LEAN_CALL,
    LEAN_STATION,
    QUOTA,
    RECORDS,
    SHARING,
    SHEDDING,
    State,
)
from simulator.network import Balancing, Call, Network, Station

BUDGET_MEMORY_S = 10.0
"""How long a retry budget remembers (Finagle's default time to live)."""


def equip(row: Any, station: Station) -> None:
    """Fill in a station's mechanics, and the bits that say that it has them."""
    row["shed_s"], row["balancing"] = station.shed_s, station.balancing
    bits = BALANCED if station.balancing is not Balancing.ROUND_ROBIN else 0
    if station.shares:
        bits |= SHARING
    if station.shed_s < np.inf:
        bits |= SHEDDING
    if station.quota is not None:
        bits |= QUOTA
        row["quota_per_s"], row["quota_burst"] = station.quota.rate_per_s, station.quota.burst
        row["tokens"] = station.quota.burst
    if station.ejection is not None:
        bits |= EJECTING
        row["eject_after"], row["eject_s"] = station.ejection.consecutive, station.ejection.for_s
        row["eject_most"] = station.ejection.most
    row["features"] = bits


def call_features(call: Call) -> int:
    """The bits of what a call has by itself."""
    breaker, budget = BREAKER if call.breaker else 0, BUDGET if call.budget else 0
    return breaker | budget | (CANCEL if call.cancel else 0)


def group(nodes: NDArray[np.void], members: list[int], after: int) -> None:
    """Nodes of calls that start together, more than one; `after` is the node that follows them, -1 when none does."""
    nodes["width"][members[0]] = len(members)
    nodes["after"][members] = after


def mark_grouped(calls: NDArray[np.void], nodes: NDArray[np.void]) -> int:
    """Give the calls of groups their bit; returns how many calls start together at most."""
    for index in np.flatnonzero(nodes["width"] > 1):
        member = int(index)
        for _ in range(nodes["width"][index]):
            calls["features"][nodes["call"][member]] |= GROUPED
            member = int(nodes["sibling"][member])
    return int(nodes["width"].max())


def used(state: State) -> bool:
    """Whether any station or call has something that the lean kernel does not know."""
    stations, calls = state.stations["features"], state.calls["features"]
    return bool(np.any(stations & ~LEAN_STATION) or np.any(calls & ~LEAN_CALL))


def links(network: Network) -> NDArray[np.void]:
    """Budgets as minima alone would have filled them, breakers closed."""
    rows = np.zeros(len(network.calls), RECORDS["links"])
    for row, call in zip(rows, network.calls, strict=True):
        if call.budget is not None:
            row["budget_share"], row["budget_per_s"] = call.budget.share, call.budget.minimum_per_s
            row["tokens"] = call.budget.minimum_per_s * BUDGET_MEMORY_S
        if call.breaker is not None:
            row["trip_share"], row["trip_minimum"] = call.breaker.errors, call.breaker.minimum
            row["bucket_s"], row["open_s"] = call.breaker.window_s / BUCKETS, call.breaker.open_s
            row["probes"] = call.breaker.probes
    return rows
