"""Requests that are being tried again when things get better: flows have counted them as failed already.

Flows know what becomes of a request that comes now if nothing changes until its last attempt. When a fault ends, a
store is back or a route is changed, some of those counted as failed have an attempt left, and it meets what is in force
by then. How long an attempt is still to come is known on the mean, by the backoffs, by queues that grew behind what
failed, and by how long attempts last that fail; it varies as the time does after which requests fail. Clients get
answers instead of failures then. Service rows and the write log are left as they are: what a guardrail sees fail it
sees for as much longer. So are calls that time out: what they wait behind has to be worked off first, but for a lock,
which ends for all of them.

The other way round, flows have counted as answered who is still inside a replica that dies. Those that come next are
refused instead; where none is left to refuse them besides all that come, the answers are taken back.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.backoffs import Back
from simulator.fluid.budget import SPENT
from simulator.fluid.layout import State
from simulator.layout import ERROR, FIRST_BIN, REFUSED

_LEAST = 0.01
"""Share of failures below which nothing is looked at."""
_NONE = 1e-9
"""Requests; fewer are none."""
_KEY = 1 << 20
"""Keeps its draws apart from those of replicas' rooms."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What had failed of a function's requests of one cohort at a moment, and when the last attempts begin."""

    root: int
    cohort: int
    row: int  # of the clients' table
    now_s: float
    fails: float  # share
    at_once: float  # of those, whose attempts are refused or fail, and do not time out, where they fail first
    retries: int  # of the call that fails first
    last_s: NDArray[np.float64]  # from a request's arrival until its last attempt begins: values that it may have
    weights: NDArray[np.float64]  # and their shares
    first: int  # the first cell in which a request may be under way
    failed: NDArray[np.int32]  # [cells, 3] from there to the moment, by kind


@dataclass(slots=True)
class Turned:
    """Failures of a function's cohort that have become answers."""

    row: int  # of the clients' table
    cells: NDArray[np.int64]
    bins: NDArray[np.int64]  # [cells] the answers' columns
    counts: NDArray[np.int64]  # [cells, 3] failures that they were, by kind


def _helps(worse: float, retries: int) -> float:
    """The share of requests with attempts left that are answered since calls fail less often, by that factor.

    Who has one of three attempts left is helped by as much as that one fails less often. Most have: it comes last.
    """
    left = np.arange(1, retries + 1)
    waits = 2.0 ** (retries - left)
    return float(waits @ (1.0 - worse ** (left / (retries + 1))) / waits.sum())


