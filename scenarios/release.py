"""The release: what changes, what may be wrong with it, how it is rolled out, watched and taken back."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scenarios.base import Name, Part, Version
from scenarios.defects import Defect
from scenarios.migration import Migration, Reconcile, Repair
from scenarios.quantities import (
    DurationS,
    PositiveCount,
    PositiveDurationS,
    parse_positive_duration_s,
    parse_ratio,
)
from scenarios.strategies import Strategy

__all__ = ["Change", "Guardrail", "Release", "RollbackStep"]

RollbackStep = Literal[
    "redeploy", "route-back", "retire", "verify", "revert-migration", "reconcile", "restore", "fail-over"
]
Metric = Literal["error-ratio", "p50", "p90", "p95", "p99"]


class Change(Part):
    """One service goes from one version to another."""

    service: Name
    old: Version = Field(alias="from")
    new: Version = Field(alias="to")

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.old == self.new:
            raise ValueError("to must differ from from")
        return self


class Guardrail(Part):
    """Trips when `metric` of a service is above a limit over a window that holds enough requests."""

    metric: Metric
    of: Name
    version: Literal["new", "old", "any"] = "new"
    above: float = Field(json_schema_extra={"type": "string", "examples": ["1%", "800ms"]})
    window_s: PositiveDurationS = Field(60.0, alias="window")
    minimum: PositiveCount = Field(100, description="requests in the window, below which it cannot trip")
    action: Literal["rollback", "page"] = "rollback"

    @field_validator("above", mode="before")
    @classmethod
    def _limit_in_the_unit_of_the_metric(cls, value: Any, info: ValidationInfo) -> float:
        metric = info.data.get("metric")
        if metric is None:
            # The metric itself is wrong, which is said at its own place; either unit may have been meant.
            return 0.0
        return parse_ratio(value) if metric == "error-ratio" else parse_positive_duration_s(value)

    @property
    def quantile(self) -> float | None:
        """The quantile that a latency metric names; None for the error ratio."""
        return None if self.metric == "error-ratio" else int(self.metric[1:]) / 100.0

    @property
    def name(self) -> str:
        """`error-ratio of checkout (new)`, as the timeline names it."""
        return f"{self.metric} of {self.of} ({self.version})"


class Release(Part):
    """One release. Version 1 of the language releases one service at a time."""

    at_s: DurationS = Field(30.0, alias="at", description="start, after the start of the load")
    changes: list[Change] = Field(min_length=1, max_length=1)
    defects: list[Defect] = []
    migration: Migration | None = Field(None, description="of a store, before and after the rollout")
    strategy: Strategy
    alternatives: list[Strategy] = Field([], description="what `compare` compares the strategy with")
    guardrails: list[Guardrail] = []
    rollback: list[RollbackStep] = Field(
        ["redeploy", "route-back", "retire", "verify"], min_length=1, description="steps, in their order"
    )
    reconcile: Reconcile | None = Field(None, description="what the step reconcile takes")
    repair: Repair | None = Field(None, description="of bad data that shows after the release is over")

    @property
    def change(self) -> Change:
        """The one change of a version 1 release."""
        return self.changes[0]

    def strategy_of(self, kind: str) -> Strategy | None:
        """The strategy of that kind, the main one before the alternatives; None when the scenario has none."""
        return next((each for each in (self.strategy, *self.alternatives) if each.kind == kind), None)
