"""Faults of a service's processes, and of how they are started and configured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part
from scenarios.quantities import PositiveCount, PositiveDurationS, RatePerS

__all__ = ["Configuration", "CrashLoop", "Kill", "Outage", "Pause", "SlowStart", "ThirdPartyQuota", "VictimsPart"]


class VictimsPart(Part):
    """Which replicas are hit."""

    of: Name
    version: Literal["new", "old", "any"] = "any"
    replicas: PositiveCount = 1


class Kill(VictimsPart):
    """Processes of a service die at once; they are started again when the fault ends."""


class Pause(VictimsPart):
    """Processes of a service stand still, with all their connections; they go on when the fault ends."""


class CrashLoop(VictimsPart):
    """Processes of a service die, are started again, and die again."""

    every_s: PositiveDurationS = Field(alias="every", description="how long a replica that is ready again lives")


class SlowStart(Part):
    """Replicas of a service that start meanwhile are ready later."""

    of: Name
    add_s: PositiveDurationS = Field(alias="add")


class Configuration(Part):
    """A configuration that is wrong is pushed to all replicas of a service, also to those that start meanwhile."""

    of: Name
    workers: PositiveCount | None = Field(None, description="of each replica")
    timeout_s: PositiveDurationS | None = Field(None, alias="timeout", description="of each attempt of its calls")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.workers is None and self.timeout_s is None:
            raise ValueError("must have workers, timeout or both")
        return self


class Outage(Part):
    """A service, such as a third party, is out of reach for all who call it."""

    of: Name
    silent: bool = Field(False, description="true: connections stay open and nothing is answered")


class ThirdPartyQuota(Part):
    """A service, such as a third party, answers 429 to what is above its quota."""

    of: Name
    rate_per_s: RatePerS = Field(alias="rate")
