"""What may be wrong with the way back: steps of a rollback that fail, take long, do harm, or need what is broken."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Name, Part
from scenarios.defects import LatencyChange, ServiceTimeChange
from scenarios.quantities import Ratio, parse_positive_duration_s

__all__ = ["RollbackRisk", "Worse"]


def _parse_addition_s(value: Any) -> float:
    if not isinstance(value, str) or not value.strip().startswith("+"):
        raise ValueError("must be an addition such as +10m")
    return parse_positive_duration_s(value.strip()[1:])


AdditionS = Annotated[
    float, BeforeValidator(_parse_addition_s), WithJsonSchema({"type": "string", "examples": ["+10m"]})
]


class Worse(Part):
    """What is wrong with the old version that the step brings back."""

    errors: Ratio = Field(0.0, description="share of requests answered with an error")
    latency: ServiceTimeChange = LatencyChange()

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.errors == 0 and self.latency == LatencyChange():
            raise ValueError("must have at least one of errors, latency")
        return self


class RollbackRisk(Part):
    """Something that may be wrong with one step of the rollback; whether it is, is drawn once a replication."""

    name: Name
    probability: Ratio
    step: Name = Field(description="one of release.rollback")
    fails: bool | None = Field(None, description="true: the step fails")
    takes_s: AdditionS | None = Field(None, alias="takes", description="the step takes that much longer")
    worse: Worse | None = Field(None, description="the step succeeds, and the old version comes back with that")
    depends_on: Name | None = Field(None, description="the step waits while this service or store mostly fails")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [each for each in (self.fails, self.takes_s, self.worse, self.depends_on) if each is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of fails, takes, worse, depends_on, has {len(given)}")
        if self.fails is False:
            raise ValueError("fails must be true: leave the risk out for a step that works")
        return self
