"""Distributions of seconds as weights on short, evenly spaced lattices: what answers of the fluid plane are made of.

A lattice has an offset, a step and at most `POINTS` weights, whose sum may be below 1 (the rest is told elsewhere). So
a constant is one point, and a constant plus a narrow distribution stays narrow: no grid common to all has to hold
both 1 ms and 1 minute. Wherever weights move to another lattice, each is split between its two neighbours so that
the mean stays; the spread grows by at most half a step, 1/256 of the range.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.inline import outlined

POINTS = 128
RARE = 1e-7
NEVER = 1e-9
"""Shares below these are left out of lattices: they would only make them coarser."""
_TAIL = 1e-9
_COARSE = 0.01
"""By how much the mean of points may be off before they are scaled."""
_WAIT_POINTS = 64


class Pool(NamedTuple):
    """Lattices by number. Shapes in brackets."""

    w: NDArray[np.float64]  # [lattices, POINTS]
    off: NDArray[np.float64]  # [lattices] seconds of the first point
    step: NDArray[np.float64]  # [lattices] seconds; 0 for a single point
    n: NDArray[np.int64]  # [lattices] points in use; 0 is nothing


def pool(lattices: int) -> Pool:
    """Empty lattices."""
    return Pool(np.zeros((lattices, POINTS)), np.zeros(lattices), np.zeros(lattices), np.zeros(lattices, np.int64))


@outlined
def clear(p: Pool, a: int) -> None:
    """Make it nothing."""
    p.n[a] = 0
    p.step[a] = 0.0


@outlined
def point(p: Pool, a: int, at_s: float, weight: float) -> None:
    """Make it one point."""
    p.n[a], p.off[a], p.step[a], p.w[a, 0] = 1, at_s, 0.0, weight


@outlined
def mass(p: Pool, a: int) -> float:
    """The sum of its weights."""
    total = 0.0
    for i in range(p.n[a]):
        total += p.w[a, i]
    return total


@outlined
def moments(p: Pool, a: int) -> tuple[float, float]:
    """Sums of weight times seconds, and of weight times seconds squared."""
    first = second = 0.0
    for i in range(p.n[a]):
        x = p.off[a] + i * p.step[a]
        first += p.w[a, i] * x
        second += p.w[a, i] * x * x
    return first, second


@outlined
def mean_upto(p: Pool, a: int, limit_s: float) -> float:
    """The sum of weight times seconds, each up to the limit."""
    total = 0.0
    for i in range(p.n[a]):
        total += p.w[a, i] * min(p.off[a] + i * p.step[a], limit_s)
    return total


@outlined
def copy(p: Pool, a: int, out: int, factor: float) -> None:
    """`out` becomes `factor` times `a`."""
    p.n[out], p.off[out], p.step[out] = p.n[a], p.off[a], p.step[a]
    for i in range(p.n[a]):
        p.w[out, i] = factor * p.w[a, i]


@outlined
def _deposit(p: Pool, a: int, factor: float, out: int) -> None:
    """Add `factor` times `a` to the points of `out`, which span it."""
    top = p.n[out] - 1
    for i in range(p.n[a]):
        weight = factor * p.w[a, i]
        if top == 0:
            p.w[out, 0] += weight
            continue
        place = (p.off[a] + i * p.step[a] - p.off[out]) / p.step[out]
        low = min(max(int(place), 0), top - 1)
        high_share = min(max(place - low, 0.0), 1.0)
        p.w[out, low] += weight * (1.0 - high_share)
        p.w[out, low + 1] += weight * high_share


@outlined
def _span(p: Pool, out: int, low_s: float, high_s: float, step_s: float) -> None:
    """Make `out` zeros from `low_s` to `high_s`, `step_s` apart or as close as there is room for."""
    width = high_s - low_s
    if width <= 1e-12:
        p.n[out], p.off[out], p.step[out], p.w[out, 0] = 1, low_s, 0.0, 0.0
        return
    step = max(step_s, width / (POINTS - 1))
    n = min(POINTS, math.ceil(width / step - 1e-9) + 1)
    p.n[out], p.off[out], p.step[out] = n, low_s, max(step, width / (n - 1))
    p.w[out, :n] = 0.0


@outlined
def trim(p: Pool, a: int) -> None:
    """Cut off ends that weigh next to nothing."""
    n = p.n[a]
    while n > 1 and p.w[a, n - 1] < _TAIL:
        n -= 1
    first = 0
    while first < n - 1 and p.w[a, first] < _TAIL:
        first += 1
    if first > 0:
        for i in range(first, n):
            p.w[a, i - first] = p.w[a, i]
        p.off[a] += first * p.step[a]
    p.n[a] = n - first
    if p.n[a] == 1:
        p.step[a] = 0.0


@outlined
def mix(p: Pool, out: int, factor: float, a: int, spare: int) -> None:
    """Add `factor` times `a` to `out`. `spare` is overwritten."""
    if p.n[a] == 0 or factor <= 0.0:
        return
    if p.n[out] == 0:
        copy(p, a, out, factor)
        return
    low = min(p.off[out], p.off[a])
    high = max(p.off[out] + (p.n[out] - 1) * p.step[out], p.off[a] + (p.n[a] - 1) * p.step[a])
    _span(p, spare, low, high, _finer(p, out, a, high - low))
    _deposit(p, out, 1.0, spare)
    _deposit(p, a, factor, spare)
    copy(p, spare, out, 1.0)


@outlined
def convolve(p: Pool, a: int, b: int, out: int, spare: int, spare2: int) -> None:
    """`out` becomes the sum of two independent times; not one of the others. The spares are overwritten."""
    if p.n[a] == 0 or p.n[b] == 0:
        clear(p, out)
        return
    if p.n[b] == 1:
        copy(p, a, out, p.w[b, 0])
        p.off[out] += p.off[b]
        return
    if p.n[a] == 1:
        copy(p, b, out, p.w[a, 0])
        p.off[out] += p.off[a]
        return
    wide_a, wide_b = (p.n[a] - 1) * p.step[a], (p.n[b] - 1) * p.step[b]
    # Two points more than the width needs: rounding up each part's own points takes at most those.
    step = max(max(p.step[a], p.step[b]), (wide_a + wide_b) / (POINTS - 3))
    one, two = _on_step(p, a, step, spare), _on_step(p, b, step, spare2)
    n = p.n[one] + p.n[two] - 1
    p.n[out], p.off[out], p.step[out] = n, p.off[one] + p.off[two], step
    p.w[out, :n] = 0.0
    for i in range(p.n[one]):
        weight = p.w[one, i]
        if weight > 0.0:
            for j in range(p.n[two]):
                p.w[out, i + j] += weight * p.w[two, j]
    trim(p, out)


@outlined
def latest(p: Pool, a: int, b: int, out: int, spare: int) -> None:
    """`out` becomes the later of two independent times; not one of the others. The spare is overwritten."""
    if p.n[a] == 0 or p.n[b] == 0:
        clear(p, out)
        return
    low = max(p.off[a], p.off[b])
    high = max(low, p.off[a] + (p.n[a] - 1) * p.step[a], p.off[b] + (p.n[b] - 1) * p.step[b])
    step = _finer(p, a, b, high - low)
    _span(p, out, low, high, step)
    _span(p, spare, low, high, step)
    _deposit(p, a, 1.0, out)
    _deposit(p, b, 1.0, spare)
    below_a = below_b = before = 0.0
    for i in range(p.n[out]):
        below_a += p.w[out, i]
        below_b += p.w[spare, i]
        p.w[out, i] = below_a * below_b - before
        before = below_a * below_b
    trim(p, out)


@outlined
def _finer(p: Pool, a: int, b: int, width: float) -> float:
    """The finer of two steps; `width` where both are single times and have none."""
    if p.step[a] > 0 and p.step[b] > 0:
        return min(p.step[a], p.step[b])
    if p.step[a] > 0 or p.step[b] > 0:
        return max(p.step[a], p.step[b])
    return width


@outlined
def _on_step(p: Pool, a: int, step: float, spare: int) -> int:
    """`a` itself when it has the step, else `spare`, which becomes `a` with it."""
    if p.step[a] == step:
        return a
    n = math.ceil((p.n[a] - 1) * p.step[a] / step - 1e-9) + 1
    p.n[spare], p.off[spare], p.step[spare] = n, p.off[a], step
    p.w[spare, :n] = 0.0
    _deposit(p, a, 1.0, spare)
    return spare


@outlined
def cut_at(p: Pool, a: int, limit_s: float) -> float:
    """Take away what lies beyond the limit; returns its weight. A point stands for the step around it."""
    if p.n[a] == 0 or limit_s == math.inf:
        return 0.0
    gone, half, n = 0.0, p.step[a] / 2.0, 0
    for i in range(p.n[a]):
        x = p.off[a] + i * p.step[a]
        if x - half < limit_s:
            n = i + 1
        if x + half > limit_s:
            kept = 0.0 if x - half >= limit_s else (limit_s - (x - half)) / (2.0 * half)
            gone += p.w[a, i] * (1.0 - kept)
            p.w[a, i] *= kept
    p.n[a] = n
    return gone


@outlined
def add_to_bins(p: Pool, a: int, factor: float, edges: NDArray[np.float64], bins: NDArray[np.float64]) -> None:
    """Add to each latency bin what of `factor` times `a` falls into it."""
    half = p.step[a] / 2.0
    last = len(edges)
    at = 0
    for i in range(p.n[a]):
        weight = factor * p.w[a, i]
        x = p.off[a] + i * p.step[a]
        low, high = max(x - half, 0.0), x + half
        while at < last and edges[at] < low:
            at += 1
        if high <= low or at == last or high <= edges[at]:
            bins[at] += weight
            continue
        here, begin = at, low
        while here < last and edges[here] < high:
            bins[here] += weight * (edges[here] - begin) / (high - low)
            begin = edges[here]
            here += 1
        bins[here] += weight * (high - begin) / (high - low)


@outlined
def _normal_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@outlined
def _below(kind: int, p0: float, p1: float, x: float) -> float:
    """The distribution function of an exponential (1), lognormal (2) or uniform (3) time."""
    if x <= 0.0:
        return 0.0
    if kind == 1:
        return 1.0 - math.exp(-x / p0)
    if kind == 2:
        return _normal_below((math.log(x) - p0) / p1)
    return min(1.0, max(0.0, (x - p0) / (p1 - p0)))


@outlined
def service(p: Pool, a: int, kind: int, p0: float, p1: float) -> None:
    """A service time (`network.Kind`), with its mean exact."""
    low, high = p0, p0
    if kind == 1:
        low, high, mean = 0.0, 10.0 * p0, p0
    elif kind == 2:
        low, high, mean = math.exp(p0 - 3.9 * p1), math.exp(p0 + 3.9 * p1), math.exp(p0 + 0.5 * p1 * p1)
    else:
        mean = p0 if kind == 0 else 0.5 * (p0 + p1)
        high = p0 if kind == 0 else p1
    if high - low <= 1e-12 or kind == 0:
        point(p, a, mean, 1.0)
        return
    step = (high - low) / POINTS
    p.n[a], p.off[a], p.step[a] = POINTS, low + 0.5 * step, step
    before = 0.0
    for i in range(POINTS):
        below = 1.0 if i == POINTS - 1 else _below(kind, p0, p1, low + (i + 1) * step)
        p.w[a, i] = below - before
        before = below
    scale = mean / moments(p, a)[0]
    if kind == 2 and abs(scale - 1.0) > _COARSE:
        _heavy(p, a, p0, p1, low, high)
        return
    p.off[a] *= scale
    p.step[a] *= scale
    trim(p, a)


@outlined
def _heavy(p: Pool, a: int, mu: float, sigma: float, low: float, high: float) -> None:
    """A lognormal time that varies so much that its steps are coarse: points far from the mean stay where they are.

    What lies between two points is shared by them so that its mean stays; beyond the last one, by that and the first.
    """
    step = (high - low) / (POINTS - 1)
    p.n[a], p.off[a], p.step[a] = POINTS, low, step
    p.w[a, :] = 0.0
    mean = math.exp(mu + 0.5 * sigma * sigma)
    below = _normal_below((math.log(low) - mu) / sigma)
    mean_below = mean * _normal_below((math.log(low) - mu) / sigma - sigma)
    p.w[a, 0] = below
    for i in range(POINTS - 1):
        x = low + i * step
        z = (math.log(x + step) - mu) / sigma
        mass_here, mean_here = _normal_below(z) - below, mean * _normal_below(z - sigma) - mean_below
        below, mean_below = below + mass_here, mean_below + mean_here
        further = (mean_here - x * mass_here) / step
        p.w[a, i] += mass_here - further
        p.w[a, i + 1] += further
    further = (mean - mean_below - low * (1.0 - below)) / (high - low)
    p.w[a, 0] += 1.0 - below - further
    p.w[a, POINTS - 1] += further


@outlined
def stretch(p: Pool, a: int, factor: float, add_s: float) -> None:
    """Each time becomes `factor` times as long, plus `add_s`."""
    p.off[a] = p.off[a] * factor + add_s
    p.step[a] *= factor
    if factor == 0.0:
        point(p, a, add_s, mass(p, a))


@outlined
def exponential_wait(p: Pool, a: int, waits: float, mean_s: float, folds: float) -> None:
    """No wait, or with probability `waits` an exponential one, up to where it has fallen by e to the `folds`.

    A full queue bounds waits: with few folds all up to the bound are as likely, with negative ones long ones more.
    """
    point(p, a, 0.0, 1.0)
    if waits < 1e-6 or mean_s < 1e-9:
        return
    p.n[a] = _WAIT_POINTS
    total = first = 0.0
    for i in range(1, _WAIT_POINTS):
        p.w[a, i] = math.exp(-folds * i / (_WAIT_POINTS - 1))
        total += p.w[a, i]
        first += p.w[a, i] * i
    for i in range(1, _WAIT_POINTS):
        p.w[a, i] *= waits / total
    p.step[a] = mean_s * total / first
    p.w[a, 0] = 1.0 - waits


@outlined
def normal_wait(p: Pool, a: int, mean_s: float, deviation_s: float) -> None:
    """A wait behind a backlog."""
    spread = min(3.0 * deviation_s, mean_s)
    if spread < 1e-9:
        point(p, a, mean_s, 1.0)
        return
    n = 15
    p.n[a], p.off[a], p.step[a] = n, mean_s - spread, 2.0 * spread / (n - 1)
    total = 0.0
    for i in range(n):
        z = (i - (n - 1) / 2.0) * p.step[a] / deviation_s
        p.w[a, i] = math.exp(-0.5 * z * z)
        total += p.w[a, i]
    for i in range(n):
        p.w[a, i] /= total


@outlined
def gamma(p: Pool, a: int, mean_s: float, shape: float) -> None:
    """A gamma distribution, of a shape of at least 1: the time in which so many leave one after the other."""
    if mean_s < 1e-9:
        point(p, a, 0.0, 1.0)
        return
    n, deviation = 32, 1.0 / math.sqrt(shape)
    low = max(0.0, 1.0 - 4.0 * deviation)
    step = (6.0 * deviation + 1.0 - low) / n
    total = first = 0.0
    for i in range(n):
        x = low + (i + 0.5) * step
        p.w[a, i] = math.exp((shape - 1.0) * math.log(x) - shape * (x - 1.0))
        total += p.w[a, i]
        first += p.w[a, i] * x
    for i in range(n):
        p.w[a, i] /= total
    scale = mean_s * total / first
    p.n[a], p.off[a], p.step[a] = n, (low + 0.5 * step) * scale, step * scale


@outlined
def uniform(p: Pool, a: int, low_s: float, high_s: float) -> None:
    """Equally likely between two bounds."""
    n = 16
    if high_s - low_s <= 1e-12:
        point(p, a, low_s, 1.0)
        return
    step = (high_s - low_s) / n
    p.n[a], p.off[a], p.step[a] = n, low_s + 0.5 * step, step
    p.w[a, :n] = 1.0 / n
