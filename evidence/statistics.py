"""Small, exact statistics: every figure of a report comes with its interval.

Confidence is 95 % throughout unless told otherwise. The distributions come from scipy.special: scipy.stats holds the
same ones, but takes most of a second to import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evidence.errors import JudgeError
from evidence.strata import Strata

__all__ = [
    "Estimate",
    "mean_with_interval",
    "paired_mean_difference",
    "paired_share_difference",
    "quantile_with_interval",
    "share_with_interval",
    "skewness_of_mean",
    "wilson_interval",
]

CONFIDENCE = 0.95
# Below this skewness a transformation changes nothing but rounding.
_SYMMETRIC = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its confidence interval; low and high may be infinite where data cannot bound it."""

    value: float
    low: float
    high: float
    n: int


def share_with_interval(hits: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A binomial share with its Clopper-Pearson interval (Biometrika 26, 1934), by the beta quantiles.

    Raises JudgeError unless 0 <= hits <= n and n >= 1.
    """
    if n < 1 or not 0 <= hits <= n:
        raise JudgeError(f"hits(={hits}) of n(={n}) must be 0 <= hits <= n with n >= 1")
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else float(special.betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(special.betaincinv(hits + 1, n - hits, 1.0 - tail))
    return Estimate(hits / n, low, high, n)


def wilson_interval(hits: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval for a share (JASA 22, 1927)."""
    z = float(special.ndtri(0.5 + confidence / 2.0))
    share, square = hits / n, z * z / n
    centre = (share + square / 2.0) / (1.0 + square)
    half = z * math.sqrt(share * (1.0 - share) / n + square / (4.0 * n)) / (1.0 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def quantile_with_interval(values: ArrayLike, quantile: float, confidence: float = CONFIDENCE) -> Estimate:
    """A quantile, the ceil(q n)-th smallest value, between order statistics that cover it.

    The ranks come from the binomial distribution, each tail at most (1 - confidence) / 2 (Conover,
    Practical Nonparametric Statistics, 3.2); where no rank does that, the end is infinite. Values may
    be inf (censored). Raises JudgeError without values.
    """
    ranked: NDArray[np.float64] = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ranked)
    if n == 0:
        raise JudgeError("a quantile needs at least 1 value (got 0)")
    tail = (1.0 - confidence) / 2.0
    place = max(1, math.ceil(round(quantile * n, 9)))
    # B counts the values at or below the true quantile: it is binomial(n, quantile), and below[k] = P(B <= k).
    # The r-th value lies above the quantile when B <= r - 1, the s-th below it when B >= s.
    below = special.bdtr(np.arange(n + 1), n, quantile)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1.0 - tail, side="left")) + 1
    return Estimate(
        value=float(ranked[place - 1]),
        low=-math.inf if low < 1 else float(ranked[low - 1]),
        high=math.inf if high > n else float(ranked[high - 1]),
        n=n,
    )


def mean_with_interval(values: ArrayLike, confidence: float = CONFIDENCE, strata: Strata | None = None) -> Estimate:
    """A mean with its interval, which is infinite with fewer than two values of a kind. JudgeError without any value.

    With `strata` the mean is that of each kind, weighed by how likely it is. The interval is Student's t, made wider in
    two ways where a few values make the most of the mean, as the damage of rare bad releases does:

    - Their variance is itself hardly known. t has the degrees of freedom at which a variance of normal values is known
      as badly (Satterthwaite, Biometrics Bulletin 2, 1946): of each kind 2 n / (kurtosis - 1), n - 1 at the most.
    - They are skewed, and a sample seldom holds the worst of them. The side towards the tail reaches as far as Hall's
      transformation, which takes out the skewness, says (Journal of the Royal Statistical Society B 54, 1992); the
      other side stays, for the skewness of few is hardly known either.

    docs/verification.md says how often such intervals cover.
    """
    data = np.asarray(values, dtype=np.float64)
    if len(data) == 0:
        raise JudgeError("a mean needs at least 1 value (got 0)")
    kinds = _kinds(data, strata)
    if any(len(each) == 0 for _, each in kinds):
        return Estimate(float(data.mean()), -math.inf, math.inf, len(data))
    mean = sum(share * float(each.mean()) for share, each in kinds)
    if any(len(each) == 1 for _, each in kinds):
        return Estimate(mean, -math.inf, math.inf, len(data))
    variances = _variances(kinds)
    variance = sum(variances)
    if variance <= 0.0:
        return Estimate(mean, mean, mean, len(data))
    known = sum(part**2 / _freedom(each) for part, (_, each) in zip(variances, kinds, strict=True))
    reach = float(special.stdtrit(variance**2 / known, 0.5 + confidence / 2.0))
    skewness = _skewness(kinds, variance)
    low, high = max(reach, _arm(reach, skewness)), max(reach, _arm(reach, -skewness))
    error = math.sqrt(variance)
    return Estimate(mean, mean - low * error, mean + high * error, len(data))


