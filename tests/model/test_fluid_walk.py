"""How a full queue moves until a retry comes: beside the chain's own matrix, and beside the request-level plane."""

import numpy as np
import pytest
from scipy.linalg import expm

from benchmarks.near_capacity import Case, failed_share, network
from simulator.fluid.bounded import bounded, levels
from simulator.fluid.plane import FluidPlane
from simulator.fluid.walk import LEVELS, STEPS, walk
from simulator.kernel.plane import DataPlane


@pytest.mark.parametrize(
    ("workers", "places", "load", "after"), [(8, 8, 7.6, 2.0), (2, 8, 1.6, 8.0), (4, 24, 4.4, 0.5)]
)
def test_without_feedback_a_retry_meets_what_the_chain_has_become(
    workers: int, places: int, load: float, after: float
) -> None:
    top = workers + places
    generator = np.diag(np.full(top, load), 1) + np.diag(np.minimum(np.arange(1, top + 1), workers).astype(float), -1)
    generator -= np.diag(generator.sum(axis=1))
    met, more = np.zeros(STEPS + 1), np.zeros(LEVELS)
    for _ in range(40):
        walk(levels(), more, met, workers, float(places), load, after, 1.0, 0.0, 1.0, 0.05)
    assert met[STEPS] == pytest.approx(expm(generator * after)[top, top], rel=0.08)
    assert not more.any()


def test_refusals_seen_from_now_are_as_many_as_there_are() -> None:
    workers, places, load = 8, 8, 7.6
    met, more = np.zeros(STEPS + 1), np.zeros(LEVELS)
    refused = 0.0
    for _ in range(60):
        refused = bounded(levels(), more, workers, float(places), load, 1.0, 1, 1.0)[0]
        moved = walk(levels(), more, met, workers, float(places), load, 2.0, 1.0, 1.0, 1.0, refused)
    assert moved < 1e-6
    level = np.arange(workers + places + 1)
    rates = np.cumprod([1.0, *(load * (1.0 + more[::-1][-len(level) :][:-1]) / np.minimum(level[1:], workers))])
    chances = rates / rates.sum()
    assert chances[-1] == pytest.approx(refused, rel=1e-6)
    assert (chances * more[: len(level)][::-1]).sum() == pytest.approx(refused, rel=0.03)


@pytest.mark.parametrize(
    ("case", "busy", "tolerance"),
    [
        (Case("one", queue=8, backoff_s=0.025), 0.95, 0.08),
        (Case("two", queue=8, replicas=2, backoff_s=0.1), 0.95, 0.08),
        (Case("four", queue=8, replicas=4, backoff_s=0.1), 1.0, 0.08),
        (Case("long", queue=24, backoff_s=0.1), 1.05, 0.08),
        (Case("three retries", queue=16, retries=3, backoff_s=0.05), 1.0, 0.25),
    ],
)
def test_retries_of_what_a_queue_refused_fail_as_request_by_request(case: Case, busy: float, tolerance: float) -> None:
    made = network(case, busy, 1190.0)
    by_requests = np.array([failed_share(DataPlane(made, seed), 1190.0) for seed in (1, 2, 3, 4)])
    plane = FluidPlane(made, 1)
    failed_share(plane, 30.0)
    chance = 3.0 * by_requests.std(ddof=1) / 2.0
    assert plane.state.replies[1, 0]["fail"] == pytest.approx(by_requests.mean(), rel=tolerance, abs=chance)
