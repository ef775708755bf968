"""Failed requests so far, as clients know them: what tickets come from."""

from __future__ import annotations

import numpy as np

from simulator.kernel.plane import DataPlane
from simulator.layout import ERROR, REFUSED

__all__ = ["Failures"]

# A request's cell is that of its arrival, and its failure comes when its client has waited. Cells older than this are
# taken as settled: beyond any client's patience but one without a limit.
_SETTLED_S = 60.0


class Failures:
    """Sums over the client's rows of one replication; settled cells are added up once."""

    def __init__(self) -> None:
        self._settled: dict[int, tuple[int, int]] = {}

    def count(self, plane: DataPlane, function: int) -> int:
        """Failed requests of a function so far."""
        now = plane.cell(plane.now_s)
        begin, before = self._settled.get(function, (0, 0))
        end = max(begin, now - int(_SETTLED_S / plane.network.resolution_s))
        settled = before + self._sum(plane, function, begin, end)
        self._settled[function] = (end, settled)
        return settled + self._sum(plane, function, end, now + 1)

    def _sum(self, plane: DataPlane, function: int, begin: int, end: int) -> int:
        cohorts = plane.network.cohorts
        rows = slice(function * cohorts, (function + 1) * cohorts)
        return int(plane.state.client[begin:end, rows, ERROR : REFUSED + 1].sum(dtype=np.int64))
