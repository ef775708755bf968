"""From a `Network` to the arrays of the fluid plane at time zero: nothing ready, no traffic yet."""

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from simulator.draws import stream_keys
from simulator.fluid.bounded import levels
from simulator.fluid.lattice import pool
from simulator.fluid.layout import DUE, LEFT, PAST, RECORDS, RING, SCRATCH, SLOTS, STAGES, State
from simulator.fluid.luck import patience_s
from simulator.fluid.walk import LEVELS, STEPS
from simulator.kernel.build import cohort_shares, rate_segments, roots, service_rows
from simulator.kernel.mechanics import BUDGET_MEMORY_S
from simulator.layout import BUCKETS, FIRST_BIN
from simulator.network import CLIENT, Balancing, Network, Node

_PLACES = 4096
"""Places of a queue without a bound whose replicas are compared by it: longer ones count as equally long."""
_RETRIES = 1 << 17
"""Retries, and what else is to come, at once. No more are made."""
_JOBS = 1 << 14
"""Requests that may be inside callers that are linked. Who comes then has no answer."""

Links = Collection[tuple[int, int]]
"""Stations of callers and callees."""


def build(
    network: Network,
    seed: int,
    replication: int,
    detailed: Collection[int],
    parts: int,
    apart: Links,
    singly: Collection[int],
) -> State:
    """All arrays, sized for `network`; `detailed` stations count latencies by bin, writes are told in `parts`.

    Calls between two stations in `apart` have a node for each version of the caller. Stations in `singly` are played
    request by request.
    """
    clock = np.zeros(1, RECORDS["clock"])
    clock["resolution"], clock["drawn_cell"], clock["stale"] = network.resolution_s, -1, 2
    clock["parts"], clock["free_job"] = parts, 0
    nodes = _nodes(network, apart)
    stations, versions = _stations(network, singly)
    stations["linked"] = [
        place in singly and any(call.caller == place and call.callee in singly for call in network.calls)
        for place in range(len(stations))
    ]
    stations["patience_s"] = patience_s(network)
    stations["detailed"] = [station in detailed for station in range(len(stations))]
    replicas = np.zeros(int(versions["replicas"].sum()), RECORDS["replicas"])
    replicas["limit"] = math.inf
    replicas["version"] = np.repeat(np.arange(len(versions)), versions["replicas"])
    free, line, heard = _benches(network, singly, versions, replicas)
    functions = np.zeros(len(network.functions), RECORDS["functions"])
    functions["root"], functions["rate"] = roots(nodes), -1.0
    until, rate = rate_segments(network)
    cohorts, width = network.cohorts, FIRST_BIN + len(network.edges_s) + 1
    most = max(len(station.replicas) for station in network.stations)
    log_rows = (3 * parts + 13) * len(nodes) * cohorts * most + 1024
    effects = np.zeros((len(versions), cohorts), RECORDS["effects"])
    effects["factor"] = 1.0
    calls = np.zeros(len(network.calls), RECORDS["calls"])
    for row, call in zip(calls, network.calls, strict=True):
        row["retries"], row["backoff_s"], row["jitter"] = call.retries, call.backoff_s, call.jitter
        row["cancel"], row["allow"] = call.cancel, 1.0
        if call.budget is not None:
            row["budget"], row["budget_share"] = 1, call.budget.share
            row["budget_per_s"], row["tokens"] = call.budget.minimum_per_s, call.budget.minimum_per_s * BUDGET_MEMORY_S
        if call.breaker is not None:
            row["breaker"], row["trip_share"], row["trip_minimum"] = 1, call.breaker.errors, call.breaker.minimum
            row["slot_s"], row["open_s"] = call.breaker.window_s / (BUCKETS * SLOTS), call.breaker.open_s
            row["probes"] = call.breaker.probes
    edges = np.ascontiguousarray(network.edges_s, np.float64)
    return State(
        clock=clock,
        keys=stream_keys(seed, replication),
        luck=np.zeros(1),
        failed=np.zeros(4, np.int64),
        begun=np.zeros(len(nodes), np.int64),
        copied=np.zeros(len(nodes), np.int64),
        doomed=np.zeros(len(nodes), np.int64),
        draw=np.zeros(1, np.uint64),
        stations=stations,
        versions=versions,
        replicas=replicas,
        free=free,
        line=line,
        heard=heard,
        retries=_retries(network, singly),
        jobs=_jobs(stations),
        due=np.zeros((len(versions), LEFT, DUE)),
        past=np.zeros((len(nodes), cohorts, 1 + most, PAST)),
        weights=_weights(stations, len(versions), cohorts),
        effects=effects,
        contracts=np.zeros((len(versions), len(versions))),
        calls=calls,
        nodes=nodes,
        functions=functions,
        rate_until=until,
        rate=rate,
        shares=cohort_shares(network),
        alike=np.zeros((len(nodes), cohorts), np.int64),
        replies=np.zeros((len(nodes), cohorts), RECORDS["replies"]),
        flows=np.zeros((len(nodes), cohorts), RECORDS["flows"]),
        writers=np.zeros((len(nodes), cohorts, most)),
        held=np.zeros((len(nodes), cohorts, most), RECORDS["held"]),
        answers=np.zeros((len(nodes), cohorts, most, width)),
        seen=np.zeros((len(functions), cohorts, width)),
        answers_order=np.full((len(nodes), cohorts, most, width), -1, np.int16),
        seen_order=np.full((len(functions), cohorts, width), -1, np.int16),
        arrivals=np.zeros((len(functions), cohorts), np.int64),
        written=np.zeros((len(nodes), cohorts, most, 4), np.int64),
        pool=pool(len(versions) * (cohorts + 1) + 2 * len(nodes) * cohorts + SCRATCH),
        edges=edges,
        middles=np.concatenate(([0.5 * edges[0]], np.sqrt(edges[:-1] * edges[1:]), [1.1 * edges[-1]])),
        client=np.zeros((network.cells, len(functions) * cohorts, width), np.int32),
        service=np.zeros((network.cells, len(service_rows(network).station), width), np.int32),
        outcomes=np.zeros((len(calls), RING, 2), np.int64),
        levels=levels(),
        more=np.zeros((len(versions), LEVELS)),
        met=np.zeros((len(versions), STEPS + 1)),
        stages=np.zeros(len(STAGES), np.int64),
        log=np.zeros(log_rows, RECORDS["log"]),
        log_count=np.zeros(log_rows, np.int64),
    )


