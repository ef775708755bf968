"""Which values quantiles and the ends of their intervals are: of 1, 2, 3 ... the value is its rank.

The coverage of an interval does not tell one rank from the next; counting does.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from evidence import health, histogram, statistics
from simulator.verification.agreement import Agreement, exactly
from simulator.verification.settings import Settings

__all__ = ["quantile_ranks"]

VALUES = 400
QUANTILES = (Fraction(1, 2), Fraction(19, 20))
_TAIL = Fraction(25, 1000)
_COUNTED = 1000


def quantile_ranks(_: Settings) -> list[Agreement]:
    """Ranks of a quantile and its 95 % interval, and quantiles by histograms; nothing is drawn."""
    found = []
    for q in QUANTILES:
        estimate = statistics.quantile_with_interval(np.arange(1, VALUES + 1), float(q))
        low, high = _ends(q)
        for what, theory, observed in (
            ("rank", math.ceil(q * VALUES), estimate.value),
            ("rank of the lower end", low, estimate.low),
            ("rank of the upper end", high, estimate.high),
        ):
            found.append(exactly(f"quantile {float(q):g} of {VALUES}: {what}", theory, observed))
    return [*found, *_of_histograms()]


def _ends(q: Fraction) -> tuple[int, int]:
    """The nearest ranks whose values lie beyond the quantile with 2.5 % at the most; in whole numbers, exactly.

    The value of rank r lies above it when fewer than r of all are below, which are binomial; below it, when r or more.
    """
    chances = [math.comb(VALUES, k) * q**k * (1 - q) ** (VALUES - k) for k in range(VALUES + 1)]
    low, below = 0, Fraction(0)
    while below + chances[low] <= _TAIL:
        below += chances[low]
        low += 1
    high, above = VALUES + 1, Fraction(0)
    while above + chances[high - 1] <= _TAIL:
        above += chances[high - 1]
        high -= 1
    return low, high


def _of_histograms() -> list[Agreement]:
    """With as many fast values as a quantile takes it keeps its bound, with one fewer it does not: two cells of each.

    Guardrails judge one histogram, functions windows of them.
    """
    edges, wrong, windows = np.array([1.0, 2.0]), 0, 0
    for q in QUANTILES:
        counts = np.arange(1, _COUNTED + 1)
        needed = np.array([math.ceil(q * int(count)) for count in counts])
        fast = np.stack([needed, needed - 1], axis=1).ravel()
        both = np.stack([fast, counts.repeat(2) - fast, np.zeros_like(fast)], axis=1)
        keeps = np.tile([True, False], _COUNTED)
        asked = [histogram.quantile_at_most(each, edges, float(q), 1.0) for each in both]
        wrong += int((np.array(asked) != keeps).sum())
        criteria = health.Criteria(">=", 0.0, ((float(q), 1, 1.0),))
        good = health.good_windows(criteria, 1, counts.repeat(2), np.zeros_like(fast), both[:, None, :])
        windows += int((good != keeps).sum())
    return [
        exactly(f"histograms of 1 to {_COUNTED} values judged wrongly", 0, wrong),
        exactly(f"windows of 1 to {_COUNTED} values judged wrongly", 0, windows),
    ]
