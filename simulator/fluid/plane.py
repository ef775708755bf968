"""The fluid plane as the control plane sees it: `simulator.kernel.plane.DataPlane` with flows inside."""

import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.errors import NetworkError, RequestError
from simulator.fluid import patience
from simulator.fluid.advance import LOG_FULL
from simulator.fluid.backoffs import Backoffs, Waiting
from simulator.fluid.build import Links, build
from simulator.fluid.layout import State
from simulator.fluid.luck import by_luck
from simulator.fluid.stages import FLUSH, LOOK, entry
from simulator.fluid.under_way import Seen, UnderWay
from simulator.kernel.build import service_rows
from simulator.kernel.loop import ExitReason
from simulator.kernel.plane import NEVER, Defect, Recording
from simulator.layout import ARRIVED
from simulator.network import Network

_FLOWS, _WORK = 1, 2
"""What a control input makes stale: the flows, or own work and cohorts besides."""
_ROOM, _WAITED = 0, 1
"""What a probe asks, each with draws of its own."""
_PARTS = 64
"""Rows at most for the writes of a cell that share a fate, where rows are followed."""


class FluidPlane:
    """Owns one replication's flows. Not ready at first: give every station ready replicas before time goes on.

    Verbs are those of DataPlane, with the same meaning and the same NetworkErrors; what it does not model raises
    RequestError. Of stations that are not `detailed` (None: all are) service rows have as many answers and failures in
    each cell, but not their latencies: those are most of what there is to draw. With `rows_followed` the rows of the
    write log stand for few writes each, so that a share of them can be wrong, or lost with a store. `apart` are the
    stations of callers and callees whose versions may misunderstand each other. Stations in `singly` are played request
    by request (None: those of `luck.by_luck`).
    """

    def __init__(
        self,
        network: Network,
        seed: int,
        replication: int = 0,
        detailed: Collection[int] | None = None,
        *,
        rows_followed: bool = False,
        apart: Links = (),
        singly: Collection[int] | None = None,
    ) -> None:
        self.network = network
        self.rows = service_rows(network)
        chosen = range(len(network.stations)) if detailed is None else detailed
        played = by_luck(network) if singly is None else singly
        self._state = build(network, seed, replication, chosen, _PARTS if rows_followed else 1, apart, played)
        self._advance = entry(self._state)
        # What never changes, in plain numbers: those of an array's records take a microsecond each to read.
        stations, versions = self._state.stations, self._state.versions
        self._rows = [range(first, first + count) for first, count in stations[["first_version", "versions"]].tolist()]
        self._places = [
            slice(first, first + count) for first, count in versions[["first_replica", "replicas"]].tolist()
        ]
        self._apart = frozenset(apart)
        self._under_way, self._backoffs = UnderWay(self._state), Backoffs(self._state)
        self._seen: list[Seen] | None = None  # what failed before the control inputs of now
        self._queues: list[patience.Queue] | None = None  # in which clients timed out, likewise
        self._waiting: list[Waiting] | None = None  # for what was closed then
        self._now_s = 0.0  # the clock's, which takes longer to read
        self._worked: dict[
            tuple[int, int, int], tuple[float, float, float]
        ] = {}  # when asked, busy then, sum until then
        self._writes: list[NDArray[np.void]] = []
        self._counts: list[NDArray[np.int64]] = []

    @property
    def state(self) -> State:
        """The arrays themselves, to read."""
        return self._state

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return self._now_s

    def run(self, until_s: float, event_budget: int = NEVER) -> ExitReason:  # noqa: ARG002  # there are no events
        """Advance to `until_s`. Raises NetworkError when that lies in the past or beyond the horizon."""
        if not self._now_s <= until_s <= self.network.horizon_s * (1 + 1e-12):
            raise NetworkError(f"until_s(={until_s}) must be between now ({self._now_s}) and {self.network.horizon_s}.")
        if until_s > self._now_s:
            if self._seen is None and self._state.clock[0]["stale"]:
                self._seen, self._queues = self._under_way.look(), patience.look(self._state)
            self._look_after()
            while self._advance(until_s) == LOG_FULL:
                self._drain()
            self._under_way.fail_again()
        self._now_s = float(until_s)
        return ExitReason.UNTIL

    def _look_after(self) -> None:
        """Turn failures into answers that the changes of now let succeed, and let those come who are in backoffs."""
        back = self._backoffs.come_back(self._waiting) if self._waiting is not None else []
        if self._seen or self._queues:
            self._advance(LOOK)
            self._under_way.take_back(self._seen or [], back)
            patience.answer(self._state, self._queues or [])
        self._seen = self._queues = self._waiting = None

    def _drain(self) -> None:
        clock = self._state.clock[0]
        if clock["log_n"] == 0 and self._writes:
            return
        self._writes.append(self._state.log[: clock["log_n"]].copy())
        self._counts.append(self._state.log_count[: clock["log_n"]].copy())
        clock["log_n"] = 0

    # Control inputs: in force from now on.

    def set_ready(self, station: int, version: int, replicas: Iterable[int]) -> None:
        """Let exactly these replicas (numbers within the version) take new work; others finish what they have."""
        row = self._version_row(station, version)
        chosen = sorted(set(replicas))
        limit = self.network.stations[station].replicas[version]
        if chosen and not 0 <= chosen[0] <= chosen[-1] < limit:
            raise NetworkError(f"replicas(={chosen}) must be numbers below {limit}.")
        self._changes(_FLOWS)
        self._replicas(row)["listed"] = np.isin(np.arange(limit), chosen)
        self._let_in(row)

    def set_weights(self, station: int, weights: Sequence[float], cohort: int | None = None) -> None:
        """Share new work (of one cohort, or of all) among the versions: one weight each, >= 0, sum 1."""
        record = self._state.stations[station]
        if len(weights) != record["versions"] or min(weights) < 0 or not math.isclose(sum(weights), 1, abs_tol=1e-9):
            raise NetworkError(f"weights(={list(weights)}) must be {record['versions']} shares >= 0, sum 1.")
        if cohort is not None and not 0 <= cohort < self.network.cohorts:
            raise NetworkError(f"cohort(={cohort}) must be below {self.network.cohorts}.")
        self._changes(_WORK)
        self._write_down()
        first = int(record["first_version"])
        chosen = slice(None) if cohort is None else slice(cohort, cohort + 1)
        self._state.weights[first : first + len(weights), chosen] = np.array(weights)[:, None]

    def set_rate_factor(self, function: int, factor: float) -> None:
        """Multiply the function's rates by `factor` from now on (from the next cell for what this one has drawn)."""
        if not 0 <= factor < math.inf:
            raise NetworkError(f"factor(={factor}) must be finite and >= 0.")
        self._changes(_FLOWS)
        rates = self.network.functions[function].rates
        self._state.rate[function, : len(rates)] = [rate * factor for _, rate in rates]

    def set_contract(
        self, caller_station: int, caller_version: int, callee_station: int, callee_version: int, error_ratio: float
    ) -> None:
        """Have this share of the calls from one version to another fail at once, without work; 0 ends it."""
        if not 0 <= error_ratio <= 1:
            raise NetworkError(f"error_ratio(={error_ratio}) must be in 0..1.")
        if (caller_station, callee_station) not in self._apart:
            raise self._unmodelled(callee_station, "incompatible versions that were not told of")
        self._changes(_FLOWS)
        caller = self._version_row(caller_station, caller_version)
        self._state.contracts[caller, self._version_row(callee_station, callee_version)] = error_ratio

    def set_mirror(self, station: int, version: int, share: float) -> None:
        """Copy this share of the station's requests to `version`, as in DataPlane; 0 ends it."""
        if not 0 <= share <= 1:
            raise NetworkError(f"share(={share}) must be in 0..1.")
        self._changes(_FLOWS)
        record = self._state.stations[station]
        record["mirror_row"], record["mirror_share"] = self._version_row(station, version), share
        self._state.clock[0]["mirrored"] = 1

    def set_defects(self, station: int, version: int, defects: Iterable[Defect]) -> None:
        """Make these the defects of a version, all active; they combine as in DataPlane."""
        self._changes(_WORK)
        effects = self._state.effects[self._version_row(station, version)]
        effects["error"], effects["factor"], effects["add_s"], effects["lost"] = 0.0, 1.0, 0.0, 0.0
        held_s = 0.0
        for defect in defects:
            held_s += defect.held_s
            chosen = effects if defect.cohort < 0 else effects[defect.cohort : defect.cohort + 1]
            chosen["error"] = 1 - (1 - chosen["error"]) * (1 - defect.error_ratio)
            chosen["factor"] *= defect.latency_factor
            chosen["add_s"] += defect.latency_add_s
            chosen["lost"] = 1 - (1 - chosen["lost"]) * (1 - defect.lost_write_ratio)
        self._state.versions[self._version_row(station, version)]["held_s"] = held_s

    def set_latency(self, call: int, latency_s: float, jitter_s: float = 0.0) -> None:
        """Delay each answer over a call by `latency_s` and a uniform share of `jitter_s`; (0, 0) ends it."""
        if not (0 <= latency_s < math.inf and 0 <= jitter_s < math.inf):
            raise NetworkError(f"latency_s, jitter_s(={latency_s}, {jitter_s}) must be >= 0.")
        self._changes(_FLOWS)
        record = self._state.calls[call]
        record["latency_s"], record["latency_jitter_s"] = latency_s, jitter_s

    def set_error_share(self, station: int, share: float) -> None:
        """Answer this share of a station's calls with an error at once, without work; 0 ends it."""
        if not 0 <= share <= 1:
            raise NetworkError(f"share(={share}) must be in 0..1.")
        self._changes(_FLOWS)
        self._state.stations[station]["error_share"] = share

    def set_cut(self, call: int, cut: bool) -> None:
        """Cut or restore a call. Answers under way at the cut arrive here: they are a fraction of a second's."""
        self._changes(_FLOWS)
        self._state.calls[call]["cut"] = cut

    def kill(self, station: int, version: int, replica: int) -> None:
        """Kill one replica; what is inside is refused, in the next moments' answers."""
        row = self._version_row(station, version)
        limit = self.network.stations[station].replicas[version]
        if not 0 <= replica < limit:
            raise NetworkError(f"replica(={replica}) must be below {limit}.")
        self._changes(_FLOWS)
        record, killed = self._state.versions[row], self._replicas(row)[replica]
        self._write_down()
        killed["listed"] = 0
        self._let_in(row)
        inside = float(killed["inside"])
        record["lost"] += inside
        if record["ready"] == 0:  # all that come are refused in any case
            self._under_way.break_off(station, row, float(record["lost"]))
            record["lost"] = 0.0
        killed["inside"] = 0.0
        if self._state.stations[station]["singly"]:
            record["reset"] += inside
            killed["waiting"], killed["run"], killed["to_hear"], killed["died"] = 0, 0, 0, 1
            self._state.free[killed["bench"]] = 0.0

    def _let_in(self, row: int) -> None:
        """Ready are those listed that are not ejected; all of them when all are."""
        replicas = self._replicas(row)
        stay = (replicas["listed"] != 0) & (replicas["out_until_s"] <= 0.0)
        replicas["ready"] = stay if stay.any() else replicas["listed"]
        self._state.versions[row]["ready"] = replicas["ready"].sum()

    def _write_down(self) -> None:
        """Put the running cell's writes into the log, where rows are followed: they were made before now."""
        clock = self._state.clock[0]
        if clock["parts"] > 1 and clock["drawn_cell"] >= 0 and clock["now"] > clock["logged"]:
            self._drain()
            self._advance(FLUSH)
        self._drain()

    def _replicas(self, row: int) -> NDArray[np.void]:
        return self._state.replicas[self._places[row]]

    def _changes(self, how: int) -> None:
        """To be called before a control input is in force: what fails by then is seen by what was."""
        if self._seen is None:
            self._seen, self._queues = self._under_way.look(), patience.look(self._state)
        if self._waiting is None:
            self._waiting = self._backoffs.look()
        clock = self._state.clock[0]
        clock["stale"], clock["anew"] = max(how, int(clock["stale"])), 1

    def _version_row(self, station: int, version: int) -> int:
        rows = self._rows[station]
        if not 0 <= version < len(rows):
            raise NetworkError(f"version(={version}) must be below {len(rows)}.")
        return rows[version]

    def _unmodelled(self, station: int, what: str) -> RequestError:
        return RequestError(f"fidelity fluid: {what} (at {self.network.stations[station].name}) are not modelled")

    # Reading.

    def worked_s(self, station: int, version: int, replica: int) -> float:
        """Worker-seconds that a replica has been at work, as if it changed evenly between the times of asking."""
        inside = float(self._replicas(self._version_row(station, version))["inside"][replica])
        busy = min(inside, float(self.network.stations[station].workers))
        since_s, before, sum_s = self._worked.get((station, version, replica), (0.0, busy, 0.0))
        sum_s += (before + busy) / 2.0 * (self.now_s - since_s)
        self._worked[station, version, replica] = self.now_s, busy, sum_s
        return sum_s

    def waited_s(self, station: int, version: int, replica: int) -> float:
        """How long the first in a replica's queue has waited, 0 without a backlog: drawn, as each request's work is."""
        row = self._version_row(station, version)
        if self._state.stations[station]["singly"]:
            record = self._replicas(row)[replica]
            since_s = self._state.line[record["bench"], record["head"], 1]
            if self._state.stations[station]["linked"]:
                since_s = self._state.jobs[record["first"]]["came_s"]
            return self.now_s - float(since_s) if record["waiting"] else 0.0
        record, target = self._state.versions[row], self._replicas(row)[replica]
        each_s = float(record["hold_s"]) / float(self._state.stations[station]["workers"])
        waited_s = float(target["behind_s"])
        if target["ready"] == 0 or record["offered"] <= 0.0:  # it works off what it has
            waited_s = max(0.0, float(target["inside"]) - float(self._state.stations[station]["workers"])) * each_s
        if waited_s == 0.0 or record["held_s"] > 0.0:
            return waited_s
        variation = float(record["hold_var"]) / float(record["hold_s"]) ** 2
        spread_s = math.sqrt(waited_s / each_s * variation) * each_s
        return max(0.0, waited_s + spread_s * float(self._generator(row, replica, _WAITED).standard_normal()))

    def has_room(self, station: int, version: int, replica: int) -> bool:
        """Whether a replica's queue has places left now: drawn, by the share of the time in which it has none."""
        row = self._version_row(station, version)
        if self._state.stations[station]["singly"]:
            record, target = self._replicas(row)[replica], self._state.stations[station]
            free = bool((self._state.free[record["bench"], : target["workers"]] <= self.now_s).any())
            return free or bool(target["queue"] < 0 or record["waiting"] < target["queue"])
        record, target = self._state.versions[row], self._replicas(row)[replica]
        if target["ready"] == 0 or record["offered"] <= 0.0 or target["refused"] == 0.0:
            return True
        refused = float(target["refused"])
        return self._generator(row, replica, _ROOM).random() >= self._full(station, row, refused)

    def _full(self, station: int, row: int, refused: float) -> float:
        """Share of the time in which a replica that refuses such a share of what is not tried again in vain is full.

        Requests in turn come more evenly than at random, and meet a full queue less often than an eye that opens at
        random: what is worked off between two of them makes room for the second. An embedded walk below a queue's end,
        of Erlang arrivals and as many departures as are accepted, says by how much (level crossing).
        """
        record, target = self._state.versions[row], self._state.stations[station]
        refused = (record["offered"] * refused + record["stuck"]) / (record["offered"] + record["stuck"])
        accepted, turns = 1.0 - refused, 1.0 if target["pooled"] else float(record["ready"])
        if accepted <= 0.0:
            return 1.0
        return min(1.0, refused / accepted * ((1.0 + accepted / turns) ** turns - 1.0))

    def _generator(self, row: int, replica: int, what: int) -> np.random.Generator:
        """Of what a probe finds at a replica now."""
        key = (row, replica, round(self.now_s * 1e6), what)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int(self._state.keys[0]), spawn_key=key)))

    def near_capacity_s(self) -> dict[int, float]:
        """Stations that what came to a version was about the capacity of, and for how long: means say little there."""
        near_s = self._state.stations["near_s"]
        return {int(station): float(near_s[station]) for station in np.flatnonzero(near_s)}

    def cell(self, time_s: float) -> int:
        """The index of the cell that holds `time_s`."""
        return min(int(time_s / self.network.resolution_s), self.network.cells - 1)

    def writes_after(self, parts: int) -> list[tuple[NDArray[np.void], NDArray[np.int64]]]:
        """As DataPlane's, up to now."""
        self._write_down()
        return list(zip(self._writes[parts:], self._counts[parts:], strict=True))

    def recording(self) -> Recording:
        """Everything recorded so far, each row of the writes standing for `write_counts` of them."""
        clock = self._state.clock[0]
        if clock["drawn_cell"] >= 0:
            self._advance(FLUSH)
        self._drain()
        network, state = self.network, self._state
        shape = (network.cells, len(network.functions), network.cohorts, state.client.shape[2])
        client = state.client.reshape(shape)
        unfinished = client[..., ARRIVED].astype(np.int64) - client[..., 1:].sum(axis=-1)
        writes, counts = np.concatenate(self._writes), np.concatenate(self._counts)
        self._writes, self._counts = [writes], [counts]
        return Recording(client, unfinished, state.service, self.rows, writes, counts)

    def close(self) -> None:
        """Let go of its arrays; what was recorded stays with the recording.

        Processes left over at the end of a replication refer to one another in a circle, and somewhere to the plane:
        until a garbage collection comes by, memory would grow from replication to replication.
        """
        del self._state, self._advance, self._under_way, self._backoffs
        self._writes, self._counts = [], []
