"""Whether two fidelities agree on a measure: paired replications, judged by what the ratio of their means can still be.

Both fidelities play the same releases. The ratio of their means has Fieller's interval, the difference of the means
Student's t. Both are from all pairs, also those that are 0 at both: whether a release is hurt at all may be chance, and
then that five were, all alike and by one fidelity alone, is no certainty about its mean. Only pairs that are not both 0
tell of the deviation, so they are its degrees of freedom. Where they are too few for that, the range of the measure
bounds the difference (`mean_max`), whatever its distribution. Agreement is shown when all of the ratio's interval lies
within the tolerance, refuted when none of it does, and else the replications cannot tell.

A tolerance of a mean that is next to nothing is nothing, and would take endless replications to tell. So each measure
has a floor, a difference by which nobody decides: a measure in seconds is known to a cell of the scenario's resolution
and no better, of a failed share it is one request of 10,000 (SHARE), of writes one (ROW). Means that surely differ by
less agree too; that is a kind of its own, never called 5 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

TOLERANCE = 0.05
CONFIDENCE = 0.99
PAIRS_MIN = 10
"""Pairs that are not both 0, for Student's t. With five of a heavy tail, by one fidelity alone, 99 % held 96.5 %."""

STUDENT, RANGE, NO_BOUND = "Student's t", "range", "none"
WITHIN, CELL, POINTS, ROWS = "within 5 %", "within a cell", "within 0.01 points", "within a row"
REFUTED, UNRESOLVED = "refuted", "unresolved"


@dataclass(frozen=True, slots=True)
class Floor:
    """A difference of means that nothing hangs on, and the verdict of those that surely differ by less."""

    size: float
    verdict: str


SHARE = Floor(1e-4, POINTS)
"""Of a failed share: 0.01 percentage points, a hundredth of the strictest `good` of the library (success >= 99 %)."""

ROW = Floor(1.0, ROWS)
"""Of lost writes and reconciled rows: one of them in a release."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Means at both fidelities and what they tell of each other; in `counted` replications the measure is above 0.

    `apart_max` is by how much the means surely differ at the most, in the measure's unit, `bound` how that is known;
    `low` and `high` bound the ratio of the means. They and the ratio are None where nothing can be said.
    """

    requests: float
    fluid: float
    ratio: float | None
    low: float | None
    high: float | None
    apart_max: float | None
    bound: str
    replications: int
    counted: int
    verdict: str


def looks(first: int, cap: int) -> list[int]:
    """Replications after which to look: twice as many each time, up to the cap."""
    sizes = [first]
    while sizes[-1] < cap:
        sizes.append(min(2 * sizes[-1], cap))
    return sizes


def cell_of(resolution_s: float) -> Floor:
    """The floor of a measure in seconds."""
    return Floor(resolution_s, CELL)


def judge(requests: Sequence[float], fluid: Sequence[float], floor: Floor, most: float, looks_n: int) -> Agreement:
    """Both fidelities' measures by replication, all of them between 0 and `most`.

    What is said at any of `looks_n` looks holds with CONFIDENCE for all of them together.
    """
    one, other = np.asarray(requests, np.float64), np.asarray(fluid, np.float64)
    error = (1.0 - CONFIDENCE) / looks_n
    counted = int(np.count_nonzero((one > 0) | (other > 0)))
    mean = float(one.mean())
    bound, interval = NO_BOUND, None
    lowest, highest = -math.inf, math.inf
    if counted >= PAIRS_MIN:
        student_t = float(special.stdtrit(counted - 1, 1.0 - error / 2.0))
        bound, interval = STUDENT, _ratio_between(one, other, student_t)
        difference, chance = float((other - one).mean()), student_t * _deviation(other - one)
        lowest, highest = difference - chance, difference + chance
    elif most < math.inf:
        # Neither mean is below 0, so neither is above the other by more than its own bound.
        bound, lowest, highest = RANGE, -mean_max(one, most, error / 2.0), mean_max(other, most, error / 2.0)
    return Agreement(
        requests=mean,
        fluid=float(other.mean()),
        ratio=float(other.mean()) / mean if mean else None,
        low=None if interval is None else interval[0],
        high=None if interval is None else interval[1],
        apart_max=None if bound == NO_BOUND else max(-lowest, highest),
        bound=bound,
        replications=len(one),
        counted=counted,
        verdict=_verdict(interval, lowest, highest, floor),
    )


def _deviation(values: NDArray[np.float64]) -> float:
    """The standard error of their mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _ratio_between(
    one: NDArray[np.float64], other: NDArray[np.float64], student_t: float
) -> tuple[float, float] | None:
    """Fieller's interval: those ratios r for which the mean of other - r * one may be 0; None where it has no end."""
    (var, covar), (_, other_var) = student_t**2 * np.cov(one, other) / len(one)
    mean, other_mean = float(one.mean()), float(other.mean())
    square, half, rest = mean**2 - var, mean * other_mean - covar, other_mean**2 - other_var
    if square <= 0.0:
        return None
    spread = math.sqrt(max(0.0, half**2 - square * rest))
    return max(0.0, float((half - spread) / square)), float((half + spread) / square)


def mean_max(values: NDArray[np.float64], most: float, error: float) -> float:
    """What the mean of independent `values` between 0 and `most` is above with probability `error` at the most.

    Hoeffding (1963), theorem 1: n numbers between 0 and 1 with mean m have an average of a < m or less with probability
    exp(-n kl(a, m)) at the most, kl being the relative entropy of two coins. Where nearly all values are 0, that is
    most / n times the logarithm of 1 / error.
    """
    average, rare = float(values.mean()) / most, math.log(1.0 / error) / len(values)

    def excess(mean: float) -> float:
        return float(special.rel_entr(average, mean) + special.rel_entr(1.0 - average, 1.0 - mean)) - rare

    highest = 1.0 - 1e-15
    return most if excess(highest) <= 0.0 else most * float(optimize.brentq(excess, average, highest))


def _verdict(ratio: tuple[float, float] | None, lowest: float, highest: float, floor: Floor) -> str:
    low, high = ratio or (0.0, math.inf)
    if low >= 1.0 - TOLERANCE and high <= 1.0 + TOLERANCE:
        return WITHIN
    if max(-lowest, highest) <= floor.size:
        return floor.verdict
    outside = low > 1.0 + TOLERANCE or high < 1.0 - TOLERANCE
    return REFUTED if outside and max(lowest, -highest) > floor.size else UNRESOLVED
