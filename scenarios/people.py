"""People around the release: who is paged, who signs off, and in which hours they are there."""

from __future__ import annotations

from pydantic import Field

from scenarios.base import Part
from scenarios.clock import Hours
from scenarios.distributions import Distribution

__all__ = ["Approval", "OnCall"]


class OnCall(Part):
    """The person who is paged: time until the page is acknowledged, and from there to the decision."""

    acknowledge: Distribution
    decide: Distribution


class Approval(Part):
    """A sign-off that a step of the release waits for: the work that it takes, done in the hours of those who sign."""

    takes: Distribution
    hours: list[Hours] = Field([], description="of those who sign; without any, at all times")
