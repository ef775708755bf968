"""The kernel against closed forms. Tolerances are four standard errors, taken from batch means of the run itself."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.closed_forms import (
    erlang_c_wait_s,
    mm1k_refused,
    pollaczek_khinchine_wait_s,
    retries_failed,
    retries_load,
    retries_load_variance,
)
from simulator.verification.playing import BATCHES, EDGES_S, batches, one_station

SEED = 7
STANDARD_ERRORS = 4.0


def assert_mean(values: NDArray[np.float64], expected: float) -> None:
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) < STANDARD_ERRORS * error, (values.mean(), expected, error)
    assert error < 0.1 * abs(expected), "too noisy a run to say anything"


@pytest.mark.parametrize("servers", [1, 2, 10])
def test_mmc_wait_is_erlangs(servers):
    network = one_station(servers, Distribution(Kind.EXPONENTIAL, 1.0), 0.8 * servers, 400_000 / servers)
    assert_mean(batches(network, SEED)[:, 0], erlang_c_wait_s(servers, 0.8, 1.0))


@pytest.mark.parametrize(
    ("service", "cv"),
    [
        (Distribution(Kind.CONSTANT, 1.0), 0.0),
        (Distribution(Kind.UNIFORM, 0.0, 2.0), 3**-0.5),
        (Distribution(Kind.LOGNORMAL, -0.5 * math.log(1.25), math.sqrt(math.log(1.25))), 0.5),
    ],
    ids=["M/D/1", "uniform", "lognormal"],
)
def test_mg1_wait_is_pollaczek_khinchines(service, cv):
    assert service.mean_s == pytest.approx(1.0)
    expected = pollaczek_khinchine_wait_s(0.8, 1.0, cv)
    assert_mean(batches(one_station(1, service, 0.8, 400_000), SEED)[:, 0], expected)


def test_littles_law_links_three_separate_counts():
    network = one_station(3, Distribution(Kind.EXPONENTIAL, 1.0), 2.4, 100_000)
    _, in_system, entered, sojourn_s = batches(network, SEED).T
    span_s = network.horizon_s / (BATCHES + 1)
    # The edges of a batch are all that may differ: a few sojourns among thousands.
    assert np.allclose(in_system, entered / span_s * sojourn_s, rtol=0.03)
    assert_mean(sojourn_s, erlang_c_wait_s(3, 0.8, 1.0) + 1.0)


def test_a_bounded_queue_refuses_as_many_as_mm1k_says():
    load, places = 0.9, 3  # one in service, three waiting: K = 4
    network = one_station(1, Distribution(Kind.EXPONENTIAL, 1.0), load, 200_000, queue=places)
    plane = DataPlane(network, 3)
    plane.set_ready(0, 0, [0])
    plane.run(network.horizon_s)
    client = plane.recording().client.sum(axis=(1, 2)).reshape(25, 40, -1).sum(axis=1)
    assert_mean(client[:, 3] / client[:, 0], mm1k_refused(load, places + 1))


def test_arrivals_are_poisson_at_the_rate_in_force():
    rates = ((0.0, 20.0), (400.0, 0.0), (500.0, 60.0), (700.0, 5.0))
    network = one_station(100, Distribution(Kind.CONSTANT, 0.01), 0.0, 1000.0, rates=rates)
    plane = DataPlane(network, 11)
    plane.set_ready(0, 0, [0])
    plane.run(1000.0)
    arrived = plane.recording().client[:, 0, 0, 0]  # by seconds
    for begin, end, rate in ((0, 400, 20.0), (500, 700, 60.0), (700, 1000, 5.0)):
        counts = arrived[begin:end]
        error = math.sqrt(rate / len(counts))
        assert abs(counts.mean() - rate) < STANDARD_ERRORS * error
        # Index of dispersion of a Poisson count: 1, with standard error sqrt(2 / n).
        assert abs(counts.var(ddof=1) / counts.mean() - 1) < STANDARD_ERRORS * math.sqrt(2 / len(counts))
    assert arrived[400:500].sum() == 0


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_independent_retries_fail_and_load_as_the_geometric_series_says(x):
    retries, n = 3, 40_000
    network = Network(
        (
            Station("caller", 10**6, Distribution(Kind.CONSTANT, 0.0)),
            Station("callee", 10**6, Distribution(Kind.CONSTANT, 0.001)),
        ),
        (Call(CLIENT, 0), Call(0, 1, retries=retries)),
        (Function("f", ((0.0, 100.0),), Node(0, (Node(1),))),),
        1.0,
        n // 100,
        EDGES_S,
    )
    plane = DataPlane(network, 5)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0])
    plane.set_defects(1, 0, [Defect(error_ratio=x)])
    plane.run(network.horizon_s)
    recording = plane.recording()
    requests, failed = recording.client[..., 0].sum(), recording.client[..., 1].sum()
    attempts = plane.service_sum(1, None, 0, network.cells)
    effective = retries_failed(x, retries)
    load = retries_load(x, retries)
    assert abs(failed / requests - effective) < STANDARD_ERRORS * math.sqrt(effective * (1 - effective) / requests)
    spread = retries_load_variance(x, retries)
    assert abs(attempts.sum() / requests - load) < STANDARD_ERRORS * math.sqrt(spread / requests)


def test_weights_and_thinning_share_as_they_say():
    """Versions by weight, and errors by ratio, are binomial shares of a Poisson stream."""
    network = Network(
        (Station("s", 1000, Distribution(Kind.CONSTANT, 0.001), replicas=(1, 1)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 100.0),), Node(0), cohort_shares=(0.7, 0.3)),),
        1.0,
        400,
        EDGES_S,
        cohorts=2,
    )
    plane = DataPlane(network, 2)
    plane.set_ready(0, 0, [0])
    plane.set_ready(0, 1, [0])
    plane.set_weights(0, (0.95, 0.05))
    plane.set_defects(0, 1, [Defect(error_ratio=0.4, cohort=1)])
    plane.run(400.0)
    rows = plane.recording().service.sum(axis=0)  # version 0 cohorts 0, 1; version 1 cohorts 0, 1
    totals = rows.sum(axis=1)
    for count, of, share in (
        (totals[2:].sum(), totals.sum(), 0.05),
        (totals[[1, 3]].sum(), totals.sum(), 0.3),
        (rows[3, 1], totals[3], 0.4),
    ):
        assert abs(count / of - share) < STANDARD_ERRORS * math.sqrt(share * (1 - share) / of)
    assert rows[:3, 1].sum() == 0
