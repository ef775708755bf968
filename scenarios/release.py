"""The release: what changes, what may be wrong with it, how it is rolled out, watched and taken back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from scenarios.base import Name, Part, Version
from scenarios.quantities import (
    DurationS,
    PositiveCount,
    PositiveDurationS,
    Ratio,
    parse_duration_s,
    parse_positive_duration_s,
    parse_ratio,
)
from scenarios.strategies import Strategy

__all__ = ["Change", "Defect", "Guardrail", "LatencyChange", "Release", "RollbackStep"]

RollbackStep = Literal["redeploy", "route-back", "retire", "verify"]
Metric = Literal["error-ratio", "p50", "p90", "p95", "p99"]

_FACTOR = re.compile(r"x\s*(\d+(?:\.\d+)?)", re.ASCII)


class LatencyChange(Part):
    """What a defect does to the service time: t becomes factor x t + add."""

    factor: float = 1.0
    add_s: float = 0.0


def _parse_latency_change(value: Any) -> Any:
    if isinstance(value, LatencyChange):
        return value
    if isinstance(value, str):
        text = value.strip()
        factor = _FACTOR.fullmatch(text)
        if factor is not None and 1 <= float(factor[1]) <= 10_000:
            return LatencyChange(factor=float(factor[1]))
        if text.startswith("+"):
            return LatencyChange(add_s=parse_duration_s(text[1:]))
    raise ValueError("must be a factor from x1 such as x2.5, or an addition such as +200ms")


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


class Defect(Part):
    """Something that may be wrong with the new version; whether it is, is drawn once a replication."""

    name: Name
    probability: Ratio
    errors: Ratio = Field(0.0, description="share of requests answered with an error")
    latency: Annotated[
        LatencyChange,
        BeforeValidator(_parse_latency_change),
        WithJsonSchema({"type": "string", "examples": ["x2.5", "+200ms"]}),
    ] = LatencyChange()
    lost_writes: Ratio = Field(0.0, description="share of acknowledged writes that are not stored")
    cohort: Name | None = Field(None, description="only requests of this cohort meet it")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.errors == 0 and self.lost_writes == 0 and self.latency == LatencyChange():
            raise ValueError("must have at least one of errors, latency, lost_writes")
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
    strategy: Strategy
    alternatives: list[Strategy] = Field([], description="what `compare` compares the strategy with")
    guardrails: list[Guardrail] = []
    rollback: list[RollbackStep] = Field(
        ["redeploy", "route-back", "retire", "verify"], min_length=1, description="steps, in their order"
    )

    @property
    def change(self) -> Change:
        """The one change of a version 1 release."""
        return self.changes[0]

    def strategy_of(self, kind: str) -> Strategy | None:
        """The strategy of that kind, the main one before the alternatives; None when the scenario has none."""
        return next((each for each in (self.strategy, *self.alternatives) if each.kind == kind), None)
