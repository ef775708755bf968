"""Kayenta's judge: the Mann-Whitney test on two series of points, one of the new and one of the old version.

Each look adds a point to each series, the metric of the answers since the look before, so that both are of the same
times: a look at which one version answered nothing says nothing of the other. The new version is bad when the
lower confidence bound of the shift between the series (Hodges and Lehmann) exceeds a share of the estimated shift, and
its mean has risen by more than is allowed. The test assumes that it is made once; who looks again and again, as a
guardrail does, has more false alarms than its confidence says. Rules as of Kayenta's MannWhitneyClassifier.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rollout.judges.base import EVER_S, Finding, Query
from rollout.judges.counting import Increments
from rollout.judges.metrics import Metric
from rollout.world import Observation

__all__ = ["MannWhitneyJudge", "shift_with_lower_bound"]


# So many differences of pairs are put in order at once; of more, those of a rank are found by counting.
_AT_ONCE = 1_000_000

# A metric's value, and the requests that it is of.
_Point = tuple[float, int]


def shift_with_lower_bound(
    new: NDArray[np.float64], old: NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """How far `new` lies above `old`, and the lower end of the two-sided confidence interval of that.

    The estimate is the median of all differences; the bound is the difference whose rank the normal approximation of U
    gives, corrected for continuity and for ties within a series (Hollander and Wolfe, Nonparametric Statistical
    Methods, 4.3). It is above 0 exactly when the one-sided test rejects; -inf where the series are too short to tell.
    """
    rank, middle = _rank(new, old, confidence), len(new) * len(old)
    ranks = [(middle + 1) // 2, middle // 2 + 1, max(1, rank)]
    if middle <= _AT_ONCE:
        differences = np.subtract.outer(new, old).ravel()
        differences.sort()
        lower, upper, low = (float(differences[each - 1]) for each in ranks)
    else:
        new, old = np.sort(new), np.sort(old)
        lower, upper, low = (_difference(new, old, each) for each in ranks)
    return (lower + upper) / 2.0, low if rank >= 1 else -math.inf


def _rank(new: NDArray[np.float64], old: NDArray[np.float64], confidence: float) -> int:
    """Which of the differences, from 1 for the lowest, is the lower bound of the shift; below 1 where none is."""
    n, m = len(new), len(old)
    count = n + m
    ties = sum(int(((c := np.unique(each, return_counts=True)[1]) ** 3 - c).sum()) for each in (new, old))
    sigma = math.sqrt(n * m / 12.0 * (count + 1.0 - ties / (count * (count - 1.0))))
    z = float(special.ndtri(0.5 + confidence / 2.0))
    return math.floor(n * m / 2.0 + 0.5 - z * sigma)


def _is_above(new: NDArray[np.float64], old: NDArray[np.float64], confidence: float) -> bool:
    """Whether the lower bound of the shift is above 0, without the bound itself: by far the cheaper question."""
    at_most_0 = len(new) * len(old) - int(np.searchsorted(np.sort(old), new, side="left").sum())
    return at_most_0 < _rank(new, old, confidence)


def _difference(new: NDArray[np.float64], old: NDArray[np.float64], rank: int) -> float:
    """The difference of that rank, of two series in order; to the last bit but for the rounding of a subtraction."""
    low, high = float(new[0] - old[-1]), float(new[-1] - old[0])
    while low < (middle := low + (high - low) / 2.0) < high:
        at_most = len(new) * len(old) - int(np.searchsorted(old, new - middle, side="left").sum())
        low, high = (low, middle) if at_most >= rank else (middle, high)
    return high


class MannWhitneyJudge:
    """Compares the series of `new` and `old`; the value is the lower bound of the shift, in the metric's unit.

    A look at which a version answered nothing adds no points. Below `points` points of each, or `minimum` requests of
    each in them, nothing is bad. Points of the last `lookback` looks are kept (None: all).
    """

    def __init__(
        self,
        metric: Metric,
        versions: tuple[str, str],
        *,
        confidence: float,
        tolerance: float,
        allowed_increase: float,
        points: int,
        minimum: int,
        lookback: int | None,
    ) -> None:
        self.queries = tuple(Query(version, EVER_S) for version in versions)
        self._metric = metric
        self._confidence = confidence
        self._tolerance = tolerance
        self._allowed = 1.0 + allowed_increase
        self._points = points
        self._minimum = minimum
        self._increments = tuple(Increments() for _ in versions)
        # Of each look the points of both versions; None where one is missing, which ages the others all the same.
        self._looks: deque[tuple[_Point, _Point] | None] = deque(maxlen=lookback)

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """Add the points of this look, and test."""
        new_point, old_point = (
            self._point(increments.of(total)) for increments, total in zip(self._increments, observations, strict=True)
        )
        self._looks.append(None if new_point is None or old_point is None else (new_point, old_point))
        pairs = [pair for pair in self._looks if pair is not None]
        requests = min(sum(pair[place][1] for pair in pairs) for place in range(len(self.queries)))
        if len(pairs) < self._points or requests < self._minimum:
            return Finding(False, False, None, 0.0, requests)
        new, old = (np.array([pair[place][0] for pair in pairs]) for place in range(len(self.queries)))
        if new.mean() < self._allowed * old.mean() or not _is_above(new, old, self._confidence):
            return Finding(False, True, None, 0.0, requests)
        shift, low = shift_with_lower_bound(new, old, self._confidence)
        limit = self._tolerance * abs(shift)
        return Finding(low > limit, True, low, limit, requests)

    def _point(self, news: Observation | None) -> _Point | None:
        value = None if news is None else self._metric.value(news)
        return None if news is None or value is None else (value, news.requests)
