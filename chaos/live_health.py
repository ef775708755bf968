"""Health of the business functions while the load still runs, by the judge's own rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chaos.load.raw import RawSamples
from chaos.load.rows import client_rows
from evidence.health import cells_until
from evidence.measure_plan import MeasurePlan
from evidence.measuring import function_health
from evidence.tables import FAILED_KINDS, ClientCells
from scenarios.models import Scenario

__all__ = ["LiveHealth"]

# Requests without a client's timeout count as known this long after they were sent.
_PATIENCE_S = 2.0


class LiveHealth:
    """Fed with each poll of the load; answers for the cells whose requests have all ended or timed out by now.

    `intended_s` says of each function when its requests are due, in their order. What a look costs does not grow with
    the drill: requests are counted by cell as they come, and only cells that are new, or changed, are judged.
    """

    def __init__(
        self, scenario: Scenario, edges_s: NDArray[np.float64], intended_s: Mapping[str, NDArray[np.float64]]
    ) -> None:
        self._plan = MeasurePlan.of(scenario, tuple(edges_s))
        self._edges_s = edges_s
        self._resolution_s = scenario.measure.resolution_s
        self._patience_s = {name: each.timeout_s or _PATIENCE_S for name, each in scenario.functions.items()}
        self._intended_s = intended_s
        self._open = {name: np.ones(len(due_s), dtype=np.bool_) for name, due_s in intended_s.items()}
        last_s = max((float(due_s[-1]) for due_s in intended_s.values() if len(due_s)), default=0.0)
        self._cells = _no_requests(self._plan, cells_until(last_s, self._resolution_s) + 1)
        self._good = {name: np.empty(0, dtype=np.bool_) for name in self._plan.function_names}
        self._ended = dict.fromkeys(scenario.functions, 0)
        self._failed = dict.fromkeys(scenario.functions, 0)

    def add(self, raw: RawSamples) -> None:
        """Take in requests that have ended."""
        if not len(raw):
            return
        for name in self._failed:
            of_function = raw.function == name
            self._open[name][raw.index[of_function]] = False
            self._ended[name] += int(of_function.sum())
            self._failed[name] += int((of_function & (raw.kind != "ok")).sum())
        rows = client_rows(raw, self._edges_s, self._resolution_s)
        cell = np.rint(rows.window_start_s / self._resolution_s).astype(np.int64)
        for place, name in enumerate(self._plan.function_names):
            mine = rows.function == name
            if not mine.any():
                continue
            self._cells.count(rows.where(mine), (cell[mine], place, 0))
            # An answer that comes when its cell was taken for known, such as a timeout, may change it and those after.
            self._good[name] = self._good[name][: int(cell[mine].min())]

    def ended(self) -> dict[str, int]:
        """How many requests of each function have ended."""
        return dict(self._ended)

    def failed(self) -> dict[str, int]:
        """How many requests of each function have ended, and not well."""
        return dict(self._failed)

    def windows(self, now_s: float) -> dict[str, NDArray[np.bool_]]:
        """Good or not by function, for every cell that nothing can change any more."""
        for place, name in enumerate(self._plan.function_names):
            judged, until_s = self._good[name], self._known_until_s(name, now_s)
            new = function_health(self._plan, place, self._cells, until_s, len(judged))
            self._good[name] = np.concatenate([judged, new])
        return dict(self._good)

    def _known_until_s(self, name: str, now_s: float) -> float:
        """When the first request was due that is still open, unless it has timed out; at most now."""
        still_open = self._open[name]
        first = int(np.argmax(still_open)) if still_open.any() else len(still_open)
        due_s = self._intended_s[name][first] if first < len(still_open) else now_s
        return max(0.0, now_s - self._patience_s[name], min(due_s, now_s))

    def down_for_s(self, windows: dict[str, NDArray[np.bool_]]) -> dict[str, float]:
        """How long each function has been down until the last cell of `windows`; 0 when it is up."""
        found = {}
        for name, good in windows.items():
            up = np.flatnonzero(good)
            down = len(good) - (int(up[-1]) + 1) if len(up) else len(good)
            found[name] = down * self._resolution_s
        return found


def _no_requests(plan: MeasurePlan, cells: int) -> ClientCells:
    """Room for so many cells; health knows no cohorts."""
    shape = (cells, len(plan.functions), 1)
    return ClientCells(
        plan.function_names,
        ("",),
        np.zeros(shape, dtype=np.int64),
        np.zeros((*shape, len(FAILED_KINDS)), dtype=np.int64),
        np.zeros((*shape, len(plan.edges) + 1), dtype=np.int32),
    )