def _stations(network: Network, singly: Collection[int]) -> tuple[NDArray[np.void], NDArray[np.void]]:
    stations = np.zeros(len(network.stations), RECORDS["stations"])
    versions = np.zeros(sum(len(station.replicas) for station in network.stations), RECORDS["versions"])
    counts = [count for station in network.stations for count in station.replicas]
    versions["next_s"] = math.inf
    versions["replicas"], versions["first_replica"] = counts, np.concatenate(([0], np.cumsum(counts)[:-1]))
    first = 0
    for index, (row, station) in enumerate(zip(stations, network.stations, strict=True)):
        row["workers"], row["queue"] = station.workers, station.queue
        row["kind"], row["p0"], row["p1"] = station.service.kind, station.service.p0, station.service.p1
        row["shed_s"] = station.shed_s
        if station.quota is not None:
            row["quota_per_s"], row["quota_burst"] = station.quota.rate_per_s, station.quota.burst
            row["tokens"] = station.quota.burst
        row["pooled"] = station.balancing is Balancing.LEAST_REQUEST
        row["of_two"] = station.balancing is Balancing.RANDOM_OF_TWO
        row["singly"] = index in singly
        if station.ejection is not None:
            row["eject_after"], row["eject_s"] = station.ejection.consecutive, station.ejection.for_s
            row["eject_most"] = station.ejection.most
        row["holds_worker"], row["versions"], row["first_version"] = (
            station.holds_worker, len(station.replicas), first,
        )  # fmt: skip
        versions["station"][first : first + len(station.replicas)] = index
        versions["home"][first : first + len(station.replicas)] = first + np.array(
            station.shares or range(len(station.replicas))
        )
        first += len(station.replicas)
    return stations, versions