def skewness_of_mean(values: ArrayLike, strata: Strata | None = None) -> float:
    """Of the mean that `mean_with_interval` tells, not of its values; infinite with fewer than two values of a kind.

    With `strata` as far as their first kind, the releases without a defect, makes it.
    """
    kinds = _kinds(np.asarray(values, dtype=np.float64), strata)
    if any(len(each) < 2 for _, each in kinds):
        return math.inf
    variance = sum(_variances(kinds))
    return _skewness(kinds[:1], variance) if variance > 0.0 else 0.0


def paired_mean_difference(
    ours: ArrayLike, theirs: ArrayLike, confidence: float = CONFIDENCE, strata: Strata | None = None
) -> Estimate:
    """Mean of ours - theirs, pair by pair, with the interval of a mean. JudgeError when lengths differ."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if a.shape != b.shape:
        raise JudgeError(f"pairs need equal lengths (got {len(a)} and {len(b)})")
    return mean_with_interval(a - b, confidence, strata)


def _kinds(data: NDArray[np.float64], strata: Strata | None) -> list[tuple[float, NDArray[np.float64]]]:
    """The share of each kind, and its values."""
    if strata is None:
        return [(1.0, data)]
    if len(strata.of) != len(data):
        raise JudgeError(f"strata must be of {len(data)} replications, as there are values (got {len(strata.of)})")
    return [(share, data[strata.of == kind]) for kind, share in enumerate(strata.shares)]


def _variances(kinds: Sequence[tuple[float, NDArray[np.float64]]]) -> list[float]:
    """What each kind adds to the variance of the mean."""
    return [share**2 * float(each.var(ddof=1)) / len(each) for share, each in kinds]


def _skewness(kinds: Sequence[tuple[float, NDArray[np.float64]]], variance: float) -> float:
    third = sum(share**3 * _third_moment(each) for share, each in kinds)
    return float(third / variance**1.5)


def _freedom(values: NDArray[np.float64]) -> float:
    """At least 1, as of two normal values, and at most n - 1; the kurtosis of normal values is 3."""
    n = len(values)
    squares = (values - values.mean()) ** 2
    spread = float(squares.mean())
    kurtosis = float((squares**2).mean()) / spread**2 if spread > 0.0 else 3.0
    return min(n - 1.0, max(1.0, 2.0 * n / (max(kurtosis, 3.0) - 1.0)))


def _third_moment(values: NDArray[np.float64]) -> float:
    """Of their mean, about its expectation, unbiased; two values tell nothing of it."""
    n = len(values)
    return 0.0 if n < 3 else float(((values - values.mean()) ** 3).sum()) / ((n - 1) * (n - 2) * n)


def _arm(reach: float, skewness: float) -> float:
    """How many standard errors below a mean with an estimate of this skewness its expectation may lie, by Hall."""
    if abs(skewness) < _SYMMETRIC:
        return reach
    return 3.0 / skewness * (math.cbrt(1.0 + skewness * (reach - skewness / 6.0)) - 1.0)


def paired_share_difference(
    ours: Sequence[bool] | NDArray[np.bool_],
    theirs: Sequence[bool] | NDArray[np.bool_],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Difference of two paired shares with Newcombe's score interval.

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17 (1998) 2635-2650: Wilson limits of the
    two shares combined with the correlation of the pairs (continuity-corrected when positive).
    """
    a, b = np.asarray(ours, dtype=bool), np.asarray(theirs, dtype=bool)
    if a.shape != b.shape or len(a) == 0:
        raise JudgeError(f"pairs need equal lengths above 0 (got {len(a)} and {len(b)})")
    n = len(a)
    both, only_a = int((a & b).sum()), int((a & ~b).sum())
    only_b = int((~a & b).sum())
    neither = n - both - only_a - only_b
    share_a, share_b = (both + only_a) / n, (both + only_b) / n
    low_a, high_a = wilson_interval(both + only_a, n, confidence)
    low_b, high_b = wilson_interval(both + only_b, n, confidence)
    phi = _correlation(both, only_a, only_b, neither)
    below_a, above_a = share_a - low_a, high_a - share_a
    below_b, above_b = share_b - low_b, high_b - share_b
    down = below_a**2 - 2.0 * phi * below_a * above_b + above_b**2
    up = above_a**2 - 2.0 * phi * above_a * below_b + below_b**2
    difference = share_a - share_b
    return Estimate(difference, difference - math.sqrt(max(0.0, down)), difference + math.sqrt(max(0.0, up)), n)


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    n = both + only_a + only_b + neither
    product = both * neither - only_a * only_b
    corrected = max(0.0, product - n / 2) if product > 0 else float(product)
    return corrected / math.sqrt(margins)
