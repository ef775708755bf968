"""Distributions of times, in the four shapes that service times and people are described with."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from scenarios.base import Part
from scenarios.quantities import DurationS, PositiveDurationS, parse_duration_s

__all__ = ["Distribution", "Exponential", "Lognormal", "Uniform"]

Kind = Literal["constant", "exponential", "lognormal", "uniform"]

# The 95th percentile of the standard normal distribution.
_Z95 = 1.6448536269514722


class Exponential(Part):
    """Memoryless, by its mean."""

    mean_s: PositiveDurationS = Field(alias="mean")


class Lognormal(Part):
    """Skewed to the right, by mean and coefficient of variation, or by median and 95th percentile."""

    mean_s: PositiveDurationS | None = Field(None, alias="mean")
    cv: float | None = Field(None, gt=0, le=100)
    median_s: PositiveDurationS | None = Field(None, alias="median")
    p95_s: PositiveDurationS | None = Field(None, alias="p95")

    @model_validator(mode="after")
    def _one_pair(self) -> Self:
        by_mean = (self.mean_s is not None, self.cv is not None)
        by_median = (self.median_s is not None, self.p95_s is not None)
        if (all(by_mean), any(by_median)) != (True, False) and (all(by_median), any(by_mean)) != (
            True,
            False,
        ):
            raise ValueError("must have mean and cv, or median and p95")
        if self.median_s is not None and self.p95_s is not None and self.p95_s < self.median_s:
            raise ValueError("p95 must be at least the median")
        return self

    @property
    def log_params(self) -> tuple[float, float]:
        """Mean and standard deviation of the logarithm."""
        if self.mean_s is not None and self.cv is not None:
            variance = math.log1p(self.cv * self.cv)
            return math.log(self.mean_s) - variance / 2, math.sqrt(variance)
        assert self.median_s is not None
        assert self.p95_s is not None
        return math.log(self.median_s), math.log(self.p95_s / self.median_s) / _Z95


class Uniform(Part):
    """Equally likely from low to high."""

    low_s: DurationS = Field(alias="low")
    high_s: DurationS = Field(alias="high")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high_s < self.low_s:
            raise ValueError("high must be at least low")
        return self


class Distribution(Part):
    """A time drawn anew for each occurrence. A text alone, such as `20ms`, is constant."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.update(
            {
                "type": ["object", "string"],
                "description": "A distribution, or a constant such as 20ms.",
            }
        )
    )

    constant_s: DurationS | None = Field(None, alias="constant")
    exponential: Exponential | None = None
    lognormal: Lognormal | None = None
    uniform: Uniform | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_is_constant(cls, value: Any) -> Any:
        if isinstance(value, str):
            parse_duration_s(value)
            return {"constant": value}
        if not isinstance(value, dict):
            raise ValueError("must be a duration such as 20ms, or a distribution such as {exponential: {mean: 20ms}}")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [
            name for name in ("constant_s", "exponential", "lognormal", "uniform") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of constant, exponential, lognormal, uniform, has {len(given)}")
        return self

    @property
    def kind(self) -> Kind:
        """Which of the four shapes it is."""
        if self.constant_s is not None:
            return "constant"
        if self.exponential is not None:
            return "exponential"
        return "lognormal" if self.lognormal is not None else "uniform"

    @property
    def params(self) -> tuple[float, float]:
        """Seconds: (value, 0), (mean, 0), (mean and standard deviation of the logarithm) or (low, high)."""
        if self.constant_s is not None:
            return self.constant_s, 0.0
        if self.exponential is not None:
            return self.exponential.mean_s, 0.0
        if self.lognormal is not None:
            return self.lognormal.log_params
        assert self.uniform is not None
        return self.uniform.low_s, self.uniform.high_s

    @property
    def mean_s(self) -> float:
        """Expected value in seconds."""
        first, second = self.params
        if self.kind == "lognormal":
            return math.exp(first + second * second / 2)
        return (first + second) / 2 if self.kind == "uniform" else first
