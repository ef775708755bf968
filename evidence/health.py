"""Was a function good? One answer a cell: for the window of `window_cells` cells that ends with it.

Windows slide by one cell. A window is good when it holds requests and every criterion holds in it.
The first windows of a run are shorter and use what is there; until the first request has come they
count as good, because a run must not begin with an outage that only its start makes. From the first
full window on, no data is not good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.histogram import count_up_to
from scenarios.models import Good

__all__ = ["Criteria", "good_windows", "sliding_sum", "success_windows"]


@dataclass(frozen=True, slots=True)
class Criteria:
    """A function's `good`, ready for counting: `quantiles` holds (quantile, leading bins, threshold s).

    A latency ceiling with `<` is read as `<=`: bins hold their upper edge, and latencies are
    continuous.
    """

    success_op: str
    success: float
    quantiles: tuple[tuple[float, int, float], ...]

    @classmethod
    def of(cls, good: Good, edges: NDArray[np.float64]) -> Criteria:
        """For histograms with these edges; JudgeError when a threshold is not among them."""
        quantiles = tuple(
            (quantile, count_up_to(edges, value), value) for quantile, (_, value) in good.quantiles.items()
        )
        return cls(good.success.op, good.success.value, quantiles)


def sliding_sum(values: NDArray[Any], window_cells: int) -> NDArray[np.int64]:
    """Sums over the last `window_cells` cells (fewer at the start), along axis 0."""
    total = np.cumsum(values, axis=0, dtype=np.int64)
    total[window_cells:] = total[window_cells:] - total[:-window_cells]
    return total


def success_windows(requests: NDArray[np.int64], failed: NDArray[np.int64], op: str, floor: float) -> NDArray[np.bool_]:
    """Whether the share of successes keeps the floor; true where there are no requests."""
    share = (requests - failed) / np.maximum(requests, 1)
    holds = share > floor if op == ">" else share >= floor
    return np.asarray(holds | (requests == 0), dtype=np.bool_)


def good_windows(
    criteria: Criteria,
    window_cells: int,
    requests: NDArray[Any],
    failed: NDArray[Any],
    latency: NDArray[Any],
) -> NDArray[np.bool_]:
    """Good or not, [cells], from requests and failed [cells] and latency [cells, cohorts, bins]."""
    seen = sliding_sum(requests, window_cells)
    lost = sliding_sum(failed, window_cells)
    good = success_windows(seen, lost, criteria.success_op, criteria.success) & (seen > 0)
    if criteria.quantiles:
        # einsum adds up the small last axes without a copy, 9 times as fast here as sum(axis=...).
        answered = sliding_sum(np.einsum("tcb->t", latency), window_cells)
        for quantile, bins, _ in criteria.quantiles:
            fast = sliding_sum(np.einsum("tcb->t", latency[:, :, :bins]), window_cells)
            needed = np.maximum(1, np.ceil(np.round(quantile * answered, 9)))
            good &= fast >= needed
    began = int(np.argmax(requests > 0)) if requests.any() else len(requests)
    good[: min(began, window_cells - 1)] = True
    return good


def cells_until(time_s: float, resolution_s: float) -> int:
    """Whole cells before time_s."""
    return int(np.floor(time_s / resolution_s + 1e-9))


def fit(values: NDArray[Any], cells: int) -> NDArray[Any]:
    """The first `cells` cells along axis 0, cells without data filled with zeros."""
    if len(values) >= cells:
        return values[:cells]
    missing = np.zeros((cells - len(values), *values.shape[1:]), dtype=values.dtype)
    return np.concatenate([values, missing])


def names_where(mask: NDArray[np.bool_], names: Sequence[str]) -> tuple[str, ...]:
    """The names at the true places."""
    return tuple(name for name, chosen in zip(names, mask, strict=True) if chosen)
