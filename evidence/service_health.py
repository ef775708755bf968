"""Which services were unhealthy: seen from their callers, by the standard of the functions they serve.

A service is unhealthy when in some window the share of its failed answers breaks the strictest
success floor among the functions whose requests reach it. Latency does not count here: it shows in
the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.errors import TableError
from evidence.health import sliding_sum, success_windows
from evidence.measure_plan import MeasurePlan
from evidence.tables import CLIENT, Samples

__all__ = ["ServiceCells", "unhealthy_services"]


@dataclass(frozen=True, slots=True)
class ServiceCells:
    """Answers of services in one replication, all versions together: requests and failed, [cells, services]."""

    services: tuple[str, ...]
    requests: NDArray[np.integer[Any]]
    failed: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, samples: Samples, services: Sequence[str], resolution_s: float) -> ServiceCells | None:
        """The service rows of one replication's samples; None when it has none."""
        rows = samples.where(samples.service != CLIENT)
        if len(rows) == 0:
            return None
        cell = np.rint(rows.window_start_s / resolution_s).astype(np.int64)
        names = tuple(services)
        requests = np.zeros((int(cell.max()) + 1, len(names)), dtype=np.int64)
        failed = np.zeros_like(requests)
        unknown = ~np.isin(rows.service, names)
        if unknown.any():
            value = str(rows.service[unknown][0])
            raise TableError(f"service {value!r} must be one of {', '.join(names)}")
        for place, name in enumerate(names):
            mine = rows.service == name
            np.add.at(requests[:, place], cell[mine], rows.requests[mine])
            np.add.at(failed[:, place], cell[mine], rows.failed()[mine])
        return cls(names, requests, failed)


def unhealthy_services(plan: MeasurePlan, cells: ServiceCells) -> tuple[str, ...]:
    """Names of the unhealthy services, in the order of the cells."""
    requests = sliding_sum(cells.requests[plan.warmup_cells :], plan.window_cells)
    failed = sliding_sum(cells.failed[plan.warmup_cells :], plan.window_cells)
    found = []
    for place, name in enumerate(cells.services):
        floors = [one.criteria for one in plan.functions if name in one.services]
        if not floors:
            continue
        strictest = max(floors, key=lambda each: (each.success, each.success_op == ">"))
        holds = success_windows(requests[:, place], failed[:, place], strictest.success_op, strictest.success)
        if not holds.all():
            found.append(name)
    return tuple(found)
