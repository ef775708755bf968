"""Statistics against published and independently computed values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evidence.errors import JudgeError
from evidence.statistics import (
    mean_with_interval,
    paired_mean_difference,
    paired_share_difference,
    quantile_with_interval,
    share_with_interval,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 5 (Clopper-Pearson).
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson(hits: int, n: int, low: float, high: float) -> None:
    found = share_with_interval(hits, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_clopper_pearson_of_nothing_but_hits_is_the_rule_of_the_nth_root() -> None:
    assert share_with_interval(20, 20).low == pytest.approx(0.025 ** (1 / 20))
    assert share_with_interval(20, 20).high == 1.0


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(hits: int, n: int, low: float, high: float) -> None:
    # The same table, method 3.
    assert wilson_interval(hits, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_quantiles_lie_between_order_statistics_of_the_binomial() -> None:
    # n = 10, median: P(B <= 1) = 11/1024 <= 0.025 < P(B <= 2) = 56/1024, hence ranks 2 and 9.
    found = quantile_with_interval(np.arange(1, 11), 0.5)
    assert (found.value, found.low, found.high) == (5.0, 2.0, 9.0)
    # Four values cannot bound a p95 from above: P(B <= 3) = 0.185.
    assert quantile_with_interval([4, 3, 2, 1], 0.95).high == math.inf
    assert quantile_with_interval([1.0, math.inf, 2.0], 0.95).value == math.inf


def test_mean_with_its_t_interval() -> None:
    # t(0.975, 3 degrees of freedom) = 3.18245; standard deviation of 1..4 is sqrt(5/3).
    found = mean_with_interval([1, 2, 3, 4])
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert (found.value, found.high - found.value) == (2.5, pytest.approx(half, rel=1e-6))
    assert mean_with_interval([7]).low == -math.inf


def test_paired_means() -> None:
    assert paired_mean_difference([3, 5], [1, 3]).value == 2.0
    assert paired_mean_difference([3, 5], [1, 3]).low == 2.0
    with pytest.raises(JudgeError, match=r"equal lengths \(got 1 and 2\)"):
        paired_mean_difference([1], [1, 2])


def test_paired_means_that_a_few_pairs_make_have_few_degrees_of_freedom() -> None:
    even = np.arange(50.0)
    assert paired_mean_difference(even, np.zeros(50)) == mean_with_interval(even)
    one = np.where(even == 7.0, 1.0, 0.0)  # kurtosis 48.02: 2.13 degrees of freedom, as of two or three values
    half = paired_mean_difference(one, np.zeros(50)).high - 0.02
    assert half == pytest.approx(4.06 * 0.02, rel=0.01)


def test_paired_means_cover_where_bad_releases_are_rare() -> None:
    rng, truth = np.random.default_rng(3), 0.05 * 0.4 * math.exp(1.32)
    confidence, found = 1.0 - 0.05 / 3.0, []
    for _ in range(1000):
        ours = np.where(rng.random(200) < 0.05, rng.lognormal(1.0, 0.8, 200), 0.0)
        both = paired_mean_difference(1.4 * ours, ours, confidence), mean_with_interval(0.4 * ours, confidence)
        found.append([each.low <= truth <= each.high for each in both])
    ours_covers, plain_covers = np.mean(found, axis=0)
    assert ours_covers > 0.945
    assert plain_covers < 0.93


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 2635-2650, table III, method 10.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((18, 12, 2, 18), 0.0562, 0.3290),
        ((36, 14, 0, 0), 0.1528, 0.4167),
        ((35, 14, 0, 1), 0.1461, 0.4175),
        ((18, 14, 0, 18), 0.1441, 0.3963),
        ((2, 97, 1, 0), 0.8721, 0.9854),
        ((1, 97, 1, 1), 0.8736, 0.9850),
        ((0, 30, 0, 0), 0.8395, 1.0),
        ((54, 0, 0, 0), -0.0664, 0.0664),
        ((30, 0, 0, 24), -0.0358, 0.0358),
    ],
)
def test_paired_shares(table: tuple[int, int, int, int], low: float, high: float) -> None:
    found = paired_share_difference(*pairs(*table))
    # The paper prints 4 digits of figures that it rounded on the way.
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_paired_shares_are_antisymmetric() -> None:
    a, b = pairs(30, 8, 3, 9)
    ours, theirs = paired_share_difference(a, b), paired_share_difference(b, a)
    assert (ours.value, ours.low, ours.high) == (
        -theirs.value, pytest.approx(-theirs.high), pytest.approx(-theirs.low),
    )  # fmt: skip


def test_nonsense_is_refused() -> None:
    for hits, n in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(JudgeError, match="must be 0 <= hits <= n"):
            share_with_interval(hits, n)
    for call in (lambda: quantile_with_interval([], 0.5), lambda: mean_with_interval([])):
        with pytest.raises(JudgeError, match="at least 1 value"):
            call()
