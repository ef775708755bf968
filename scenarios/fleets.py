"""What keeps the replicas of a service up: probes, autoscaling; and how reliable a third party is."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from scenarios.base import Part
from scenarios.distributions import Distribution
from scenarios.quantities import DurationS, PositiveCount, PositiveDurationS, PositiveRatio

__all__ = ["Autoscaling", "Availability", "Probe"]


class Probe(Part):
    """Asks each replica whether it answers. Defaults are those of Kubernetes."""

    period_s: PositiveDurationS = Field(10.0, alias="period")
    failures: PositiveCount = Field(3, description="in a row, that make the probe fail")
    timeout_s: PositiveDurationS = Field(1.0, alias="timeout")


class Autoscaling(Part):
    """Replicas follow the utilisation of their workers, by the formula of Kubernetes' HorizontalPodAutoscaler."""

    target: PositiveRatio = Field(description="share of the workers that are busy")
    minimum: PositiveCount = 1
    maximum: PositiveCount
    period_s: PositiveDurationS = Field(15.0, alias="period", description="it looks once in it, at its average")
    lag_s: DurationS = Field(0.0, alias="lag", description="age of what it sees")
    scale_down_after_s: DurationS = Field(300.0, alias="scale_down_after", description="stabilisation window")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.maximum < self.minimum:
            raise ValueError(f"maximum(={self.maximum}) must be at least minimum(={self.minimum})")
        return self


class Availability(Part):
    """A third party is up and down in turn; while it is down it refuses every request."""

    uptime: PositiveRatio = Field(description="share of the time, in the long run")
    outage: Distribution = Field(description="of one outage")

    @model_validator(mode="after")
    def _goes_down(self) -> Self:
        if self.uptime >= 1:
            raise ValueError("uptime must be below 100%: leave availability out for a third party that is always up")
        if self.outage.mean_s <= 0:
            raise ValueError("outage must take longer than 0s")
        return self

    @property
    def up_mean_s(self) -> float:
        """Mean time from the end of an outage to the next: availability = up / (up + outage)."""
        return self.outage.mean_s * self.uptime / (1.0 - self.uptime)
