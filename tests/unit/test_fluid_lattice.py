"""Distributions on lattices: means are kept, sums and cuts are what they should be."""

import math

import numpy as np
import pytest

from simulator.fluid import lattice
from simulator.network import Kind


@pytest.fixture
def pool() -> lattice.Pool:
    return lattice.pool(8)


def quantile(pool: lattice.Pool, a: int, share: float) -> float:
    weights = pool.w[a, : pool.n[a]]
    return pool.off[a] + pool.step[a] * int(np.searchsorted(np.cumsum(weights), share * weights.sum()))


@pytest.mark.parametrize(
    ("kind", "p0", "p1", "mean", "median"),
    [
        (Kind.CONSTANT, 0.02, 0.0, 0.02, 0.02),
        (Kind.EXPONENTIAL, 0.02, 0.0, 0.02, 0.02 * math.log(2)),
        (Kind.LOGNORMAL, math.log(0.02), 0.5, 0.02 * math.exp(0.125), 0.02),
        (Kind.UNIFORM, 0.01, 0.03, 0.02, 0.02),
    ],
)
def test_service_times_have_their_mean_and_median(pool, kind, p0, p1, mean, median) -> None:
    lattice.service(pool, 0, int(kind), p0, p1)
    first, _ = lattice.moments(pool, 0)
    assert lattice.mass(pool, 0) == pytest.approx(1.0, abs=1e-6)
    assert first == pytest.approx(mean, rel=1e-5)
    assert quantile(pool, 0, 0.5) == pytest.approx(median, abs=1.5 * pool.step[0] + 1e-9)


@pytest.mark.parametrize("cv", [0.5, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("limit", [5.0, 10.0, 20.0])
def test_a_lognormal_time_has_its_mean_and_its_tail(pool, cv: float, limit: float) -> None:
    sigma = math.sqrt(math.log1p(cv * cv))
    lattice.service(pool, 0, int(Kind.LOGNORMAL), -0.5 * sigma * sigma, sigma)
    assert lattice.mass(pool, 0) == pytest.approx(1.0, abs=1e-6)
    assert lattice.moments(pool, 0)[0] == pytest.approx(1.0, rel=1e-4)
    beyond = 0.5 * math.erfc((math.log(limit) + 0.5 * sigma * sigma) / sigma / math.sqrt(2.0))
    assert lattice.cut_at(pool, 0, limit) == pytest.approx(beyond, rel=0.03, abs=1e-4)


def test_a_sum_has_the_sum_of_means_and_variances(pool) -> None:
    lattice.service(pool, 0, int(Kind.LOGNORMAL), math.log(0.003), 0.8)
    lattice.service(pool, 1, int(Kind.EXPONENTIAL), 0.05, 0.0)
    lattice.stretch(pool, 1, 2.0, 0.7)
    lattice.convolve(pool, 0, 1, 2, 3, 4)
    parts = [lattice.moments(pool, each) for each in range(3)]
    variances = [second - first**2 for first, second in parts]
    assert parts[2][0] == pytest.approx(parts[0][0] + parts[1][0], rel=1e-6)
    assert variances[2] == pytest.approx(variances[0] + variances[1], rel=0.02)
    assert pool.n[2] <= lattice.POINTS


def test_a_constant_far_away_stays_narrow(pool) -> None:
    lattice.service(pool, 0, int(Kind.LOGNORMAL), math.log(0.01), 0.5)
    lattice.point(pool, 1, 60.0, 1.0)
    lattice.convolve(pool, 0, 1, 2, 3, 4)
    assert pool.step[2] == pool.step[0]
    assert lattice.cut_at(pool, 2, 60.0) == pytest.approx(1.0)


def test_the_latest_of_two_times(pool) -> None:
    for lattice_number in range(2):
        lattice.service(pool, lattice_number, int(Kind.EXPONENTIAL), 0.02, 0.0)
    lattice.latest(pool, 0, 1, 2, 3)
    assert lattice.mass(pool, 2) == pytest.approx(1.0, abs=1e-6)
    assert lattice.moments(pool, 2)[0] == pytest.approx(0.03, rel=0.01)  # 1/2a + 1/a, a = 50
    lattice.point(pool, 1, 0.5, 0.25)
    lattice.latest(pool, 0, 1, 2, 3)
    assert (lattice.mass(pool, 2), lattice.moments(pool, 2)[0]) == pytest.approx((0.25, 0.125), rel=1e-4)


def test_mixing_and_cutting_keep_the_mass(pool) -> None:
    lattice.point(pool, 0, 0.03, 1.0)
    lattice.point(pool, 1, 0.83, 1.0)
    lattice.clear(pool, 2)
    lattice.mix(pool, 2, 0.9, 0, 3)
    lattice.mix(pool, 2, 0.1, 1, 3)
    assert lattice.moments(pool, 2)[0] == pytest.approx(0.9 * 0.03 + 0.1 * 0.83)
    assert lattice.cut_at(pool, 2, math.inf) == 0.0
    bins = np.zeros(4)
    lattice.add_to_bins(pool, 0, 1.0, np.array([0.01, 0.03, 0.1]), bins)
    assert bins.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_bins_hold_what_falls_between_their_edges(pool) -> None:
    lattice.service(pool, 0, int(Kind.EXPONENTIAL), 0.1, 0.0)
    edges = np.array([0.02, 0.05, 0.1, 0.3])
    bins = np.zeros(5)
    lattice.add_to_bins(pool, 0, 1.0, edges, bins)
    expected = np.diff(np.concatenate([[0.0], 1 - np.exp(-edges / 0.1), [1.0]]))
    assert bins == pytest.approx(expected, abs=0.005)
