"""What only a drill heeds: rules that protect a system which is real. A simulation has nothing to protect."""

from __future__ import annotations

from pydantic import Field

from scenarios.base import Bounds, Part
from scenarios.quantities import PositiveDurationS, Ratio

__all__ = ["Drill", "Stop"]


class Stop(Bounds):
    """When a drill ends early, with its release and its faults undone; the verdict is then an error."""

    error_budget: Ratio | None = Field(
        None, description="of the requests that a function gets over the whole drill: more failed ones end it"
    )
    down_s: PositiveDurationS | None = Field(
        None, alias="down", description="a function that is down for longer in one go ends it"
    )


class Drill(Part):
    """Rules of a drill on real staging."""

    stop: Stop = Stop()
