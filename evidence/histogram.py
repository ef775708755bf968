"""Latency histograms: one grid of edges a scenario, exact at every threshold the scenario names.

Bin 0 holds x <= edges[0], bin i holds edges[i-1] < x <= edges[i], the last bin x > edges[-1].
Because every threshold of the scenario is an edge, "p99 <= 1.5s" is answered by counting, without
interpolation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evidence.errors import JudgeError

if TYPE_CHECKING:
    from scenarios.models import Scenario

__all__ = [
    "QUANTILES",
    "bin_of",
    "count_up_to",
    "edges_s",
    "quantile_at_most",
    "quantile_upper_s",
    "rank",
]

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}

_LOWEST_S = 1e-4
_DECADES = 6
_PER_DECADE = 16


def edges_s(scenario: Scenario) -> NDArray[np.float64]:
    """Edges in seconds, ascending: 16 a decade from 100 us to 100 s, and the scenario's thresholds.

    A grid edge that equals a threshold but for rounding gives way to the threshold.
    """
    grid = _LOWEST_S * 10.0 ** (np.arange(_DECADES * _PER_DECADE + 1) / _PER_DECADE)
    thresholds = np.unique(np.array(_thresholds_s(scenario), dtype=np.float64))
    if thresholds.size:
        near = np.isclose(grid[:, None], thresholds[None, :], rtol=1e-9, atol=0.0).any(axis=1)
        grid = grid[~near]
    return np.union1d(grid, thresholds)


def _thresholds_s(scenario: Scenario) -> list[float]:
    found: list[float] = []
    for function in scenario.functions.values():
        bounds = (getattr(function.good, name) for name in QUANTILES)
        found.extend(bound.value for bound in bounds if bound is not None)
    if scenario.release is not None:
        # those of the alternatives too: strategies that are compared share their edges
        strategies = (scenario.release.strategy, *scenario.release.alternatives)
        checks = [check for strategy in strategies for each in strategy.analyses for check in each.checks]
        limits = (each.limit for each in (*scenario.release.guardrails, *checks) if each.metric in QUANTILES)
        found.extend(limit for limit in limits if limit is not None)
    return [value for value in found if value > 0.0]


def bin_of(edges: NDArray[np.float64], latency_s: ArrayLike) -> NDArray[np.int64]:
    """Bin numbers of latencies in seconds."""
    return np.searchsorted(edges, latency_s, side="left")


def rank(quantile: float, total: int) -> int:
    """How many of `total` values must lie at or below x for the quantile to be at most x.

    The quantile is the inverse of the empirical distribution: the ceil(q n)-th smallest value, at
    least the first. The product is rounded to 9 digits first, so that 0.95 * 20 needs 19 values and
    not 20.
    """
    return max(1, math.ceil(round(quantile * total, 9)))


def count_up_to(edges: NDArray[np.float64], threshold_s: float) -> int:
    """The number of leading bins that hold exactly the latencies <= threshold_s.

    Raises JudgeError when the threshold is no edge: then counting would not be exact.
    """
    place = int(edges.searchsorted(threshold_s, side="left"))
    if place == len(edges) or edges[place] != threshold_s:
        raise JudgeError(f"latency threshold {threshold_s:g} s must be one of the record's histogram edges")
    return place + 1


def quantile_at_most(
    histogram: NDArray[np.integer], edges: NDArray[np.float64], quantile: float, threshold_s: float
) -> bool | None:
    """Whether the quantile of one histogram is <= threshold_s; None when it holds no values."""
    # The ufunc itself, and once: guardrails ask often.
    upto = np.add.accumulate(histogram)
    total = int(upto[-1])
    if total == 0:
        return None
    return int(upto[count_up_to(edges, threshold_s) - 1]) >= rank(quantile, total)


def quantile_upper_s(histogram: NDArray[np.integer], edges: NDArray[np.float64], quantile: float) -> float | None:
    """Upper edge of the bin that holds the quantile; inf in the last bin, None without values."""
    total = int(histogram.sum())
    if total == 0:
        return None
    place = int(np.searchsorted(np.cumsum(histogram), rank(quantile, total), side="left"))
    return float(edges[place]) if place < len(edges) else math.inf
