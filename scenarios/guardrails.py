"""Guardrails: what watches a release, by which judge, and what happens when it trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from scenarios.base import Name, Part
from scenarios.judges import BurnRate, MannWhitney, Sequential
from scenarios.quantities import PositiveCount, PositiveDurationS, parse_positive_duration_s, parse_ratio

__all__ = ["Guardrail", "guardrail_labels"]

Metric = Literal["error-ratio", "p50", "p90", "p95", "p99"]
Judge = Literal["threshold", "burn-rate", "mann-whitney", "sequential"]

_JUDGES = ("above", "burn_rate", "mann_whitney", "sequential")
# Of the Mann-Whitney judge: a point of its two series each time; the others look at every cell of the record.
_POINT_S = 10.0

_Limit = Annotated[float | None, WithJsonSchema({"type": "string", "examples": ["1%", "800ms"]})]


class Guardrail(Part):
    """Watches `metric` of a service with one judge; `above` makes it a threshold."""

    metric: Metric
    of: Name
    version: Literal["new", "old", "any"] = "new"
    above: _Limit = None
    burn_rate: BurnRate | None = None
    mann_whitney: MannWhitney | None = None
    sequential: Sequential | None = None
    window_s: PositiveDurationS = Field(60.0, alias="window", description="that a threshold looks at")
    minimum: PositiveCount = Field(100, description="requests, below which it cannot trip")
    every_s: PositiveDurationS | None = Field(None, alias="every", description="looks")
    consecutive: PositiveCount = Field(1, description="looks in a row that must find it bad")
    action: Literal["rollback", "page", "note"] = "rollback"
    label: Name | None = Field(None, alias="name", description="by which the timeline names it")

    @field_validator("above", mode="before")
    @classmethod
    def _limit_in_the_unit_of_the_metric(cls, value: Any, info: ValidationInfo) -> float:
        metric = info.data.get("metric")
        if metric is None:
            # The metric itself is wrong, which is said at its own place; either unit may have been meant.
            return 0.0
        return parse_ratio(value) if metric == "error-ratio" else parse_positive_duration_s(value)

    @model_validator(mode="after")
    def _one_judge(self) -> Self:
        given = [name for name in _JUDGES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of {', '.join(_JUDGES)}, has {len(given)}")
        if self.above is None and "window_s" in self.model_fields_set:
            raise ValueError(f"window(={self.window_s:g}s) must go with above: {given[0]} has times of its own")
        if self.burn_rate is not None and self.metric != "error-ratio":
            raise ValueError(f"metric(={self.metric}) must be error-ratio: a burn rate is one of errors")
        if self.version != "new" and self._compares:
            raise ValueError(f"version(={self.version}) must be new: {given[0]} compares it with the old one")
        self._check_sequential()
        self._check_lookback()
        return self

    def _check_lookback(self) -> None:
        rules = self.mann_whitney
        if rules is None or rules.lookback_s is None:
            return
        interval_s = self.interval_s(0.0)
        if rules.lookback_s < rules.points * interval_s * (1.0 - 1e-9):
            needed = f"points(={rules.points}) of every(={interval_s:g}s)"
            raise ValueError(f"mann_whitney.lookback(={rules.lookback_s:g}s) must hold {needed}")

    def _check_sequential(self) -> None:
        test = self.sequential
        if test is None:
            return
        if test.above is None:
            if self.metric != "error-ratio":
                raise ValueError(f"metric(={self.metric}) must be error-ratio where sequential has against: old")
        elif test.above.is_ratio != (self.metric == "error-ratio"):
            unit = "a percentage" if self.metric == "error-ratio" else "a duration"
            raise ValueError(f"sequential.above(={test.above}) must be {unit}, the unit of {self.metric}")

    @property
    def _compares(self) -> bool:
        """Whether its judge compares the new version with the old one."""
        return self.mann_whitney is not None or (self.sequential is not None and self.sequential.above is None)

    @property
    def judge(self) -> Judge:
        """Which of the judges it is."""
        if self.above is not None:
            return "threshold"
        if self.burn_rate is not None:
            return "burn-rate"
        return "mann-whitney" if self.mann_whitney is not None else "sequential"

    @property
    def limit(self) -> float | None:
        """The limit on the metric, in its unit, where its judge has one."""
        if self.sequential is not None and self.sequential.above is not None:
            return self.sequential.above.value
        return self.above

    @property
    def quantile(self) -> float | None:
        """The quantile that a latency metric names; None for the error ratio."""
        return None if self.metric == "error-ratio" else int(self.metric[1:]) / 100.0

    def interval_s(self, resolution_s: float) -> float:
        """Time from look to look, in a scenario with this resolution."""
        if self.every_s is not None:
            return self.every_s
        return _POINT_S if self.mann_whitney is not None else resolution_s

    @property
    def name(self) -> str:
        """Its own name, or `error-ratio of checkout (new)`, the judge added unless it is a threshold."""
        if self.label is not None:
            return self.label
        judge = "" if self.above is not None else f", {self.judge}"
        return f"{self.metric} of {self.of} ({self.version}){judge}"


def guardrail_labels(guardrails: Sequence[Guardrail]) -> list[str]:
    """The name of each, in order; a name that is there before gets `#2`, `#3`, ..., so that each is told apart."""
    labels: list[str] = []
    for guardrail in guardrails:
        label, number = guardrail.name, 1
        while label in labels:
            number += 1
            label = f"{guardrail.name} #{number}"
        labels.append(label)
    return labels
