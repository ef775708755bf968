"""Whether two fidelities agree on a measure: paired replications, judged by what the ratio of their means can still be.

Both fidelities play the same releases, so the question is by how much their means over these differ. Only pairs that
are not both 0 tell of that: the interval is Student's t of their differences. Agreement is shown when all of the
interval lies within the tolerance, refuted when none of it does, and else the replications cannot tell.

A tolerance of a mean that is next to nothing is nothing, and would take endless replications to tell. So each measure
has a floor, a difference by which nobody decides: a measure in seconds is known to a cell of the scenario's resolution
and no better, and of a failed share it is one request of 10,000 (SHARE). Means that surely differ by less agree too;
that is a kind of its own, never called 5 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

TOLERANCE = 0.05
CONFIDENCE = 0.99
PAIRS_MIN = 5
"""Pairs that are not both 0; fewer tell nothing."""

WITHIN, CELL, POINTS, REFUTED, UNRESOLVED = "within 5 %", "within a cell", "within 0.01 points", "refuted", "unresolved"


@dataclass(frozen=True, slots=True)
class Floor:
    """A difference of means that nothing hangs on, and the verdict of those that surely differ by less."""

    size: float
    verdict: str


SHARE = Floor(1e-4, POINTS)
"""Of a failed share: 0.01 percentage points, a hundredth of the strictest `good` of the library (success >= 99 %)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Means at both fidelities and what they tell of each other; in `counted` replications the measure is above 0.

    `low` and `high` bound the ratio of the means; they and the ratio are None where nothing can be said.
    """

    requests: float
    fluid: float
    ratio: float | None
    low: float | None
    high: float | None
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


def judge(requests: Sequence[float], fluid: Sequence[float], floor: Floor, looks_n: int) -> Agreement:
    """Both fidelities' measures by replication.

    What is said at any of `looks_n` looks holds with CONFIDENCE for all of them together.
    """
    one, other = np.asarray(requests, np.float64), np.asarray(fluid, np.float64)
    mean = float(one.mean())
    difference, chance = _difference(one, other, (1.0 - CONFIDENCE) / looks_n)
    known = mean > 0.0 and math.isfinite(chance)
    return Agreement(
        requests=mean,
        fluid=float(other.mean()),
        ratio=1.0 + difference / mean if mean else None,
        low=max(0.0, 1.0 + (difference - chance) / mean) if known else None,
        high=1.0 + (difference + chance) / mean if known else None,
        replications=len(one),
        counted=int(np.count_nonzero((one > 0) | (other > 0))),
        verdict=_verdict(abs(difference), chance, TOLERANCE * mean, floor),
    )


def _difference(one: NDArray[np.float64], other: NDArray[np.float64], error: float) -> tuple[float, float]:
    """By how much the mean of `other` is above that of `one`, and what chance makes of it (infinite: too few pairs)."""
    chosen = (one > 0) | (other > 0)
    pairs = int(np.count_nonzero(chosen))
    difference = float((other - one).mean())
    if pairs < PAIRS_MIN:
        return difference, math.inf
    deviation = float((other - one)[chosen].std(ddof=1))
    student_t = float(special.stdtrit(pairs - 1, 1.0 - error / 2.0))
    return difference, student_t * deviation * math.sqrt(pairs) / len(one)


def _verdict(apart: float, chance: float, tolerance: float, floor: Floor) -> str:
    if apart + chance <= tolerance:
        return WITHIN
    if apart + chance <= floor.size:
        return floor.verdict
    return REFUTED if apart - chance > max(tolerance, floor.size) else UNRESOLVED
