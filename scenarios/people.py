"""People around the release: who is paged, who signs off, who is told, what customers report, and in which hours."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part
from scenarios.clock import Hours
from scenarios.distributions import Distribution
from scenarios.quantities import PositiveCount, PositiveDurationS, PositiveRatio, RatePerS

__all__ = [
    "Approval",
    "Escalation",
    "Notice",
    "OnCall",
    "OutOfHours",
    "Person",
    "Suppression",
    "TicketAlarm",
    "Tickets",
]


class OutOfHours(Part):
    """The times of a person outside their hours: asleep, on the way, without a computer."""

    acknowledge: Distribution
    decide: Distribution


class Person(Part):
    """Who can be paged: time until the page is acknowledged, and from there to the decision."""

    acknowledge: Distribution
    decide: Distribution
    hours: list[Hours] = Field([], description="in which these times hold; without any, always")
    out_of_hours: OutOfHours | None = None
    skills: list[Name] | None = Field(None, min_length=1, description="services that they can decide about; none: all")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.hours) != (self.out_of_hours is not None):
            raise ValueError("must have both of hours and out_of_hours, or none of them")
        return self

    def knows(self, service: str) -> bool:
        """Whether they can decide about a service."""
        return self.skills is None or service in self.skills


class Escalation(Part):
    """Page one more person when nobody has acknowledged so long after the first page."""

    after_s: PositiveDurationS = Field(alias="after")
    to: Name


class OnCall(Person):
    """The person who is paged first, and who is paged after them."""

    escalation: list[Escalation] = []

    @model_validator(mode="after")
    def _rising(self) -> Self:
        times_s = [step.after_s for step in self.escalation]
        if times_s != sorted(set(times_s)):
            raise ValueError("escalation must be in the order of its times, each later than the one before")
        return self


class Approval(Part):
    """A sign-off that a step of the release waits for: the work that it takes, done in the hours of those who sign."""

    takes: Distribution
    hours: list[Hours] = Field([], description="of those who sign; without any, at all times")


class Suppression(Part):
    """Alerts that are silenced around the release, so that the deploy itself wakes nobody."""

    for_s: PositiveDurationS | None = Field(None, alias="for", description="from the start of the release")
    during: Literal["release"] | None = Field(None, description="to its end")
    guardrails: Literal["page", "all"] = Field("page", description="those that page, or also those that roll back")

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.for_s is None) == (self.during is None):
            raise ValueError("must have exactly one of for, during")
        return self


class Notice(Part):
    """Someone is told of the first event of a kind, some time after it."""

    to: Name
    on: Literal[
        "release-start",
        "guardrail-trip",
        "acknowledge",
        "decision",
        "rollback-start",
        "rollback-end",
        "release-end",
    ]
    after: Distribution


class TicketAlarm(Part):
    """Support pages the person on call when many customers complain."""

    above: PositiveCount = Field(description="tickets about one function within the window")
    window_s: PositiveDurationS = Field(600.0, alias="window")


class Tickets(Part):
    """Customers whose requests fail tell support, some of them and some time later."""

    share: PositiveRatio = Field(description="of failed requests")
    after: Distribution
    background_per_s: RatePerS | None = Field(
        None, alias="background", description="tickets about nothing, each function"
    )
    page: TicketAlarm | None = None
