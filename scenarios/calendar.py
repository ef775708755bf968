"""The release calendar: when a release may start, and what becomes of one that may not."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Part
from scenarios.clock import Hours, Moment, next_bound, within
from scenarios.quantities import Count

__all__ = ["Blackout", "Calendar", "Freeze"]

_LOOK_AHEAD = timedelta(days=400)


class Freeze(Part):
    """No release from one moment to another."""

    begin: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    reason: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.begin:
            raise ValueError("to must be later than from")
        return self


class Blackout(Hours):
    """Hours that come back, in which there is no release."""

    month_end: Annotated[Count, Field(ge=1, le=28)] | None = Field(
        None, description="only on so many of the last days of a month"
    )
    reason: str = ""

    def span(self, day: date) -> tuple[datetime, datetime] | None:
        """As `Hours.span`; only those that begin on one of the last days of a month, where that is asked for."""
        last = monthrange(day.year, day.month)[1]
        return None if self.month_end is not None and day.day <= last - self.month_end else super().span(day)


class Calendar(Part):
    """When the release may start: in a window, where there are any, and in no freeze and no blackout.

    Deny beats allow, as in Argo CD's sync windows; open only when all agree, as in AWS Change Calendar.
    """

    windows: list[Hours] = Field([], description="in which a release may start; without any, at all times")
    blackouts: list[Blackout] = []
    freezes: list[Freeze] = []
    when_closed: Literal["wait", "skip", "postpone"] = Field("wait", description="what becomes of the release")

    @property
    def closes(self) -> bool:
        """Whether there is any time at which it does not let a release start."""
        return bool(self.windows or self.blackouts or self.freezes)

    def closed_by(self, moment: datetime) -> str | None:
        """Why no release may start at a moment; None when it may."""
        for freeze in self.freezes:
            if freeze.begin <= moment < freeze.end:
                return _reason("freeze", freeze.reason)
        for blackout in self.blackouts:
            if blackout.holds(moment):
                return _reason("blackout", blackout.reason)
        return None if within(self.windows, moment) else "outside the windows"

    def opens(self, moment: datetime) -> datetime | None:
        """The first moment from `moment` on at which a release may start; None when that is more than a year away."""
        found = moment
        while self.closed_by(found) is not None:
            following = min(self._bounds(found), default=None)
            if following is None or following - moment > _LOOK_AHEAD:
                return None
            found = following
        return found

    def _bounds(self, after: datetime) -> Iterator[datetime]:
        """Moments later than `after` at which it may open."""
        yield from (freeze.end for freeze in self.freezes if freeze.end > after)
        weekly = next_bound([*self.windows, *self.blackouts], after)
        if weekly is not None:
            yield weekly

    def postponed(self, start: datetime, at_s: float) -> datetime:
        """When the load begins of which the release starts `at_s` later: `start`, unless the release is postponed."""
        planned = start + timedelta(seconds=at_s)
        opens = self.opens(planned) if self.when_closed == "postpone" else None
        return start if opens is None else start + (opens - planned)


def _reason(kind: str, reason: str) -> str:
    return f"{kind}: {reason}" if reason else kind
