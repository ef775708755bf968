"""Requests in their function's first queue whose clients would have given up, had a change not let it move faster.

Flows know how long who comes now waits if the queue moves on as it does, and count those as timed out for whom that is
too long. When it moves faster from then on (a fault at the service or below it ends), those who are still within their
client's patience wait for less. A queue is first in, first out, and grew as it grows now, so that who came so long ago
has a known wait behind him and before him. Replicas that come take nothing from the queues of others. Service rows are
left as they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.layout import State
from simulator.layout import FIRST_BIN, TIMEOUT

_POINTS = 16
"""Arrivals of a cell that are looked at."""
_LEAST = 0.01
"""Share of timeouts below which nothing is looked at."""
_KEY = 1 << 21
"""Keeps its draws apart from those of requests that are being tried again."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A version's queue at a moment, as a cohort of a function that comes there first meets it."""

    root: int
    cohort: int
    version: int
    row: int  # of the clients' table
    now_s: float
    share: float  # of the function's timeouts
    waits_s: float  # who comes now
    grows: float  # seconds a second
    hold_s: float
    moves: float  # requests a second, of a replica
    first: int  # the first cell from which a client may still wait
    late: NDArray[np.int32]  # [cells] timeouts from there to the moment


def look(state: State) -> list[Queue]:
    """Where clients time out, while the flows are those of before a change."""
    if state.replies["fail"][state.functions["root"]].max() <= _LEAST:
        return []
    return list(_queues(state))


def answer(state: State, queues: list[Queue]) -> None:
    """Turn timeouts into answers, as far as the queues move fast enough now."""
    for queue in queues:
        hold_s, moves = _speed(state, queue.version)
        if moves > queue.moves:
            _turn(state, queue, hold_s, queue.moves / moves)


def _queues(state: State) -> Iterator[Queue]:
    now_s, resolution_s = float(state.clock[0]["now"]), float(state.clock[0]["resolution"])
    end = math.ceil(now_s / resolution_s - 1e-9)
    for function, root in enumerate(state.functions["root"]):
        patience_s = float(state.nodes[root]["timeout_s"])
        station = state.stations[state.nodes[root]["station"]]
        if not math.isfinite(patience_s) or station["singly"] != 0:
            continue
        first = max(0, int((now_s - patience_s) / resolution_s))
        versions = range(int(station["first_version"]), int(station["first_version"] + station["versions"]))
        for cohort in np.flatnonzero(state.shares[function] > 0.0):
            row = function * state.shares.shape[1] + int(cohort)
            late = state.client[first:end, row, TIMEOUT].copy()
            shares = (
                state.weights[versions, cohort]
                * state.answers[root, state.alike[root, cohort], : len(versions), TIMEOUT]
            )
            if shares.sum() <= _LEAST or late.sum() == 0:
                continue
            for version, share in zip(versions, shares / shares.sum(), strict=True):
                home = state.versions[state.versions[version]["home"]]
                waits_s, (hold_s, moves) = float(home["waits_s"]), _speed(state, version)
                if share > 0.0 and waits_s > 0.0 and moves > 0.0:
                    grows = max(0.0, float(home["offered"]) / (float(home["ready"]) * moves) - 1.0)
                    yield Queue(int(root), int(cohort), version, row, now_s, share, waits_s, grows, hold_s, moves,
                                first, late)  # fmt: skip


def _speed(state: State, version: int) -> tuple[float, float]:
    """How long a worker is held, and how many requests a replica works off in a second."""
    home = state.versions[state.versions[version]["home"]]
    hold_s = float(home["hold_s"])
    if hold_s <= 0.0 or home["ready"] == 0:
        return hold_s, 0.0
    return hold_s, int(state.stations[home["station"]]["workers"]) / hold_s


def _turn(state: State, queue: Queue, hold_s: float, shorter: float) -> None:
    resolution_s, patience_s = float(state.clock[0]["resolution"]), float(state.nodes[queue.root]["timeout_s"])
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    cells = queue.first + np.arange(len(queue.late))
    begins_s = cells * resolution_s
    ends_s = np.minimum(begins_s + resolution_s, queue.now_s)
    ages_s = queue.now_s - (begins_s[:, None] + points * (ends_s - begins_s)[:, None])  # [cells, points]
    expected_s = np.maximum(0.0, queue.waits_s - queue.grows * ages_s)
    # Those at work began before the change: their workers are free for the others after half of that on the mean.
    begins_after_s = 0.5 * max(0.0, queue.hold_s - hold_s)
    lasts_s = ages_s + begins_after_s + np.maximum(0.0, expected_s - ages_s) * shorter + hold_s
    late = expected_s + queue.hold_s > patience_s
    late |= ~late.any(axis=1, keepdims=True)  # a queue that grew less evenly than that
    saved = late & (ages_s < patience_s) & (lasts_s <= patience_s)
    among = np.maximum(1, late.sum(axis=1))
    shares = queue.share * _works(state, queue) * saved.sum(axis=1) / among
    key = (_KEY, queue.row, queue.version, round(queue.now_s * 1e6))
    generator = np.random.default_rng(np.random.SeedSequence(int(state.keys[0]), spawn_key=key))
    left = np.minimum(queue.late, state.client[cells, queue.row, TIMEOUT])
    turned = generator.binomial(left, np.clip(shares, 0.0, 1.0))
    mean_s = (lasts_s * saved).sum(axis=1) / np.maximum(1, saved.sum(axis=1))
    bins = FIRST_BIN + np.searchsorted(state.edges, mean_s, side="right")
    state.client[cells, queue.row, TIMEOUT] -= turned
    state.client[cells, queue.row, bins] += turned


def _works(state: State, queue: Queue) -> float:
    """The share of those that the version starts now which do not fail."""
    works = 1.0 - float(state.effects[queue.version, queue.cohort]["error"])
    for node in np.flatnonzero(state.nodes["parent"] == queue.root):
        works *= 1.0 - float(state.replies[node, state.alike[node, queue.cohort]]["fail"])
    return works