def _benches(
    network: Network, singly: Collection[int], versions: NDArray[np.void], replicas: NDArray[np.void]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Workers, waiting places and outcomes to be heard of, for the replicas of stations that are played singly."""
    chosen = np.flatnonzero(np.isin(versions["station"][replicas["version"]], list(singly)))
    replicas["bench"][chosen] = np.arange(len(chosen))
    played = [network.stations[place] for place in singly]
    workers = max((station.workers for station in played), default=0)
    places = max((station.queue if station.queue >= 0 else _PLACES for station in played), default=0)
    to_hear = _PLACES if any(station.ejection is not None for station in played) else 0
    return (
        np.zeros((len(chosen), workers)),
        np.zeros((len(chosen), max(1, places), 2)),
        np.zeros((len(chosen), to_hear, 2)),
    )


def _retries(network: Network, singly: Collection[int]) -> NDArray[np.void]:
    """Places for what is to come, where calls to stations that are played singly are tried again, or made by them."""
    tried_again = any(call.callee in singly and (call.retries > 0 or call.caller in singly) for call in network.calls)
    return np.zeros(_RETRIES if tried_again else 0, RECORDS["retries"])


def _jobs(stations: NDArray[np.void]) -> NDArray[np.void]:
    """Places for requests inside callers that are linked, each leading to the next."""
    jobs = np.zeros(_JOBS if stations["linked"].any() else 1, RECORDS["jobs"])
    jobs["behind"] = np.arange(1, len(jobs) + 1)
    jobs["behind"][-1] = jobs["replica"] = -1
    return jobs


def _weights(stations: NDArray[np.void], versions: int, cohorts: int) -> NDArray[np.float64]:
    """Each station's first version takes everything."""
    weights = np.zeros((versions, cohorts))
    weights[stations["first_version"]] = 1.0
    return weights


def _nodes(network: Network, apart: Links) -> NDArray[np.void]:
    """All functions' call trees in preorder."""
    rows = service_rows(network)
    placed: list[NDArray[np.void]] = []
    number = 0

    def place(function: int, node: Node, parent: int, made_by: int, first: int) -> int:
        """Put a node and those below into `placed`, numbered from `first` on; returns its place."""
        here, call = len(placed), network.calls[node.call]
        record = np.zeros(1, RECORDS["nodes"])[0]
        placed.append(record)
        record["station"], record["call"], record["function"] = call.callee, node.call, function
        record["row"] = np.flatnonzero((rows.station == call.callee) & (rows.function == function))[0]
        record["parent"], record["writes"], record["number"], record["made_by"] = parent, call.writes, first, made_by
        outside = call.caller == CLIENT
        record["timeout_s"] = network.functions[function].timeout_s if outside else call.timeout_s
        record["child"] = record["sibling"] = previous = -1
        first += 1
        for child in node.children:
            below = network.calls[child.call]
            versions = len(network.stations[call.callee].replicas)
            for version in range(versions) if (call.callee, below.callee) in apart else (-1,):
                at = place(function, child, here, version, first)
                placed[at]["parallel"] = below.parallel and child is not node.children[0]
                if previous < 0:
                    record["child"] = at
                else:
                    placed[previous]["sibling"] = at
                previous = at
            first += sum(1 for _ in child.walk())
        return here

    for index, function in enumerate(network.functions):
        place(index, function.root, -1, -1, number)
        number += sum(1 for _ in function.root.walk())
    return np.array(placed, RECORDS["nodes"])
