"""Requests that wait for their next attempt when a service is back: they come to it on top of what comes by itself.

Flows count all attempts of a request when it comes. Where nothing takes them (no replica is ready, the call is cut, its
answers are errors at once), those attempts were no work; the ones still to come are when something does. An outage of
14 s, 28 requests/s and backoffs of 1.8 s leave 32 that are before all others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator.fluid.layout import State


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests of a cohort whose next attempt at a call below comes to a node."""

    node: int
    cohort: int
    closed: float  # the share of its attempts that nothing takes
    requests: float
    waits_s: float  # until the next attempt, on the mean


def look(state: State) -> list[Waiting]:
    """Who waits for what is closed, before a change."""
    if not state.calls["retries"].any() or not _is_any_closed(state):
        return []
    return list(_waiting(state))


def come_back(state: State, waiting: list[Waiting]) -> None:
    """Send those to the replicas that take them since a change."""
    state.versions["back"][state.versions["ready"] == 0] = 0.0
    for each in waiting:
        mended = 1.0 - _closed(state, each.node, each.cohort) / each.closed
        if mended <= 0.0 or state.stations[state.nodes[each.node]["station"]]["singly"] != 0:
            continue
        rows, homes = _versions(state, each.node)
        taken = state.weights[rows, each.cohort] * (state.versions["ready"][homes] > 0)
        for home, share in zip(homes, taken / taken.sum(), strict=True):
            state.versions[home]["back"] += mended * each.requests * share
            state.versions[home]["back_s"] = each.waits_s


def _waiting(state: State) -> Iterator[Waiting]:
    for node in range(len(state.nodes)):
        for cohort in np.flatnonzero(state.shares[state.nodes[node]["function"]] > 0.0):
            closed = _closed(state, node, int(cohort))
            if closed <= 0.0:
                continue
            requests = sum_s = 0.0
            for here, wait_s in _in_backoffs(state, node, int(cohort), closed):
                requests += here
                sum_s += here * wait_s
            if requests > 0.0:
                yield Waiting(node, int(cohort), closed, requests, sum_s / requests)


def _in_backoffs(state: State, node: int, cohort: int, closed: float) -> Iterator[tuple[float, float]]:
    """Of a node's call and those above: requests in a backoff because it is closed, and how long these wait."""
    share = closed
    while node >= 0:
        reply, call = state.replies[node, state.alike[node, cohort]], state.calls[state.nodes[node]["call"]]
        share = min(1.0, share / max(1.0 - float(reply["once_ok"]), 1e-9))
        retries = float(reply["attempts"]) - 1.0
        if retries > 0.0:
            begun_per_s = float(state.flows[node, cohort]["calls"]) / float(reply["attempts"])
            # Who looks sees long backoffs more often, and half of each; of one drawn from 0 on a third of the most.
            longest_s = float(call["backoff_s"]) * (2.0**retries + 1.0) / 3.0
            yield begun_per_s * float(reply["waits_s"]) * retries * share, longest_s / (3.0 if call["jitter"] else 2.0)
        share *= float(reply["fail"])
        node = int(state.nodes[node]["parent"])


def _is_any_closed(state: State) -> bool:
    """Whether `_closed` is more than nothing anywhere: most changes close nothing, and it looks at each node."""
    versions = state.versions
    gone = (versions["ready"][versions["home"]] == 0) & (state.weights > 0.0).any(axis=1)
    return bool(gone.any() or state.calls["cut"].any() or state.stations["error_share"].any())


def _closed(state: State, node: int, cohort: int) -> float:
    """The share of a node's attempts that nothing takes."""
    if state.calls[state.nodes[node]["call"]]["cut"] != 0:
        return 1.0
    rows, homes = _versions(state, node)
    open_to = float(state.weights[rows, cohort] @ (state.versions["ready"][homes] > 0))
    return 1.0 - open_to * (1.0 - float(state.stations[state.nodes[node]["station"]]["error_share"]))


def _versions(state: State, node: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the versions of a node's station, and of those whose replicas serve them."""
    station = state.stations[state.nodes[node]["station"]]
    rows = np.arange(station["first_version"], station["first_version"] + station["versions"])
    return rows, state.versions["home"][rows]