class UnderWay:
    """Looks at what fails before a change, and turns into answers what the change lets succeed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._open: dict[int, NDArray[np.float64]] = {}  # see `_open_of`
        self._turned: list[Turned] = []
        self._back: list[Back] = []
        self._retries = bool(state.calls["retries"].any())
        self._children: list[list[int]] = [[] for _ in state.nodes]
        for place, parent in enumerate(state.nodes["parent"]):
            if parent >= 0:
                self._children[parent].append(place)

    def look(self) -> list[Seen]:
        """What fails now, while the flows are those of before a change."""
        state = self._state
        roots = [int(root) for root in state.functions["root"]]
        if not self._retries or state.replies["fail"][roots].max() <= _LEAST:
            return []
        found = [
            self._seen(function, root, cohort)
            for function, root in enumerate(roots)
            for cohort in range(state.shares.shape[1])
            if state.shares[function, cohort] > 0.0 and self._fails(root, cohort) > _LEAST
        ]
        return [each for each in found if each is not None]

    def take_back(self, seen: list[Seen], back: list[Back]) -> None:
        """Turn failures into answers, as far as the flows of now let the attempts succeed that were to come.

        What becomes of those that come back is told as they do (`fail_again`).
        """
        self._back += back
        followed = {each.row for each in back}
        for each in seen:
            worse = self._fails(each.root, each.cohort) / each.fails
            better = each.at_once * (1.0 - worse if each.row in followed else _helps(worse, each.retries))
            if better > 0.0:
                self._turn(each, better)

    def fail_again(self) -> None:
        """Turn answers into failures again: of those that come back, some find no room until their last attempt."""
        versions = self._state.versions
        for home in np.flatnonzero(versions["failed_back"] > 0.0):  # refusals may be below none by their rounding
            here = [back for back in self._back if back.home == home]
            share = float(versions[home]["failed_back"]) / max(_NONE, sum(back.requests for back in here))
            versions[home]["failed_back"] = 0.0
            for back in here:
                self._untell(back.row, min(1.0, share * back.last))
                back.requests *= max(0.0, 1.0 - share)
        if self._back and not versions["back"].any():
            self._back, self._turned = [], []

    def _untell(self, row: int, share: float) -> None:
        state = self._state
        key = (_KEY + 2, row, round(float(state.clock[0]["now"]) * 1e6))
        generator = np.random.default_rng(np.random.SeedSequence(int(state.keys[0]), spawn_key=key))
        for turned in self._turned:
            if turned.row == row:
                failed = generator.binomial(turned.counts, share).astype(np.int32)
                left = state.client[turned.cells, row, turned.bins]
                for kind in range(failed.shape[1]):  # a replica that died since may have taken some of them
                    failed[:, kind] = np.minimum(failed[:, kind], left)
                    left -= failed[:, kind]
                turned.counts -= failed
                before = state.client[turned.cells, row, ERROR:FIRST_BIN].sum(axis=1)
                state.client[turned.cells, row, ERROR:FIRST_BIN] += failed
                state.client[turned.cells, row, turned.bins] = left
                self._open_of(row)[turned.cells] *= before / np.maximum(1, before + failed.sum(axis=1))

    def break_off(self, station: int, row: int, inside: float) -> None:
        """Turn answers into failures: so many were inside a version when its last replica died."""
        state = self._state
        offered_per_s = float(state.versions[row]["offered"])
        if inside <= 0.0 or offered_per_s <= 0.0:
            return
        now_s, resolution_s = float(state.clock[0]["now"]), float(state.clock[0]["resolution"])
        since_s = now_s - inside / offered_per_s  # first in, first out
        cells = np.arange(max(0, int(since_s / resolution_s)), math.ceil(now_s / resolution_s - 1e-9))
        begins_s, ends_s = cells * resolution_s, np.minimum(now_s, (cells + 1) * resolution_s)
        within = np.clip((ends_s - since_s) / (ends_s - begins_s), 0.0, 1.0)
        for node in np.flatnonzero(state.nodes["station"] == station):
            function = int(state.nodes[node]["function"])
            for cohort, share in enumerate(state.shares[function]):
                arrive_per_s = float(state.functions[function]["rate"] * share)
                if arrive_per_s > 0.0:
                    reached = min(1.0, float(state.flows[node, cohort]["calls"]) / arrive_per_s)
                    column = REFUSED if state.nodes[node]["parent"] < 0 else ERROR
                    place = function * state.shares.shape[1] + cohort
                    self._fail(cells, place, column, within * reached * float(state.weights[row, cohort]))

    def _fail(self, cells: NDArray[np.int64], row: int, column: int, shares: NDArray[np.float64]) -> None:
        state = self._state
        key = (_KEY + 1, row, round(float(state.clock[0]["now"]) * 1e6))
        generator = np.random.default_rng(np.random.SeedSequence(int(state.keys[0]), spawn_key=key))
        turned = generator.binomial(state.client[cells, row, FIRST_BIN:], shares[:, None])
        state.client[cells, row, FIRST_BIN:] -= turned
        state.client[cells, row, column] += turned.sum(axis=1)

    def _fails(self, node: int, cohort: int) -> float:
        state = self._state
        return float(state.replies[node, state.alike[node, cohort]]["fail"])

    def _left_s(self, node: int, cohort: int) -> float:
        """Of a call that fails: how long, on the mean, until the last attempt begins of all below it."""
        state = self._state
        call, reply = state.calls[state.nodes[node]["call"]], state.replies[node, state.alike[node, cohort]]
        lasts_s = self._lasts_s(node, cohort)
        spent = call["budget"] != 0 and call["tokens"] <= SPENT
        tries = 1.0 if spent else max(1.0, float(reply["tries"]))
        pauses_s = (2.0 ** (tries - 1.0) - 1.0) * float(call["backoff_s"]) * (0.5 if call["jitter"] else 1.0)
        left_s = lasts_s - max(0.0, lasts_s - pauses_s) / tries
        below = self._below(node, cohort)
        if below < 0:
            return min(left_s, lasts_s)
        left_s += (1.0 - self._refused(node, cohort)) * self._left_s(below, cohort)
        waits_s, grows = self._queue(node, cohort)
        # Who came so long ago had a shorter queue before them, by so much as it has grown since, or none. What else
        # comes before the call is left out, at a fault's end as at its beginning.
        return min(lasts_s, max(left_s, (left_s + waits_s) / (1.0 + grows)))

    def _queue(self, node: int, cohort: int) -> tuple[float, float]:
        """How long who comes now waits at a node on the mean, and by how many seconds a second that grows.

        Who finds no place does not wait, and a full queue does not grow.
        """
        state = self._state
        station = state.stations[state.nodes[node]["station"]]
        first, versions = int(station["first_version"]), int(station["versions"])
        homes = state.versions[state.versions["home"][first : first + versions]]
        weights = state.weights[first : first + versions, cohort]
        capacity = np.maximum(1.0, homes["ready"] * int(station["workers"]))
        enter = 1.0 - homes["refused"]
        grows = np.maximum(0.0, homes["offered"] * enter * homes["hold_s"] / capacity - 1.0)
        return float(weights @ (enter * homes["waits_s"])), float(weights @ grows)

    def _lasts_s(self, node: int, cohort: int) -> float:
        """How long a call lasts on the mean that fails."""
        seconds, weights = self._failures(node, cohort)
        return float(seconds @ weights)

    def _below(self, node: int, cohort: int) -> int:
        """The call that fails most of those that a node makes, -1 when none does."""
        if self._state.calls[self._state.nodes[node]["call"]]["cut"] != 0:
            return -1
        below = max(self._children[node], key=lambda child: self._fails(child, cohort), default=-1)
        return below if below >= 0 and self._fails(below, cohort) > _LEAST else -1

    def _at_once(self, node: int, cohort: int) -> float:
        """Of a call that fails: the share of its attempts, where they fail first, that nothing is left of.

        An answer tells of failing, or they wait for a lock that ends for all of them at once.
        """
        call, below = self._state.calls[self._state.nodes[node]["call"]], self._below(node, cohort)
        if below >= 0:
            return self._at_once(below, cohort)
        if call["cut"] != 0 or (call["retries"] == 0 and self._is_locked(node)):
            return 1.0
        failed = self._failed(node, cohort)
        attempt_fails = self._fails(node, cohort) ** (1.0 / (int(call["retries"]) + 1))  # late on the way, too
        return min(1.0, float(failed[0] + failed[REFUSED - ERROR]) / attempt_fails)

    def _is_locked(self, node: int) -> bool:
        """Whether a node's station is held up; its own retries meet what is left of that (`attempts`)."""
        station = self._state.stations[self._state.nodes[node]["station"]]
        first, versions = int(station["first_version"]), int(station["versions"])
        return bool((self._state.versions["held_s"][first : first + versions] > 0.0).any())

    def _retries_of(self, node: int, cohort: int) -> int:
        """How often it is tried again where a call fails first; where it is not, above."""
        below = self._below(node, cohort)
        here = int(self._state.calls[self._state.nodes[node]["call"]]["retries"])
        return (self._retries_of(below, cohort) if below >= 0 else 0) or max(1, here)

    def _refused(self, node: int, cohort: int) -> float:
        """The share of a node's failed attempts that is refused."""
        failed = self._failed(node, cohort)
        return float(failed[REFUSED - ERROR] / failed.sum()) if failed.sum() > 0.0 else 0.0

    def _failed(self, node: int, cohort: int) -> NDArray[np.float64]:
        """Shares of a node's attempts that fail, by kind from ERROR on."""
        state = self._state
        station = state.stations[state.nodes[node]["station"]]
        first, versions = int(station["first_version"]), int(station["versions"])
        weights = state.weights[first : first + versions, cohort]
        found: NDArray[np.float64] = (
            weights @ state.answers[node, state.alike[node, cohort], :versions, ERROR:FIRST_BIN]
        )
        return found

    def _failures(self, node: int, cohort: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How long a call lasts that fails: seconds, and their shares."""
        state, pool = self._state, self._state.pool
        cohorts = state.shares.shape[1]
        # As calls.reply_of, which only compiled code can call.
        at = len(state.versions) * (cohorts + 1) + 2 * (node * cohorts + state.alike[node, cohort]) + 1
        weights = pool.w[at, : pool.n[at]]
        return pool.off[at] + pool.step[at] * np.arange(len(weights)), weights / max(1e-12, weights.sum())

    def _seen(self, function: int, root: int, cohort: int) -> Seen | None:
        state = self._state
        now_s, resolution_s = float(state.clock[0]["now"]), float(state.clock[0]["resolution"])
        seconds, weights = self._failures(root, cohort)
        mean_s, left_s = float(seconds @ weights), self._left_s(root, cohort)
        if left_s <= 0.0:
            return None
        last_s = seconds * (left_s / mean_s)
        row = function * state.shares.shape[1] + cohort
        first = max(0, int((now_s - float(last_s.max())) / resolution_s))
        failed = state.client[first : math.ceil(now_s / resolution_s - 1e-9), row, ERROR:FIRST_BIN].copy()
        fails, at_once, retries = self._fails(root, cohort), self._at_once(root, cohort), self._retries_of(root, cohort)
        return Seen(root, cohort, row, now_s, fails, at_once, retries, last_s, weights, first, failed)

    def _open_of(self, row: int) -> NDArray[np.float64]:
        """Of each cell's failures, the share that it has not been told of before whether they have an attempt left."""
        if row not in self._open:
            self._open[row] = np.ones(len(self._state.client))
        return self._open[row]

    def _turn(self, seen: Seen, better: float) -> None:
        state = self._state
        cells = seen.first + np.arange(len(seen.failed) + 1)
        ages_s = np.maximum(0.0, seen.now_s - cells * float(state.clock[0]["resolution"]))
        still_s = np.minimum(ages_s[:, None], seen.last_s) @ seen.weights
        share = better * (still_s[:-1] - still_s[1:]) / (ages_s[:-1] - ages_s[1:])
        key = (_KEY, seen.row, round(seen.now_s * 1e6))
        generator = np.random.default_rng(np.random.SeedSequence(int(state.keys[0]), spawn_key=key))
        share = np.clip(share * self._open_of(seen.row)[cells[:-1]], 0.0, 1.0)
        self._open_of(seen.row)[cells[:-1]] *= (1.0 - better) / np.maximum(1.0 - share, 1e-9)
        turned = generator.binomial(seen.failed, share[:, None])
        bins = FIRST_BIN + np.searchsorted(state.edges, 0.5 * (ages_s[:-1] + ages_s[1:]), side="right")
        state.client[cells[:-1], seen.row, ERROR:FIRST_BIN] -= turned
        state.client[cells[:-1], seen.row, bins] += turned.sum(axis=1)
        self._turned.append(Turned(seen.row, cells[:-1], bins, turned))
