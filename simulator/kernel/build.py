"""From a `Network` to the arrays of a `State`, at time zero: nothing ready, no traffic yet, no defect, no fault."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.draws import stream_keys
from simulator.kernel import mechanics
from simulator.layout import BUCKETS, FIRST_BIN, FREE, RECORDS, State
from simulator.network import CLIENT, Network, Node

PARTS_BITS = 6
"""Each octave of latency has 2**6 parts in `bin_start`."""
PARTS_SHIFT = 52 - PARTS_BITS


@dataclass(frozen=True)
class Rows:
    """What each service row counts: four index arrays of shape (service rows,)."""

    station: NDArray[np.int64]
    version: NDArray[np.int64]
    function: NDArray[np.int64]
    cohort: NDArray[np.int64]


def build(network: Network, seed: int, replication: int, slots: int, log_rows: int) -> State:
    """All arrays, sized for `network`; `slots` jobs at once and `log_rows` writes between two drains at first."""
    clock = np.zeros(1, RECORDS["clock"])
    clock["seq"] = clock["serial"] = 1
    stations, versions, replicas, upto = _stations(network)
    nodes, rings = _nodes(network)
    functions = np.zeros(len(network.functions), RECORDS["functions"])
    functions["root"] = roots(nodes)
    until, rate = rate_segments(network)
    cohorts, width = network.cohorts, FIRST_BIN + len(network.edges_s) + 1
    calls = _calls(network)
    clock["slots_min"] = 3 * mechanics.mark_grouped(calls, nodes)  # branch, call, and copy for a mirror
    scale = np.array([1.0 / network.resolution_s, 0.0])
    jobs = np.zeros(0, RECORDS["jobs"])
    effects = np.zeros((len(versions), cohorts), RECORDS["effects"])
    effects["factor"] = 1.0
    state = State(
        clock=clock,
        heap=np.zeros(0, RECORDS["heap"]),
        jobs=jobs,
        rings=rings,
        timers=np.zeros((max(1, len(rings)), 64), RECORDS["timers"]),
        functions=functions,
        rate_until=until,
        rate=rate,
        cohort_upto=np.cumsum(cohort_shares(network), axis=1),
        stations=stations,
        versions=versions,
        upto=upto,
        effects=effects,
        contracts=np.zeros((len(versions), len(versions))),
        ready=np.zeros(len(replicas), np.int64),
        replicas=replicas,
        nodes=nodes,
        calls=calls,
        links=mechanics.links(network),
        outcomes=np.zeros((len(network.calls), BUCKETS, 2), np.int64),
        keys=stream_keys(seed, replication),
        client=np.zeros((network.cells, len(functions) * cohorts, width), np.int32),
        service=np.zeros((network.cells, len(service_rows(network).station), width), np.int32),
        edges=np.ascontiguousarray(network.edges_s, np.float64),
        bin_start=_bin_start(network.edges_s),
        scale=scale,
        scratch=scale.view(np.int64),
        log=np.zeros(log_rows, RECORDS["log"]),
    )
    return with_slots(state, slots)


def with_slots(state: State, slots: int) -> State:
    """The same state with room for `slots` jobs (more than now) and their events."""
    old = len(state.jobs)
    jobs = np.zeros(slots, RECORDS["jobs"])
    jobs[:old] = state.jobs
    jobs["next"][old:] = np.arange(old + 1, slots + 1)
    clock = state.clock[0]
    jobs["next"][-1] = clock["free_head"] if clock["free_n"] else -1
    clock["free_head"] = old
    clock["free_n"] += slots - old
    return with_heap(state._replace(jobs=jobs), 2 * slots + len(state.rings) + 64)


def with_heap(state: State, capacity: int) -> State:
    """The same state with room for `capacity` pending events."""
    if capacity <= len(state.heap):
        return state
    heap = np.zeros(capacity, RECORDS["heap"])
    heap["t"] = math.inf
    heap[: len(state.heap)] = state.heap
    return state._replace(heap=heap)


def add_event(state: State, t: float, seq: int, what: int) -> None:
    """Put one event into the heap, which must have room (`heap.push` is the kernel's own way)."""
    clock, heap = state.clock[0], state.heap
    hole = int(clock["heap_n"])
    clock["heap_n"] = hole + 1
    while hole > 0:
        above = (hole - 1) // 4
        if (heap[above]["t"], heap[above]["seq"]) < (t, seq):
            break
        heap[hole] = heap[above]
        hole = above
    heap[hole] = (t, seq, what)


def free_slot(state: State, slot: int) -> None:
    """Give a job's slot back."""
    clock, job = state.clock[0], state.jobs[slot]
    job["state"], job["event_seq"], job["next"] = FREE, 0, clock["free_head"]
    clock["free_head"] = slot
    clock["free_n"] += 1


def with_timers(state: State) -> State:
    """The same state with rings of twice the capacity, each starting at index 0."""
    rings, old = state.rings, state.timers
    timers = np.zeros((old.shape[0], 2 * old.shape[1]), RECORDS["timers"])
    for index, ring in enumerate(rings):
        timers[index, : ring["n"]] = np.roll(old[index], -ring["head"])[: ring["n"]]
        ring["head"] = 0
    state.clock[0]["ring_full"] = 0
    return state._replace(timers=timers)


def service_rows(network: Network) -> Rows:
    """The service rows in order: station and function as first used, then version, then cohort."""
    rows = [
        (station, version, function, cohort)
        for station, function in _pairs(network)
        for version in range(len(network.stations[station].replicas))
        for cohort in range(network.cohorts)
    ]
    return Rows(*np.array(rows, np.int64).reshape(-1, 4).T.copy())


def _pairs(network: Network) -> list[tuple[int, int]]:
    return list(
        dict.fromkeys(
            (network.calls[node.call].callee, index)
            for index, function in enumerate(network.functions)
            for node in function.root.walk()
        )
    )


def _stations(
    network: Network,
) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void], NDArray[np.float64]]:
    stations = np.zeros(len(network.stations), RECORDS["stations"])
    counts = [count for station in network.stations for count in station.replicas]
    versions = np.zeros(len(counts), RECORDS["versions"])
    versions["first_replica"] = np.concatenate(([0], np.cumsum(counts)[:-1]))
    replicas = np.zeros(sum(counts), RECORDS["replicas"])
    replicas["first"] = replicas["last"] = -1
    first = 0
    for row, station in zip(stations, network.stations, strict=True):
        row["workers"], row["queue"] = station.workers, station.queue
        row["kind"], row["p0"], row["p1"] = station.service.kind, station.service.p0, station.service.p1
        row["holds_worker"], row["versions"] = station.holds_worker, len(station.replicas)
        row["first_version"] = row["only_version"] = first
        mechanics.equip(row, station)
        versions["version"][first : first + len(station.replicas)] = range(len(station.replicas))
        fleets = station.shares or range(len(station.replicas))
        versions["fleet"][first : first + len(station.replicas)] = first + np.array(fleets)
        first += len(station.replicas)
    return stations, versions, replicas, np.full((len(versions), network.cohorts), math.inf)


