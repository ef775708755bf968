"""What is inside a slow queue is drawn: beside closed forms, and collapses by luck beside those request by request."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.near_capacity import Case, network
from simulator.fluid.layout import REPLICA
from simulator.fluid.plane import FluidPlane
from simulator.fluid.slow import walk
from simulator.kernel.plane import DataPlane
from simulator.network import UNBOUNDED
from simulator.verification.closed_forms import erlang_c_wait_s

HOLD_S, STEP_S = 0.05, 0.1


class Queue:
    """Replicas that are walked, `STEP_S` at a time."""

    def __init__(
        self,
        workers: int,
        busy: float,
        replicas: int = 1,
        *,
        pooled: bool = False,
        seed: int = 1,
        top: float = math.inf,
    ) -> None:
        self.replicas = np.zeros(replicas, REPLICA)
        self.replicas["ready"] = 1
        self._draw, self._turn = np.array([seed], np.uint64), 0
        self._workers, self._pooled, self._top = workers, int(pooled), top
        self.came_per_s = replicas * workers * busy / HOLD_S

    def go_on(self, left_s: float = STEP_S) -> NDArray[np.float64]:
        self._turn = walk(
            self._draw, self.replicas, 0, len(self.replicas), self._turn, self._pooled, self._workers, self._top,
            HOLD_S, 1.0, self.came_per_s, 1.0, left_s,
        )  # fmt: skip
        return self.replicas["inside"].copy()

    def inside(self, steps: int) -> NDArray[np.float64]:
        """By step and replica, from when it has come to its steady state."""
        for _ in range(500):
            self.go_on()
        return np.array([self.go_on() for _ in range(steps)])


def by_batches(values: NDArray[np.float64]) -> tuple[float, float]:
    """A mean, and its standard error by twenty batches."""
    means = np.array([each.mean() for each in np.array_split(values, 20)])
    return float(means.mean()), float(means.std(ddof=1) / math.sqrt(20))


@pytest.mark.parametrize(("workers", "busy", "replicas"), [(1, 0.8, 1), (8, 0.9, 1), (4, 0.9, 2)])
def test_a_walk_has_erlangs_waits(workers: int, busy: float, replicas: int) -> None:
    inside = Queue(workers, busy, replicas, pooled=replicas > 1).inside(60_000).sum(axis=1)
    servers = workers * replicas
    waiting, error = by_batches(np.maximum(0.0, inside - servers))
    wait_s = erlang_c_wait_s(servers, busy, HOLD_S)
    assert error < 0.1 * waiting
    assert waiting == pytest.approx(wait_s * busy * servers / HOLD_S, abs=4.0 * error)
    all_busy, error = by_batches((inside >= servers - 1e-9).astype(float))
    assert error < 0.02
    assert all_busy == pytest.approx(wait_s * servers * (1.0 - busy) / HOLD_S, abs=4.0 * error)


def last_of(workers: int, places: int, load: float) -> tuple[float, float]:
    """M/M/c/K: share refused, and the mean number that waits."""
    likely = [1.0]
    for inside in range(1, workers + places + 1):
        likely.append(likely[-1] * load / min(inside, workers))
    shares = np.array(likely) / sum(likely)
    return float(shares[-1]), float(shares[workers:] @ np.arange(places + 1))


@pytest.mark.parametrize(
    ("workers", "places", "busy", "replicas"), [(8, 16, 1.0, 1), (1, 20, 0.95, 1), (4, 8, 1.1, 2), (64, 64, 1.0, 1)]
)
def test_a_walk_refuses_as_m_m_c_k(workers: int, places: int, busy: float, replicas: int) -> None:
    queue = Queue(workers, busy, replicas, pooled=replicas > 1, top=workers + places)
    servers, steps = workers * replicas, []
    for _ in range(30_000):
        inside = queue.go_on().sum()
        steps.append((queue.replicas["turned"].sum(), queue.replicas["came"].sum(), max(0.0, inside - servers)))
    turned, came, waits = np.array(steps[500:]).T
    refused, waiting = last_of(servers, places * replicas, busy * servers)
    mean, error = by_batches(turned)
    assert error < 0.1 * mean
    assert mean / came.mean() == pytest.approx(refused, rel=0.04, abs=4.0 * error / came.mean())
    mean, error = by_batches(waits)
    assert mean == pytest.approx(waiting, rel=0.04, abs=4.0 * error)


def test_requests_in_turn_make_queues_as_rare_as_e2_m_c() -> None:
    workers, busy, longer = 8, 0.9, 15
    inside = Queue(workers, busy, replicas=2).inside(60_000)[:, 0]
    rarer = 0.5  # by request in the queue: the root of s = (2 busy / (2 busy + 1 - s))^2
    for _ in range(200):
        rarer = (2.0 * busy / (2.0 * busy + 1.0 - rarer)) ** 2
    shorter, error_of_all = by_batches((inside >= workers).astype(float))
    long, error = by_batches((inside >= workers + longer).astype(float))
    assert error < 0.15 * long
    assert long == pytest.approx(shorter * rarer**longer, abs=4.0 * (error + error_of_all * rarer**longer))


def test_a_busy_period_lasts_as_in_m_m_1() -> None:
    """From k inside to none: k hold_s / (1 - busy) on the mean."""
    busy, begins, lasted_s = 0.7, 20, []
    for seed in range(1, 401):
        queue, passed_s = Queue(1, busy, seed=seed), 0.0
        queue.replicas["inside"] = begins
        while queue.go_on(0.01)[0] > 0.0:
            passed_s += 0.01
        lasted_s.append(passed_s)
    error = float(np.std(lasted_s, ddof=1)) / math.sqrt(len(lasted_s))
    assert np.mean(lasted_s) == pytest.approx(begins * HOLD_S / (1.0 - busy), abs=4.0 * error + 0.01)


def test_the_same_seed_walks_the_same_way() -> None:
    one, same, other = (Queue(8, 0.95, 3, seed=seed).inside(200) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


NO_BOUND = Case("no bound", replicas=2, queue=UNBOUNDED, backoff_s=0.1, timeout_s=0.5)
OUTLASTS = Case("a full queue's wait outlasts the timeout", backoff_s=0.1, timeout_s=0.3)


def tipped_after_s(
    kind: type[DataPlane] | type[FluidPlane], seed: int, seconds: float, case: Case = NO_BOUND, busy: float = 0.95
) -> float:
    """When most requests fail first in ten seconds; `seconds` when they never do."""
    plane = kind(network(case, busy, seconds), seed)
    for index, station in enumerate(plane.network.stations):
        plane.set_ready(index, 0, range(station.replicas[0]))
    until_s = 0.0
    while until_s < seconds:
        until_s += 10.0
        plane.run(until_s)
        columns = plane.recording().client[int(until_s) - 10 : int(until_s) - 1, 0, 0].sum(axis=0)
        if columns[1:4].sum() > 0.5 * columns[0]:
            return until_s
    return seconds


@pytest.mark.parametrize(("case", "busy"), [(NO_BOUND, 0.95), (OUTLASTS, 0.9)])
def test_luck_tips_a_queue_over_when_it_does_request_by_request(case: Case, busy: float) -> None:
    seeds, seconds = 60, 300.0
    requests, flows = (
        np.array([tipped_after_s(kind, seed, seconds, case, busy) for seed in range(1, seeds + 1)])
        for kind in (DataPlane, FluidPlane)
    )
    chance = math.hypot(requests.std(ddof=1), flows.std(ddof=1)) / math.sqrt(seeds)
    assert (requests < seconds).mean() > 0.9
    assert requests.std() > 0.5 * requests.mean()  # by luck, and not after so long
    assert flows.mean() == pytest.approx(requests.mean(), abs=3.0 * chance)
    assert flows.std() == pytest.approx(requests.std(), rel=0.5)


def test_a_replication_meets_its_own_luck_again() -> None:
    one, same, other = (tipped_after_s(FluidPlane, seed, 300.0) for seed in (3, 3, 4))
    assert one == same != other
