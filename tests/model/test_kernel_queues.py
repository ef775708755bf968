"""The kernel against closed forms. Tolerances are four standard errors, taken from batch means of the run itself."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 100.0, 81)
BATCHES = 25
STANDARD_ERRORS = 4.0


def one_station(
    workers: int,
    service: Distribution,
    rate: float,
    horizon_s: float,
    queue: int = -1,
    rates: tuple[tuple[float, float], ...] | None = None,
) -> Network:
    return Network(
        (Station("s", workers, service, queue),),
        (Call(CLIENT, 0),),
        (Function("f", rates or ((0.0, rate),), Node(0)),),
        horizon_s / 1000,
        1000,
        EDGES_S,
    )


def batches(network: Network, seed: int = 7, warm_up: int = 1) -> NDArray[np.float64]:
    """Per batch after the first: mean wait, mean number in system, arrivals, mean time in system; [batches, 4]."""
    plane = DataPlane(network, seed)
    for station in range(len(network.stations)):
        plane.set_ready(station, 0, [0])
    seen = []
    times = np.linspace(0, network.horizon_s, BATCHES + warm_up + 1)
    for until_s in times:
        plane.run(float(until_s))
        row = plane.state.stations[0]
        inside = row["entered"] - row["left"]
        area_s = row["balance_s"] + inside * until_s
        seen.append((row["waited_s"], row["started"], area_s, row["entered"], row["left"]))
    waited, started, area_s, entered, left = np.diff(np.array(seen, np.float64), axis=0)[warm_up:].T
    span_s = times[1] - times[0]
    return np.array([waited / started, area_s / span_s, entered, area_s / left]).T


def assert_mean(values: NDArray[np.float64], expected: float) -> None:
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) < STANDARD_ERRORS * error, (values.mean(), expected, error)
    assert error < 0.1 * abs(expected), "too noisy a run to say anything"


def erlang_c_wait(servers: int, load: float, service_s: float) -> float:
    """Mean wait in M/M/c (Erlang C)."""
    offered = servers * load
    term = offered**servers / math.factorial(servers) / (1 - load)
    waiting = term / (sum(offered**k / math.factorial(k) for k in range(servers)) + term)
    return waiting * service_s / (servers * (1 - load))


@pytest.mark.parametrize("servers", [1, 2, 10])
def test_mmc_wait_is_erlangs(servers):
    network = one_station(servers, Distribution(Kind.EXPONENTIAL, 1.0), 0.8 * servers, 400_000 / servers)
    assert_mean(batches(network)[:, 0], erlang_c_wait(servers, 0.8, 1.0))


@pytest.mark.parametrize(
    ("service", "second_moment"),
    [
        (Distribution(Kind.CONSTANT, 1.0), 1.0),
        (Distribution(Kind.UNIFORM, 0.0, 2.0), 4 / 3),
        (Distribution(Kind.LOGNORMAL, -0.5 * math.log(1.25), math.sqrt(math.log(1.25))), 1.25),
    ],
    ids=["M/D/1", "uniform", "lognormal"],
)
def test_mg1_wait_is_pollaczek_khinchines(service, second_moment):
    assert service.mean_s == pytest.approx(1.0)
    expected = 0.8 * second_moment / (2 * 0.2)
    assert_mean(batches(one_station(1, service, 0.8, 400_000))[:, 0], expected)


def test_littles_law_links_three_separate_counts():
    network = one_station(3, Distribution(Kind.EXPONENTIAL, 1.0), 2.4, 100_000)
    _, in_system, entered, sojourn_s = batches(network).T
    span_s = network.horizon_s / (BATCHES + 1)
    # The edges of a batch are all that may differ: a few sojourns among thousands.
    assert np.allclose(in_system, entered / span_s * sojourn_s, rtol=0.03)
    assert_mean(sojourn_s, erlang_c_wait(3, 0.8, 1.0) + 1.0)


def test_a_bounded_queue_refuses_as_many_as_mm1k_says():
    load, places = 0.9, 3  # one in service, three waiting: K = 4
    network = one_station(1, Distribution(Kind.EXPONENTIAL, 1.0), load, 200_000, queue=places)
    plane = DataPlane(network, 3)
    plane.set_ready(0, 0, [0])
    plane.run(network.horizon_s)
    client = plane.recording().client.sum(axis=(1, 2)).reshape(25, 40, -1).sum(axis=1)
    expected = (1 - load) * load**4 / (1 - load**5)
    assert_mean(client[:, 3] / client[:, 0], expected)


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
    effective = x ** (retries + 1)
    load = (1 - effective) / (1 - x)
    assert abs(failed / requests - effective) < STANDARD_ERRORS * math.sqrt(effective * (1 - effective) / requests)
    # Attempts of one request are 1 + min(Geometric, 3): their variance is below that of the whole geometric.
    spread = sum((k - load) ** 2 * x ** (k - 1) * (1 - x) for k in range(1, retries + 1))
    spread += (retries + 1 - load) ** 2 * x**retries
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
