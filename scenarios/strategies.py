"""Rollout strategies, as the author writes them; the rollout package turns each into a plan of steps."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Part, exactly_one
from scenarios.quantities import DurationS, PositiveDurationS, PositiveRatio

__all__ = [
    "BlueGreen",
    "Canary",
    "CanaryStep",
    "Recreate",
    "Rolling",
    "Share",
    "Strategy",
    "StrategyKind",
]

StrategyKind = Literal["recreate", "rolling", "blue-green", "canary"]


def _parse_share(value: Any) -> float | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip(), re.ASCII)
        if match is not None and float(match[1]) <= 100:
            return float(match[1]) / 100.0
    raise ValueError("must be a count of replicas, such as 1, or a percentage of them, such as 25%")


# A whole number is a count of replicas; a float is a share of them.
Share = Annotated[
    float | int,
    BeforeValidator(_parse_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
            ]
        }
    ),
]


class Recreate(Part):
    """Stop the old version, start the new one: down in between."""


class Rolling(Part):
    """Replace replicas batch by batch. As in Kubernetes, surge rounds up and unavailable down."""

    surge: Share = 0.25
    unavailable: Share = 0.25
    pause_s: DurationS = Field(0.0, alias="pause", description="wait after each batch")

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.surge == 0 and self.unavailable == 0:
            raise ValueError("surge and unavailable must not both be 0: no replica could be replaced")
        return self

    def counts(self, replicas: int) -> tuple[int, int]:
        """Replicas that may be there above `replicas`, and that may be missing; at least one of them is above 0."""
        surge = self.surge if isinstance(self.surge, int) else math.ceil(self.surge * replicas - 1e-9)
        missing = self.unavailable
        unavailable = missing if isinstance(missing, int) else math.floor(missing * replicas + 1e-9)
        if surge == 0 and unavailable == 0:
            unavailable = 1
        return surge, min(unavailable, replicas)


class BlueGreen(Part):
    """Start the new version whole beside the old one, switch all traffic, stop the old one after a delay."""

    preview_s: DurationS = Field(0.0, alias="preview", description="new version up and idle before the switch")
    scale_down_delay_s: DurationS = Field(30.0, alias="scale_down_delay", description="old version kept after it")


class CanaryStep(Part):
    """One step: shift traffic to `weight`, or keep it where it is for `bake`."""

    weight: PositiveRatio | None = None
    bake_s: PositiveDurationS | None = Field(None, alias="bake")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.weight is None) == (self.bake_s is None):
            raise ValueError("must have exactly one of weight, bake")
        return self


class Canary(Part):
    """Shift traffic step by step; after the last step all of it, and the old version stops."""

    steps: list[CanaryStep] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        weights = [step.weight for step in self.steps if step.weight is not None]
        if self.steps[0].weight is None:
            raise ValueError("the first step must be a weight")
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise ValueError("weights must rise from step to step")
        return self


class Strategy(Part):
    """Exactly one of the strategies, with its parameters."""

    recreate: Recreate | None = None
    rolling: Rolling | None = None
    blue_green: BlueGreen | None = Field(None, alias="blue-green")
    canary: Canary | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("recreate", "rolling", "blue_green", "canary"))
        return self

    @property
    def kind(self) -> StrategyKind:
        """The name of the strategy."""
        if self.recreate is not None:
            return "recreate"
        if self.rolling is not None:
            return "rolling"
        return "blue-green" if self.blue_green is not None else "canary"
