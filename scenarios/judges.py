"""Judges of guardrails beyond the threshold, each with what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Part
from scenarios.quantities import (
    PositiveCount,
    PositiveDurationS,
    Ratio,
    parse_positive_duration_s,
    parse_ratio,
)

__all__ = ["BurnRate", "Limit", "MannWhitney", "Sequential"]

_BURN_MAX = 1e6


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on an error ratio (a share of one) or on a latency (seconds)."""

    value: float
    is_ratio: bool

    def __str__(self) -> str:
        return f"{self.value * 100:g}%" if self.is_ratio else f"{self.value:g}s"


def _parse_limit(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        ratio = parse_ratio(value)
        if not 0 < ratio < 1:
            raise ValueError("must be above 0% and below 100%")
        return Limit(ratio, True)
    try:
        return Limit(parse_positive_duration_s(value), False)
    except ValueError as error:
        raise ValueError("must be a percentage such as 1%, or a duration above 0s such as 800ms") from error


def _parse_inner_ratio(value: Any) -> float:
    ratio = parse_ratio(value)
    if not 0 < ratio < 1:
        raise ValueError("must be above 0% and below 100%")
    return ratio


def _parse_burn(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _BURN_MAX:
        raise ValueError(f"must be a number above 0 and at most {_BURN_MAX:.0f}, such as 14.4")
    return float(value)


_JSON_RATIO = WithJsonSchema({"type": "string", "examples": ["99.9%"]})
_InnerRatio = Annotated[float, BeforeValidator(_parse_inner_ratio), _JSON_RATIO]
_Burn = Annotated[float, BeforeValidator(_parse_burn), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
_LimitText = Annotated[
    Limit, BeforeValidator(_parse_limit), WithJsonSchema({"type": "string", "examples": ["1%", "800ms"]})
]


class BurnRate(Part):
    """Bad when the error budget of an objective burns faster than `above` times its rate, over every window."""

    objective: _InnerRatio
    above: _Burn = Field(description="errors over those that the objective allows")
    windows_s: list[PositiveDurationS] = Field(alias="windows", min_length=1, max_length=4)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        highest = 1.0 / (1.0 - self.objective)
        if self.above >= highest * (1.0 - 1e-9):
            raise ValueError(f"above(={self.above:g}) must be below {highest:g}, the burn rate when all requests fail")
        return self


class MannWhitney(Part):
    """Kayenta's judge: the new version's series of points against that of the old version beside it."""

    against: Literal["old"] = "old"
    confidence: _InnerRatio = 0.98
    tolerance: Ratio = Field(0.25, description="of the estimated shift, that its lower bound must exceed")
    allowed_increase: Ratio = Field(0.0, description="of the mean over the old version's")
    points: PositiveCount = Field(50, description="of each version, below which it cannot trip")
    lookback_s: PositiveDurationS | None = Field(None, alias="lookback", description="age of the oldest point used")


class Sequential(Part):
    """An always-valid test: however often it looks, a good release trips it with probability `alpha` at most."""

    alpha: _InnerRatio = 0.05
    against: Literal["old"] | None = Field(None, description="more errors than the old version beside it")
    above: _LimitText | None = Field(None, description="a fixed limit on the metric")

    @model_validator(mode="after")
    def _one_hypothesis(self) -> Self:
        if (self.against is None) == (self.above is None):
            raise ValueError("must have exactly one of against, above")
        return self
