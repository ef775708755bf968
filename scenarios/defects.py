"""Defects: what may be wrong with a new version, and how it shows."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Name, Part
from scenarios.migration import BadData
from scenarios.quantities import Ratio, parse_duration_s

__all__ = ["Defect", "LatencyChange"]

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


class Defect(Part):
    """Something that may be wrong with the new version; whether it is, is drawn once a replication."""

    name: Name
    probability: Ratio
    of: Name | None = Field(None, description="the released service that has it; by default the first")
    errors: Ratio = Field(0.0, description="share of requests answered with an error")
    latency: Annotated[
        LatencyChange,
        BeforeValidator(_parse_latency_change),
        WithJsonSchema({"type": "string", "examples": ["x2.5", "+200ms"]}),
    ] = LatencyChange()
    lost_writes: Ratio = Field(0.0, description="share of acknowledged writes that are not stored")
    bad_data: BadData | None = Field(None, description="rows written wrong: no rollback of code puts them right")
    cohort: Name | None = Field(None, description="only requests of this cohort meet it")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.errors == 0 and self.lost_writes == 0 and self.latency == LatencyChange() and not self.bad_data:
            raise ValueError("must have at least one of errors, latency, lost_writes, bad_data")
        return self
