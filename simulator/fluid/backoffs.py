"""Requests that wait for their next attempt when a service is back: they come to it on top of what comes by itself.

Flows count all attempts of a request when it comes. Where nothing takes them (no replica is ready, the call is cut, its
answers are errors at once), those attempts were no work; the ones still to come are when something does. An outage of
14 s, 28 requests/s and backoffs of 1.8 s leave 32 that are before all others. What becomes of them: `due`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.due import SLOT_S
from simulator.fluid.layout import DUE, LEFT, State


@dataclass(frozen=True, slots=True)
class Party:
    """Requests in the same backoff of a call."""

    left: int  # attempts at the node's call after the next one
    per_s: float  # so many have begun it per second
    for_s: float  # since so long ago
    longest_s: float
    jitter: bool

    def due(self, now_s: float) -> NDArray[np.float64]:
        """How many come in each tenth of a second from that of now on: who began in that time, and is not back yet."""
        edges_s = np.maximum(0.0, (int(now_s / SLOT_S + 1e-9) + np.arange(DUE + 1)) * SLOT_S - now_s)
        waits_s = 0.5 * (edges_s[:-1] + edges_s[1:])
        if self.jitter:
            until_s = np.minimum(self.longest_s, waits_s + self.for_s)
            here = np.maximum(0.0, until_s - waits_s) / max(self.longest_s, 1e-9)
        else:
            here = ((waits_s < self.longest_s) & (self.longest_s <= waits_s + self.for_s)).astype(float)
        return self.per_s * here * np.diff(edges_s)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests of a cohort whose next attempt at a call below comes to a node."""

    node: int
    cohort: int
    closed: float  # the share of its attempts that nothing takes
    due: NDArray[np.float64]  # [LEFT, DUE] of them, as of the moment
    last: float  # share of them that nobody above tries again for


@dataclass(slots=True)
class Back:
    """Requests of a function's cohort that come back to a version."""

    home: int
    row: int  # of the clients' table
    requests: float
    last: float  # share of them that nobody above tries again for


class Backoffs:
    """Looks at who waits for what is closed before a change, and sends those to what the change has opened."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._retries = bool(state.calls["retries"].any())
        self._closed_since_s: dict[tuple[int, int], float] = {}

    def look(self) -> list[Waiting]:
        """Who waits for what is closed, before a change."""
        return list(self._waiting()) if self._closed_since_s else []

    def come_back(self, waiting: list[Waiting]) -> list[Back]:
        """Send those to the replicas that take them since a change."""
        state, found = self._state, []
        for each in waiting:
            mended = 1.0 - self._closed(each.node, each.cohort) / each.closed
            if mended <= 0.0 or state.stations[state.nodes[each.node]["station"]]["singly"] != 0:
                continue
            rows, homes = self._versions(each.node)
            taken = state.weights[rows, each.cohort] * (state.versions["ready"][homes] > 0)
            row = int(state.nodes[each.node]["function"]) * state.shares.shape[1] + each.cohort
            for home, share in zip(homes, taken / taken.sum(), strict=True):
                come = mended * share * each.due
                if come.sum() > state.versions[home]["back"]:
                    state.versions[home]["back_call"] = state.nodes[each.node]["call"]
                # The ring begins anywhere.
                first = int(float(state.clock[0]["now"]) / SLOT_S + 1e-9)
                state.due[home] += np.roll(come, first % DUE, axis=1)
                state.versions[home]["back"] += come.sum()
                found.append(Back(int(home), row, float(come.sum()), each.last))
        self._tell_closed()
        return found

    def _tell_closed(self) -> None:
        """Note since when what is closed is so: for whom it has not been closed for long, few are in backoffs."""
        state, now_s = self._state, float(self._state.clock[0]["now"])
        before, self._closed_since_s = self._closed_since_s, {}
        if not self._retries or not self._is_any_closed():
            return
        for node in range(len(state.nodes)):
            for cohort in np.flatnonzero(state.shares[state.nodes[node]["function"]] > 0.0):
                place = (node, int(cohort))
                if self._closed(*place) > 0.0:
                    self._closed_since_s[place] = before.get(place, now_s)

    def _waiting(self) -> Iterator[Waiting]:
        now_s = float(self._state.clock[0]["now"])
        for (node, cohort), since_s in self._closed_since_s.items():
            closed, due = self._closed(node, cohort), np.zeros((LEFT, DUE))
            for party in self._parties(node, cohort, closed, now_s - since_s):
                due[min(party.left, LEFT - 1)] += party.due(now_s)
            if due.sum() > 0.0:
                yield Waiting(node, cohort, closed, due, self._last(node))

    def _parties(self, node: int, cohort: int, closed: float, for_s: float) -> Iterator[Party]:
        """Of a node's call and those above: who is in a backoff because it is closed."""
        state, share, here = self._state, closed, node
        left_here = int(state.calls[state.nodes[node]["call"]]["retries"])
        while here >= 0:
            reply, call = state.replies[here, state.alike[here, cohort]], state.calls[state.nodes[here]["call"]]
            fails = 1.0 - float(reply["once_ok"])
            share = min(1.0, share / max(fails, 1e-9))
            begun_per_s = float(state.flows[here, cohort]["calls"]) / max(1.0, float(reply["attempts"]))
            half = 0.5 if call["jitter"] else 1.0
            since_s, retries = for_s, int(call["retries"])
            for retry in range(1, retries + 1):
                begun_per_s *= fails * float(call["allow"])
                longest_s = float(call["backoff_s"]) * 2.0 ** (retry - 1)
                since_s -= float(reply["fails_s"])
                if begun_per_s * share > 0.0 and longest_s > 0.0 and since_s > 0.0:
                    left = retries - retry if here == node else left_here
                    yield Party(left, begun_per_s * share, since_s, longest_s, bool(call["jitter"]))
                since_s -= half * longest_s
            share *= float(reply["fail"])
            here = int(state.nodes[here]["parent"])

    def _last(self, node: int) -> float:
        """The share of those that wait for a node that is in the last attempt of all calls above."""
        state, share, above = self._state, 1.0, int(self._state.nodes[node]["parent"])
        while above >= 0:
            share /= 1.0 + float(state.calls[state.nodes[above]["call"]]["retries"])
            above = int(state.nodes[above]["parent"])
        return share

    def _is_any_closed(self) -> bool:
        """Whether `_closed` is more than nothing anywhere: most changes close nothing, and it looks at each node."""
        state, versions = self._state, self._state.versions
        gone = (versions["ready"][versions["home"]] == 0) & (state.weights > 0.0).any(axis=1)
        return bool(gone.any() or state.calls["cut"].any() or state.stations["error_share"].any())

    def _closed(self, node: int, cohort: int) -> float:
        """The share of a node's attempts that nothing takes."""
        state = self._state
        if state.calls[state.nodes[node]["call"]]["cut"] != 0:
            return 1.0
        rows, homes = self._versions(node)
        open_to = float(state.weights[rows, cohort] @ (state.versions["ready"][homes] > 0))
        return 1.0 - open_to * (1.0 - float(state.stations[state.nodes[node]["station"]]["error_share"]))

    def _versions(self, node: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the versions of a node's station, and of those whose replicas serve them."""
        station = self._state.stations[self._state.nodes[node]["station"]]
        rows = np.arange(station["first_version"], station["first_version"] + station["versions"])
        return rows, self._state.versions["home"][rows]
