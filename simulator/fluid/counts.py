"""Counts drawn by inversion, each row and step from a key of its own.

Counts above `_EXACT_MAX` on the mean are drawn from the normal distribution with the Cornish-Fisher term for skewness;
smaller ones by inversion.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.draws import GOLDEN, mix, normal_quantile, nth, unit
from simulator.kernel.inline import inlined, outlined
from simulator.layout import ERROR, REFUSED, TIMEOUT

_EXACT_MAX = 12.0


@inlined
def begin_draws(draw: NDArray[np.uint64], keys: NDArray[np.uint64], stream: int, row: int, cell: int) -> None:
    """Draw from the beginning of a row's sequence for a cell."""
    draw[0] = nth(nth(keys[stream], row), cell)


@inlined
def draw_bits(draw: NDArray[np.uint64]) -> np.uint64:
    """The next number of the running sequence."""
    draw[0] += GOLDEN
    return mix(draw[0])


@inlined
def draw_unit(draw: NDArray[np.uint64]) -> float:
    """The next uniform number of the running sequence, in (0, 1)."""
    return unit(draw_bits(draw))


@outlined
def poisson(draw: NDArray[np.uint64], mean: float) -> int:
    """A Poisson count."""
    if mean <= 0.0:
        return 0
    u = draw_unit(draw)
    if mean > _EXACT_MAX:
        return _near_normal(u, mean, math.sqrt(mean), 1.0 / math.sqrt(mean))
    term = math.exp(-mean)
    below, count = term, 0
    while u > below and count < 100:
        count += 1
        term *= mean / count
        below += term
    return count


@outlined
def _near_normal(u: float, mean: float, deviation: float, skewness: float) -> int:
    z = normal_quantile(u)
    return max(0, math.floor(mean + deviation * (z + (z * z - 1.0) * skewness / 6.0) + 0.5))


@outlined
def binomial(draw: NDArray[np.uint64], n: int, p: float) -> int:
    """Successes among n."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    return binomial_at(draw_unit(draw), n, p)


@outlined
def binomial_at(u: float, n: int, p: float) -> int:
    """The u-quantile of the successes among n, for p strictly inside (0, 1)."""
    if p > 0.5:
        return n - _binomial_low(1.0 - u, n, 1.0 - p)
    return _binomial_low(u, n, p)


@outlined
def _binomial_low(u: float, n: int, p: float) -> int:
    """For p up to one half."""
    mean = n * p
    if mean > _EXACT_MAX:
        deviation = math.sqrt(mean * (1.0 - p))
        return min(n, _near_normal(u, mean, deviation, (1.0 - 2.0 * p) / deviation))
    term = math.exp(n * math.log1p(-p))
    below, count, odds = term, 0, p / (1.0 - p)
    while u > below and count < n and count < 100:
        term *= odds * (n - count) / (count + 1)
        count += 1
        below += term
    return count


@outlined
def burst_at(u: float, n: int, p: float, burst: float, most: int) -> int:
    """As `binomial_at`, with the variance larger by `burst` times the mean: negative binomial, up to `most`."""
    mean = n * p
    index = 1.0 - p + burst
    if index <= 1.0:
        return binomial_at(u, n, p)
    if mean > _EXACT_MAX * index:
        deviation = math.sqrt(mean * index)
        return min(most, _near_normal(u, mean, deviation, (2.0 * index - 1.0) / deviation))
    size, q = mean / (index - 1.0), 1.0 - 1.0 / index
    term = math.exp(-size * math.log(index))
    below, count = term, 0
    while u > below and count < most and count < 1000:
        term *= q * (count + size) / (count + 1)
        count += 1
        below += term
    return count


@inlined
def failing(shares: NDArray[np.float64]) -> float:
    """The share of those that fail, in any way."""
    return shares[ERROR] + shares[TIMEOUT] + shares[REFUSED]
