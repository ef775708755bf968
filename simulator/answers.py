"""What a version of a service answered, summed up cell by cell: guardrails look at long windows, and often."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane

__all__ = ["Answers"]


class Answers:
    """Sums of the data plane's service rows of one station and one version, or of all (None).

    A cell that has passed changes no more, so it is added up once; a window is the difference of two sums.
    """

    def __init__(self, plane: DataPlane, station: int, version: int | None) -> None:
        rows = plane.rows
        chosen = rows.station == station
        if version is not None:
            chosen = chosen & (rows.version == version)
        bounds = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
        # Slices are summed without copying what they hold.
        self._rows = [slice(int(first), int(last)) for first, last in bounds.reshape(-1, 2)]
        cells, _, columns = plane.state.service.shape
        self._before = np.zeros((cells + 1, columns), dtype=np.int64)
        self._passed = 0

    def last(self, plane: DataPlane, window_s: float, delay_s: float = 0.0) -> NDArray[np.int64]:
        """Columns (`layout`) over the cells that make up `window_s` until `delay_s` ago, the cell of then included."""
        resolution_s = plane.network.resolution_s
        now, window = plane.now_s / resolution_s, window_s / resolution_s
        passed, end = math.floor(now + 1e-9), max(0, math.ceil(now - delay_s / resolution_s - 1e-9))
        table = plane.state.service
        if passed > self._passed:
            sums = self._sum(table[self._passed : passed])
            sums[0] += self._before[self._passed]
            # As a rule one cell has passed, and there is nothing to accumulate.
            news = sums if len(sums) == 1 else np.add.accumulate(sums, axis=0)
            self._before[self._passed + 1 : passed + 1] = news
            self._passed = passed
        total: NDArray[np.int64] = self._before[min(passed, end)] - self._before[max(0, end - math.ceil(window - 1e-9))]
        return total if end <= passed else total + self._sum(table[passed:end])[0]

    def _sum(self, cells: NDArray[np.int32]) -> NDArray[np.int64]:
        """Over the rows: [cells, columns]."""
        total: NDArray[np.int64]
        if len(self._rows) == 1:  # as a rule: spares making zeros and adding to them
            total = np.add.reduce(cells[:, self._rows[0]], axis=1, dtype=np.int64)
            return total
        total = np.zeros((len(cells), cells.shape[2]), dtype=np.int64)
        for rows in self._rows:
            total += np.add.reduce(cells[:, rows], axis=1, dtype=np.int64)
        return total
