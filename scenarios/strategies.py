"""Rollout strategies, as the author writes them; the rollout package turns each into a plan of steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part, exactly_one
from scenarios.quantities import DurationS
from scenarios.strategy_steps import Analysis, CanaryStep, Gates, Share, ToggleStep

__all__ = [
    "BlueGreen",
    "Canary",
    "Recreate",
    "Rolling",
    "Strategy",
    "StrategyKind",
    "Toggle",
    "Waves",
]

StrategyKind = Literal["recreate", "rolling", "blue-green", "canary", "toggle", "waves"]


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
    approve: Name | None = Field(None, description="a sign-off of operations.approvals, before the switch")
    hold_s: DurationS = Field(0.0, alias="hold", description="after the switch, before anything follows")
    analysis: Analysis | None = Field(None, description="after the hold; failing, it switches back")
    scale_down_delay_s: DurationS = Field(30.0, alias="scale_down_delay", description="old version kept after it")


class Canary(Part):
    """Shift traffic step by step; after the last step all of it, and the old version stops."""

    steps: list[CanaryStep] = Field(min_length=1)

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if not self.steps[0].shifts:
            raise ValueError("the first step must be a weight, scale, cohort or mirror")
        _check_rising("weights", [step.weight for step in self.steps])
        _check_once(step.cohort for step in self.steps)
        return self


class Toggle(Part):
    """Deploy the new version dark, then turn its flag on step by step; after the last step for all."""

    steps: list[ToggleStep] = Field(min_length=1)
    propagation_s: DurationS = Field(30.0, alias="propagation", description="until all replicas follow the flag")
    deploy: Rolling = Field(Rolling(), description="how the new version is deployed, its flag off")

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if not self.steps[0].shifts:
            raise ValueError("the first step must be on or cohort")
        _check_rising("shares of on", [step.on for step in self.steps])
        _check_once(step.cohort for step in self.steps)
        return self


class Waves(Part):
    """Release to one group of zones or cohorts after the other; each wave is over after its bake and analysis."""

    by: Literal["zones", "cohorts"]
    waves: list[list[Name]] = Field(min_length=1)
    bake_s: DurationS = Field(0.0, alias="bake", description="after each wave")
    analysis: Analysis | None = Field(None, description="after each bake")
    approve: Name | None = Field(None, description="a sign-off of operations.approvals, before each wave but the first")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if any(not wave for wave in self.waves):
            raise ValueError("each wave must name at least one")
        _check_once(name for wave in self.waves for name in wave)
        return self


def _check_rising(what: str, shares: Sequence[float | None]) -> None:
    given = [share for share in shares if share is not None]
    if any(later <= earlier for earlier, later in pairwise(given)):
        raise ValueError(f"{what} must rise from step to step")


def _check_once(names: Iterable[str | None]) -> None:
    seen: set[str] = set()
    for name in names:
        if name is None:
            continue
        if name in seen:
            raise ValueError(f"{name} must be there once")
        seen.add(name)


class Strategy(Part):
    """Exactly one of the strategies, with its parameters."""

    recreate: Recreate | None = None
    rolling: Rolling | None = None
    blue_green: BlueGreen | None = Field(None, alias="blue-green")
    canary: Canary | None = None
    toggle: Toggle | None = None
    waves: Waves | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, tuple(type(self).model_fields))
        return self

    @property
    def kind(self) -> StrategyKind:
        """The name of the strategy."""
        kinds: dict[str, StrategyKind] = {
            "recreate": "recreate",
            "rolling": "rolling",
            "blue_green": "blue-green",
            "canary": "canary",
            "toggle": "toggle",
            "waves": "waves",
        }
        return next(kind for field, kind in kinds.items() if getattr(self, field) is not None)

    @property
    def parameters(self) -> Recreate | Rolling | BlueGreen | Canary | Toggle | Waves:
        """Those of the one that it is."""
        each = (self.recreate, self.rolling, self.blue_green, self.canary, self.toggle, self.waves)
        return next(one for one in each if one is not None)

    @property
    def analyses(self) -> list[Analysis]:
        """Its analyses, in order."""
        return [each.analysis for each in self._gates() if each.analysis is not None]

    @property
    def approvals(self) -> list[str]:
        """The sign-offs that it waits for, in order."""
        return [each.approve for each in self._gates() if each.approve is not None]

    def _gates(self) -> Sequence[Gates | BlueGreen | Waves]:
        """What may hold it."""
        one = self.parameters
        return one.steps if isinstance(one, Canary | Toggle) else [one] if isinstance(one, BlueGreen | Waves) else []
