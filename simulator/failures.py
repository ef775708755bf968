"""Failed requests so far, as clients know them: what tickets come from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.kernel.plane import DataPlane
from simulator.layout import ERROR, REFUSED

__all__ = ["Failures"]

# A request's cell is that of its arrival, and its failure comes when its client has waited. Cells older than its
# patience are settled, but none younger than a minute: flows put right what they told. A client without a limit may
# wait for ever; what fails after more than ten minutes is not heard of.
_LEAST_S = 60.0
_WITHOUT_LIMIT_S = 600.0


class Failures:
    """Sums over the client's rows of one replication; settled cells are added up once.

    `patience_s` is how long the clients of each function wait, None: without a limit.
    """

    def __init__(self, patience_s: Sequence[float | None]) -> None:
        self._settled_s = [_WITHOUT_LIMIT_S if limit_s is None else max(_LEAST_S, limit_s) for limit_s in patience_s]
        self._settled: dict[int, tuple[int, int]] = {}

    def count(self, plane: DataPlane, function: int) -> int:
        """Failed requests of a function so far."""
        now = plane.cell(plane.now_s)
        begin, before = self._settled.get(function, (0, 0))
        end = max(begin, now - math.ceil(self._settled_s[function] / plane.network.resolution_s))
        settled = before + self._sum(plane, function, begin, end)
        self._settled[function] = (end, settled)
        return settled + self._sum(plane, function, end, now + 1)

    def _sum(self, plane: DataPlane, function: int, begin: int, end: int) -> int:
        cohorts = plane.network.cohorts
        rows = slice(function * cohorts, (function + 1) * cohorts)
        return int(plane.state.client[begin:end, rows, ERROR : REFUSED + 1].sum(dtype=np.int64))