def _nodes(network: Network) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """All functions' call trees in preorder, and one timer ring for each timeout that is not infinite."""
    total = sum(1 for function in network.functions for _ in function.root.walk())
    nodes = np.zeros(total, RECORDS["nodes"])
    nodes["child"] = nodes["sibling"] = nodes["ring"] = nodes["after"] = -1
    nodes["width"] = 1
    first_row, row = {}, 0
    for station, index in _pairs(network):
        first_row[station, index] = row
        row += len(network.stations[station].replicas) * network.cohorts
    timeouts: dict[tuple[str, int], float] = {}

    def place(function: int, node: Node, position: int) -> int:
        record, call = nodes[position], network.calls[node.call]
        record["station"], record["call"], record["function"] = call.callee, node.call, function
        record["row"], record["writes"] = first_row[call.callee, function], call.writes
        if call.caller == CLIENT:
            name, timeout_s = ("function", function), network.functions[function].timeout_s
        else:
            name, timeout_s = ("call", node.call), call.timeout_s
        if timeout_s < math.inf:
            timeouts[name] = timeout_s
            record["ring"] = list(timeouts).index(name)
        following = position + 1
        places: list[int] = []
        for child in node.children:
            nodes[places[-1] if places else position]["sibling" if places else "child"] = following
            places.append(following)
            following = place(function, child, following)
        starts = [i for i, child in enumerate(node.children) if i == 0 or not network.calls[child.call].parallel]
        for begin, end in pairwise([*starts, len(places)]):
            if end - begin > 1:
                mechanics.group(nodes, places[begin:end], places[end] if end < len(places) else -1)
        return following

    position = 0
    for index, function in enumerate(network.functions):
        position = place(index, function.root, position)
    rings = np.zeros(len(timeouts), RECORDS["rings"])
    rings["timeout_s"] = list(timeouts.values())
    return nodes, rings


def roots(nodes: NDArray[np.void]) -> NDArray[np.int64]:
    """The first node of each function."""
    return np.unique(nodes["function"], return_index=True)[1]


def rate_segments(network: Network) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Until when each rate of each function holds, and the rate: [functions, segments]."""
    segments = max(len(function.rates) for function in network.functions)
    until = np.full((len(network.functions), segments), math.inf)
    rate = np.zeros((len(network.functions), segments))
    for index, function in enumerate(network.functions):
        until[index, : len(function.rates) - 1] = [start for start, _ in function.rates[1:]]
        rate[index, : len(function.rates)] = [value for _, value in function.rates]
    return until, rate


def cohort_shares(network: Network) -> NDArray[np.float64]:
    """Of each function's requests: [functions, cohorts]. Without shares all are of the first cohort."""
    everything = (1.0,) + (0.0,) * (network.cohorts - 1)
    return np.array([function.cohort_shares or everything for function in network.functions])


def _calls(network: Network) -> NDArray[np.void]:
    calls = np.zeros(len(network.calls), RECORDS["calls"])
    for row, call in zip(calls, network.calls, strict=True):
        row["retries"], row["backoff_s"], row["jitter"] = call.retries, call.backoff_s, call.jitter
        row["features"] = mechanics.call_features(call)
    return calls


def _bin_start(edges_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first bin that a latency in each 64th of an octave can fall into, by the top bits of its double.

    Entry 0 stands for everything up to the first edge's part too; the kernel searches upward from the start.
    """
    low, high = np.array([edges_s[0], edges_s[-1]]).view(np.int64) >> PARTS_SHIFT
    lower_bounds = (np.arange(low, high + 2) << PARTS_SHIFT).view(np.float64)
    start = np.searchsorted(edges_s, lower_bounds, side="left").astype(np.int64)
    return np.concatenate(([low], start))
