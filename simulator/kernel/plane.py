"""The data plane as the control plane sees it: advance time, change control inputs in between, read the tables."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import draws, layout
from simulator.errors import NetworkError
from simulator.kernel import arrivals, build, loop, mechanics
from simulator.kernel.loop import ExitReason
from simulator.kernel.watch import Looks
from simulator.network import Network

NEVER = 2**62
_LOG_ROWS_MAX = 1 << 17
"""Writes between two drains, 7 MB: the kernel comes back some ten times in an hour at 500 writes/s."""


@dataclass(frozen=True)
class Defect:
    """What is wrong with a version.

    `error_ratio` of its jobs answer an error after their own work, which takes `latency_factor` times as long plus
    `latency_add_s`; `lost_write_ratio` of its writes are acknowledged but not stored. On one `cohort`, or on all (-1).
    """

    error_ratio: float = 0.0
    latency_factor: float = 1.0
    latency_add_s: float = 0.0
    lost_write_ratio: float = 0.0
    cohort: int = -1
    held_s: float = 0.0

    def __post_init__(self) -> None:
        """Raise NetworkError for a ratio, factor or time out of range."""
        for name in ("error_ratio", "lost_write_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise NetworkError(f"{name}(={getattr(self, name)}) must be in 0..1.")
        for name in ("latency_factor", "latency_add_s", "held_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise NetworkError(f"{name}(={getattr(self, name)}) must be finite and >= 0.")


@dataclass(frozen=True)
class Recording:
    """The tables at the end (`layout` explains rows and columns).

    client: int32 [cells, functions, cohorts, columns]; service: int32 [cells, service rows, columns];
    unfinished: int64 [cells, functions, cohorts], requests without an answer; writes: layout.WRITE records in order,
    each standing for as many writes as `write_counts` says (None: for one).
    """

    client: NDArray[np.int32]
    unfinished: NDArray[np.int64]
    service: NDArray[np.int32]
    rows: build.Rows
    writes: NDArray[np.void]
    write_counts: NDArray[np.int64] | None = None


class DataPlane:
    """Owns one replication's state. Not ready at first: give every station ready replicas before time goes on."""

    def __init__(
        self, network: Network, seed: int, replication: int = 0, slots: int = 256, log_rows: int = 1024
    ) -> None:
        self.network = network
        self.rows = build.service_rows(network)
        self._state = build.build(network, seed, replication, slots, log_rows)
        self._use_kernel(full=mechanics.used(self._state))
        self._writes: list[NDArray[np.void]] = []
        self._looks: Looks | None = None

    @property
    def state(self) -> layout.State:
        """The arrays themselves, to read; they are replaced when they grow."""
        return self._state

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return float(self._state.clock[0]["now"])

    @property
    def lean(self) -> bool:
        """Whether the lean kernel plays, the one without mechanics."""
        return not self._full

    def _use_kernel(self, *, full: bool) -> None:
        self._full, self._run = full, loop.kernel(mechanics=full)

    def run(self, until_s: float, event_budget: int = NEVER) -> ExitReason:
        """Advance to just before the events of `until_s`, or by `event_budget` events.

        Returns UNTIL or BUDGET. Raises NetworkError when `until_s` lies in the past or beyond the horizon, and Reached
        where it is watched and comes to have the jobs at which that ends.
        """
        if not self.now_s <= until_s <= self.network.horizon_s * (1 + 1e-12):
            raise NetworkError(f"until_s(={until_s}) must be between now ({self.now_s}) and {self.network.horizon_s}.")
        while True:
            if self._looks is None:
                reason, event_budget = self._run(self._state, until_s, event_budget)
            else:
                reason = self._looks.run(self._state, until_s, full=self._full)
            if reason in (ExitReason.UNTIL, ExitReason.BUDGET):
                return ExitReason(reason)
            self._make_room(ExitReason(reason))

    def _make_room(self, reason: ExitReason) -> None:
        state = self._state
        if reason is ExitReason.LOG_FULL:
            self._writes.append(state.log[: state.clock[0]["log_n"]])
            state.clock[0]["log_n"] = 0
            self._state = state._replace(log=np.empty(min(2 * len(state.log), _LOG_ROWS_MAX), state.log.dtype))
        elif reason is ExitReason.SLOTS_FULL:
            self._state = build.with_slots(state, 2 * len(state.jobs))
        elif reason is ExitReason.RING_FULL:
            self._state = build.with_timers(state)
        else:
            self._state = build.with_heap(state, 2 * len(state.heap))

    def _drain(self) -> None:
        """What was logged so far, apart from the log, which is mostly empty still."""
        clock = self._state.clock[0]
        self._writes.append(self._state.log[: clock["log_n"]].copy())
        clock["log_n"] = 0

    # Control inputs: in force from now on.

    def set_ready(self, station: int, version: int, replicas: Iterable[int]) -> None:
        """Let exactly these replicas (numbers within the version) take new jobs; others finish what they have."""
        row = self._version_row(station, version)
        chosen = sorted(set(replicas))
        limit = self.network.stations[station].replicas[version]
        if chosen and not 0 <= chosen[0] <= chosen[-1] < limit:
            raise NetworkError(f"replicas(={chosen}) must be numbers below {limit}.")
        record = self._state.versions[row]
        first = record["first_replica"]
        self._state.ready[first : first + len(chosen)] = first + np.array(chosen, np.int64)
        record["ready_n"] = len(chosen)

    def set_weights(self, station: int, weights: Sequence[float], cohort: int | None = None) -> None:
        """Share new jobs (of one cohort, or of all) among the versions: one weight each, >= 0, sum 1."""
        record = self._state.stations[station]
        if len(weights) != record["versions"] or min(weights) < 0 or not math.isclose(sum(weights), 1, abs_tol=1e-9):
            raise NetworkError(f"weights(={list(weights)}) must be {record['versions']} shares >= 0, sum 1.")
        first = int(record["first_version"])
        upto = np.cumsum(np.array(weights, np.float64))
        used = np.flatnonzero(np.array(weights) > 0)
        upto[used[-1] :] = math.inf  # rounding must not leave a gap at the top
        routed = self._state.upto[first : first + len(weights)]
        if cohort is None:
            routed[:] = upto[:, None]
        else:
            routed[:, self._cohort(cohort)] = upto
        # The one version that takes everything: of every cohort the first with a weight, and no other has any.
        takers = np.argmax(routed > 0, axis=0)
        alone = np.all(takers == takers[0]) and np.all(routed[takers[0]] == math.inf)
        record["only_version"] = first + takers[0] if alone else -1

    def set_contract(
        self, caller_station: int, caller_version: int, callee_station: int, callee_version: int, error_ratio: float
    ) -> None:
        """Have this share of the calls from one version to another fail: they do not understand each other.

        The callee answers an error at once, without work. 0 ends it.
        """
        if not 0 <= error_ratio <= 1:
            raise NetworkError(f"error_ratio(={error_ratio}) must be in 0..1.")
        caller = self._version_row(caller_station, caller_version)
        callee = self._version_row(callee_station, callee_version)
        self._state.contracts[caller, callee] = error_ratio
        first = int(self._state.stations[callee_station]["first_version"])
        shares = self._state.contracts[:, first : first + len(self.network.stations[callee_station].replicas)]
        self._set_feature(callee_station, layout.CONTRACT, bool(np.any(shares > 0)))

    def set_mirror(self, station: int, version: int, share: float) -> None:
        """Copy this share of the station's requests to `version`; 0 ends it. A station has one mirror at a time.

        Nobody waits for the copy's answer. It works, makes its calls (retries included) and is counted in the service
        rows; it never writes, is not copied again, and costs the request that it copies nothing but what it takes away
        from its replicas.
        """
        if not 0 <= share <= 1:
            raise NetworkError(f"share(={share}) must be in 0..1.")
        record = self._state.stations[station]
        record["mirror_row"], record["mirror_share"] = self._version_row(station, version), share
        self._set_feature(station, layout.MIRRORED, share > 0)
        self._use_kernel(full=True)  # also afterwards: copies may still be at work

    def set_rate_factor(self, function: int, factor: float) -> None:
        """Multiply the function's rates by `factor` from now on; 1 gives those of the network again.

        What is left of the gap to the next request is spent at the new rate.
        """
        if not 0 <= factor < math.inf:
            raise NetworkError(f"factor(={factor}) must be finite and >= 0.")
        arrivals.set_rates(self._state, function, self.network.functions[function].rates, factor)

    def _set_feature(self, station: int, feature: int, on: bool) -> None:
        record = self._state.stations[station]
        record["features"] = record["features"] | feature if on else record["features"] & ~feature

    def _cohort(self, cohort: int) -> int:
        if not 0 <= cohort < self.network.cohorts:
            raise NetworkError(f"cohort(={cohort}) must be below {self.network.cohorts}.")
        return cohort

    def set_defects(self, station: int, version: int, defects: Iterable[Defect]) -> None:
        """Make these the defects of a version, all active.

        Independent of each other: errors and losses combine as 1 - (1-a)(1-b), factors multiply, additions add up.
        """
        effects = self._state.effects[self._version_row(station, version)]
        effects["error"], effects["factor"], effects["add_s"], effects["lost"] = 0.0, 1.0, 0.0, 0.0
        for defect in defects:
            for cohort in range(len(effects)):
                if defect.cohort not in (-1, cohort):
                    continue
                effect = effects[cohort]
                effect["error"] = 1 - (1 - effect["error"]) * (1 - defect.error_ratio)
                effect["factor"] *= defect.latency_factor
                effect["add_s"] += defect.latency_add_s + defect.held_s
                effect["lost"] = 1 - (1 - effect["lost"]) * (1 - defect.lost_write_ratio)

    def set_latency(self, call: int, latency_s: float, jitter_s: float = 0.0) -> None:
        """Delay each answer over a call by `latency_s` and a uniform share of `jitter_s`; (0, 0) ends it."""
        if not (0 <= latency_s < math.inf and 0 <= jitter_s < math.inf):
            raise NetworkError(f"latency_s, jitter_s(={latency_s}, {jitter_s}) must be >= 0.")
        record = self._state.calls[call]
        record["latency_s"], record["latency_jitter_s"] = latency_s, jitter_s

    def set_error_share(self, station: int, share: float) -> None:
        """Answer this share of a station's calls with an error at once, without work; 0 ends it."""
        if not 0 <= share <= 1:
            raise NetworkError(f"share(={share}) must be in 0..1.")
        self._state.stations[station]["error_share"] = share
        self._set_feature(station, layout.FAULTY, share > 0)

    def set_cut(self, call: int, cut: bool) -> None:
        """Cut or restore a call.

        A cut refuses new calls, and ends those under way: their callers hear it at once, the work goes on.
        """
        state = self._state
        features = state.calls[call]["features"]
        state.calls[call]["features"] = features | layout.CUT if cut else features & ~layout.CUT
        if not cut:
            return
        jobs = state.jobs
        waited_for = self._living(jobs) & (jobs["parent"] >= layout.FROM_CLIENT)
        over = waited_for & (state.nodes["call"][jobs["node"]] == call)
        for slot in self._by_age(over):
            self._state.jobs[slot]["timer_seq"] = self._push(slot, layout.CUT_OFF)

    def kill(self, station: int, version: int, replica: int) -> None:
        """Kill one replica: it is no longer ready, and all that it has queued or in work is reset at once.

        Its callers hear a refusal; calls that it made go on with nobody to hear their answer.
        """
        row = self._version_row(station, version)
        limit = self.network.stations[station].replicas[version]
        if not 0 <= replica < limit:
            raise NetworkError(f"replica(={replica}) must be below {limit}.")
        record = self._state.versions[row]
        first = int(record["first_replica"])
        ready = self._state.ready[first : first + record["ready_n"]] - first
        self.set_ready(station, version, [int(r) for r in ready if r != replica])
        for slot in self._by_age(
            (self._state.jobs["state"] != layout.FREE) & (self._state.jobs["replica"] == first + replica)
        ):
            self._reset(slot, station)
        self._state.replicas[first + replica] = (0, 0, -1, -1, 0, 0, 0.0, 0.0)

    def _reset(self, slot: int, station: int) -> None:
        job, record = self._state.jobs[slot], self._state.stations[station]
        self._orphan(int(job["child"]))
        job["child"] = -1
        job["state"], job["outcome"], job["replica"] = layout.ANSWERING, layout.RESET, -1
        job["event_seq"] = self._push(slot, layout.ANSWER)
        record["left"] += 1
        record["balance_s"] += self.now_s

    def _orphan(self, slot: int) -> None:
        """Leave a call, or all that the branches from this one on have made, with nobody to hear the answer."""
        while slot >= 0:
            call, following = self._state.jobs[slot], -1
            if call["state"] == layout.BRANCH:
                following = int(call["next"])
                self._orphan(int(call["child"]))
                build.free_slot(self._state, slot)
            else:
                call["parent"], call["timer_seq"] = layout.ORPHAN, 0
            slot = following

    @staticmethod
    def _living(jobs: NDArray[np.void]) -> NDArray[np.bool_]:
        living: NDArray[np.bool_] = (jobs["state"] != layout.FREE) & (jobs["state"] != layout.BRANCH)
        return living

    def _by_age(self, chosen: NDArray[np.bool_]) -> list[int]:
        slots = np.flatnonzero(chosen)
        return [int(slot) for slot in slots[np.argsort(self._state.jobs["serial"][slots])]]

    def _push(self, slot: int, event: int) -> int:
        """Add an event for now; returns its sequence number."""
        clock = self._state.clock[0]
        if clock["heap_n"] + 8 > len(self._state.heap):
            self._state = build.with_heap(self._state, 2 * len(self._state.heap))
        seq = int(clock["seq"])
        build.add_event(self._state, self.now_s, seq, (slot << layout.EVENT_BITS) | event)
        clock["seq"] = seq + 1
        return seq

    def _version_row(self, station: int, version: int) -> int:
        record = self._state.stations[station]
        if not 0 <= version < record["versions"]:
            raise NetworkError(f"version(={version}) must be below {record['versions']}.")
        return int(record["first_version"]) + version

    def watch(self, looks: Looks) -> None:
        """Look at the jobs from now on; nothing that happens depends on it. There is no event budget then."""
        self._looks = looks

    def rekey(self, keys: NDArray[np.uint64]) -> None:
        """Draw everything that has not been drawn yet from other streams (`draws.stream_keys`), shape (streams,).

        The next request of each function is drawn already, and comes as it would have come.
        """
        self._state.keys[:] = keys
        for index, function in enumerate(self._state.functions):
            function["gap_key"] = draws.nth(keys[draws.Stream.ARRIVAL], index)
            function["request_key"] = draws.nth(keys[draws.Stream.REQUEST], index)

    # Reading.

    @property
    def jobs_n(self) -> int:
        """Jobs in the system now: waiting, in work, or at work for somebody who no longer waits."""
        return len(self._state.jobs) - int(self._state.clock[0]["free_n"])

    def worked_s(self, station: int, version: int, replica: int) -> float:
        """Worker-seconds that a replica has been at work since it was killed last, or from the start."""
        record = self._replica(station, version, replica)
        return float(record["worked_s"] + record["busy"] * self.now_s)

    def waited_s(self, station: int, version: int, replica: int) -> float:
        """How long the first in a replica's queue has waited, 0 when nobody has."""
        record = self._replica(station, version, replica)
        return self.now_s - float(self._state.jobs[record["first"]]["sent_s"]) if record["waiting"] > 0 else 0.0

    def has_room(self, station: int, version: int, replica: int) -> bool:
        """Whether a replica has a free worker or a free place in its queue."""
        record, limit = self._replica(station, version, replica), self.network.stations[station]
        return bool(record["busy"] < limit.workers or limit.queue < 0 or record["waiting"] < limit.queue)

    def _replica(self, station: int, version: int, replica: int) -> np.void:
        record: np.void = self._state.replicas[
            int(self._state.versions[self._version_row(station, version)]["first_replica"]) + replica
        ]
        return record

    def near_capacity_s(self) -> dict[int, float]:
        """As of the plane of flows, which doubts its own figures there; this one has no doubts."""
        return {}

    def cell(self, time_s: float) -> int:
        """The index of the cell that holds `time_s`."""
        return min(int(time_s * self._state.scale[0]), self.network.cells - 1)

    def service_sum(self, station: int, version: int | None, begin: int, end: int) -> NDArray[np.int64]:
        """Columns of a station (and one version, or all) summed over cells [begin, end): int64 [columns]."""
        chosen = self.rows.station == station
        if version is not None:
            chosen &= self.rows.version == version
        rows = np.flatnonzero(chosen)
        cells: NDArray[np.int32] = self._state.service[begin:end, rows]
        total: NDArray[np.int64] = cells.sum(axis=(0, 1), dtype=np.int64)
        return total

    def writes_after(self, parts: int) -> list[tuple[NDArray[np.void], NDArray[np.int64]]]:
        """The write log so far but for its first `parts` parts, in the order in which the writes ended.

        Each with the number of writes that its rows stand for: one.
        """
        if self._state.clock[0]["log_n"]:
            self._drain()
        return [(log, np.ones(len(log), np.int64)) for log in self._writes[parts:]]

    def recording(self) -> Recording:
        """Everything recorded so far. Writes under way count as indeterminate, stored when their work was done."""
        self._drain()
        network, state = self.network, self._state
        shape = (network.cells, len(network.functions), network.cohorts, state.client.shape[2])
        client = state.client.reshape(shape)
        unfinished = client[..., layout.ARRIVED].astype(np.int64) - client[..., 1:].sum(axis=-1)
        return Recording(
            client, unfinished, state.service, self.rows, np.concatenate([*self._writes, self._open_writes()])
        )

    def close(self) -> None:
        """Let go of its arrays; what was recorded stays with the recording.

        Processes left over at the end of a replication refer to one another in a circle, and somewhere to the plane:
        until a garbage collection comes by, memory would grow from replication to replication.
        """
        del self._state
        self._writes = []

    def _writing(self, jobs: NDArray[np.void]) -> NDArray[np.bool_]:
        writes: NDArray[np.bool_] = self._state.nodes["writes"][jobs["node"]] == 1
        return writes & self._living(jobs) & (jobs["mirrored"] == 0)

    def _open_writes(self) -> NDArray[np.void]:
        jobs = self._state.jobs
        slots = self._by_age(self._writing(jobs))
        writes = np.zeros(len(slots), layout.WRITE)
        for name, source in (("key", "key"), ("invoked_s", "sent_s"), ("request", "request"),
                             ("node", "node"), ("attempt", "attempt"), ("stored", "stored"),
                             ("cohort", "cohort")):  # fmt: skip
            writes[name] = jobs[source][slots]
        callers = jobs["caller_row"][slots]
        writes["caller_version"] = np.where(callers < 0, -1, self._state.versions["version"][callers])
        writes["acknowledged_s"] = math.nan
        writes["outcome"] = layout.WRITE_INDETERMINATE
        return writes
