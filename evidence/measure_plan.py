"""What measuring a replication needs to know of its scenario, found once for thousands of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.collapse import surge_end_s
from evidence.errors import JudgeError
from evidence.health import Criteria, cells_until
from evidence.histogram import edges_s
from evidence.reach import services_used, stores_written
from scenarios.models import Function, Release, Scenario

__all__ = ["FunctionPlan", "MeasurePlan"]


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """What measuring one function needs to know; `stores` are places in MeasurePlan.stores."""

    name: str
    function: Function
    criteria: Criteria
    services: frozenset[str]
    stores: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """What measuring needs to know of a scenario. `stores` and functions give the codes of Writes.

    `usual` has the old version and the replicas of each released service; until `surge_end_s` more load comes than at
    first.
    """

    functions: tuple[FunctionPlan, ...]
    stores: tuple[str, ...]
    edges: NDArray[np.float64]
    duration_s: float
    resolution_s: float
    window_cells: int
    consecutive: int
    usual: dict[str, tuple[str, int]]
    surge_end_s: float
    release: Release
    warmup_cells: int = 0

    @classmethod
    def of(cls, scenario: Scenario, edges: Sequence[float] | None = None) -> MeasurePlan:
        """For histograms with these edges in seconds, by default the scenario's own.

        Raises JudgeError where a warm-up has yet to be found.
        """
        warmup = scenario.measure.warmup
        if isinstance(warmup, str):
            raise JudgeError(f"measure.warmup(={warmup}) must be a duration here; simulate and compare find it")
        grid = edges_s(scenario) if edges is None else np.asarray(edges, dtype=np.float64)
        stores = tuple(scenario.system.stores)
        functions = tuple(
            FunctionPlan(
                name=name,
                function=function,
                criteria=Criteria.of(function.good, grid),
                services=frozenset(services_used(scenario, function)[0]),
                stores=tuple(stores.index(store) for store in stores_written(scenario, function)),
            )
            for name, function in scenario.functions.items()
        )
        return cls(
            functions=functions,
            stores=stores,
            edges=grid,
            duration_s=scenario.duration_s,
            resolution_s=scenario.measure.resolution_s,
            window_cells=scenario.measure.window_cells,
            consecutive=scenario.measure.consecutive,
            usual={
                change.service: (change.old, scenario.system.services[change.service].replicas)
                for change in scenario.release.changes
            },
            surge_end_s=max(
                surge_end_s(function, scenario.clock, scenario.duration_s) for function in scenario.functions.values()
            ),
            release=scenario.release,
            warmup_cells=cells_until(warmup, scenario.measure.resolution_s),
        )

    @property
    def seen_s(self) -> float:
        """What a recovery takes to be seen."""
        return (self.window_cells + self.consecutive) * self.resolution_s

    @property
    def function_names(self) -> tuple[str, ...]:
        """Functions in the scenario's order."""
        return tuple(plan.name for plan in self.functions)
