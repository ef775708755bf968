"""Statistics against published and independently computed values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import special

from evidence.errors import JudgeError
from evidence.statistics import (
    mean_with_interval,
    paired_mean_difference,
    paired_share_difference,
    quantile_with_interval,
    share_with_interval,
    wilson_interval,
)
from evidence.strata import Strata


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


def test_means_that_a_few_values_make_have_few_degrees_of_freedom_and_reach_towards_their_tail() -> None:
    even = np.arange(50.0)
    assert paired_mean_difference(even, np.zeros(50)) == mean_with_interval(even)
    one = np.where(even == 7.0, 1.0, 0.0)  # kurtosis 48.02: 2.13 degrees of freedom, as of two or three values
    found = mean_with_interval(one)
    assert found.value - found.low == pytest.approx(4.06 * 0.02, rel=0.01)
    # Hall's transformation turned round at -4.06, with the skewness of the mean: 50 / (49 * 48 * 50) * 46.08 / 0.02**3.
    skewness = ((one - 0.02) ** 3).sum() / (49 * 48 * 50) / 0.02**3
    reach = -3 / skewness * (np.cbrt(1 - skewness * (4.06 + skewness / 6)) - 1)
    assert found.high - found.value == pytest.approx(reach * 0.02, rel=0.01)
    assert reach > 4.06
    turned = mean_with_interval(-one)
    assert (turned.low, turned.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def kinds(of: Sequence[int], *shares: float) -> Strata:
    return Strata(np.array(of), shares)


def test_a_mean_of_kinds_is_weighed_by_how_likely_they_are() -> None:
    # Means 2 and 11, variances of them 1/3 and 1; by Satterthwaite 3.11 degrees of freedom.
    found = mean_with_interval([1.0, 10.0, 2.0, 12.0, 3.0], strata=kinds([0, 1, 0, 1, 0], 0.9, 0.1))
    variance = 0.9**2 / 3 + 0.1**2
    freedom = variance**2 / ((0.9**2 / 3) ** 2 / 2 + 0.1**4)
    half = special.stdtrit(freedom, 0.975) * math.sqrt(variance)
    assert (found.value, found.high - found.value) == (pytest.approx(2.9), pytest.approx(half))
    with pytest.raises(JudgeError, match=r"2 replications, as there are values \(got 3\)"):
        mean_with_interval([1.0, 2.0], strata=kinds([0, 0, 1], 0.5, 0.5))


def test_of_a_kind_met_once_or_never_nothing_is_known() -> None:
    met_once = mean_with_interval([0.0, 0.0, 4.0], strata=kinds([0, 0, 1], 0.75, 0.25))
    assert (met_once.value, met_once.low, met_once.high) == (1.0, -math.inf, math.inf)
    never = mean_with_interval([0.0, 2.0], strata=kinds([0, 0], 0.9, 0.1))
    assert (never.value, never.low, never.high) == (1.0, -math.inf, math.inf)
    assert mean_with_interval([0.0, 0.0, 4.0, 4.0], strata=kinds([0, 0, 1, 1], 0.75, 0.25)).high == 1.0


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
