"""Load profiles: how the rate of a business function changes over the run, as factors on it."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from scenarios.base import Part
from scenarios.clock import DAYS, Day, Moment
from scenarios.quantities import Count, DurationS, PositiveDurationS

__all__ = ["LoadStep", "MonthEnd", "Peak", "Profile"]

# Not 0: where no request comes, nobody can tell whether all is well.
Factor = Annotated[float, Field(gt=0, le=1000)]


class LoadStep(Part):
    """From `at` (after the start of the load) on, until the next step."""

    at_s: DurationS = Field(alias="at")
    factor: Factor


class MonthEnd(Part):
    """The last days of every month."""

    days: Annotated[Count, Field(ge=1, le=28)] = Field(description="the last day of the month is one of them")
    factor: Factor


class Peak(Part):
    """A time of more load, or of less: a sale, a broadcast, a holiday."""

    at_s: DurationS | None = Field(None, alias="at", description="after the start of the load")
    begin: Moment | None = Field(None, alias="from", description="on the wall clock")
    for_s: PositiveDurationS = Field(alias="for")
    factor: Factor

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.at_s is None) == (self.begin is None):
            raise ValueError("must have exactly one of at, from")
        return self

    def span_s(self, start: datetime | None) -> tuple[float, float]:
        """From when to when it lasts, in seconds after `start`."""
        begin_s = self.at_s
        if begin_s is None:
            assert self.begin is not None
            assert start is not None, "the rules of the language ask for start"
            begin_s = (self.begin - start).total_seconds()
        return begin_s, begin_s + self.for_s


class Profile(Part):
    """Factors on the rate; those that hold at one time multiply."""

    steps: list[LoadStep] = []
    daily: list[Factor] = Field([], description="one for each hour of the day, from midnight on")
    weekly: dict[Day, Factor] = Field({}, description="of days of the week")
    month_end: MonthEnd | None = None
    peaks: list[Peak] = []

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if "daily" in self.model_fields_set and len(self.daily) != 24:
            raise ValueError(f"daily must have 24 factors, one for each hour, has {len(self.daily)}")
        if any(later.at_s <= earlier.at_s for earlier, later in pairwise(self.steps)):
            raise ValueError("steps must be in the order of their times, each later than the one before")
        return self

    def factors(self, start: datetime | None, duration_s: float) -> tuple[tuple[float, float], ...]:
        """(from when, factor) in seconds after `start`, the first from 0, none at `duration_s` or later."""
        found: list[tuple[float, float]] = []
        for time_s in sorted({0.0, *self._changes_s(start, duration_s)}):
            factor = self._factor(start, time_s)
            if 0 <= time_s < duration_s and (not found or found[-1][1] != factor):
                found.append((time_s, factor))
        return tuple(found)

    def _changes_s(self, start: datetime | None, duration_s: float) -> list[float]:
        changes_s = [step.at_s for step in self.steps]
        changes_s += [bound_s for peak in self.peaks for bound_s in peak.span_s(start)]
        if self.daily or self.weekly or self.month_end is not None:
            assert start is not None, "the rules of the language ask for start"
            whole_hour = start.replace(minute=0, second=0)
            hours = range(1, int(duration_s // 3600) + 2)
            changes_s += [(whole_hour + timedelta(hours=hour) - start).total_seconds() for hour in hours]
        return [time_s for time_s in changes_s if 0 < time_s < duration_s]

    def _factor(self, start: datetime | None, time_s: float) -> float:
        """The product of all that hold at a time."""
        factor = next((step.factor for step in reversed(self.steps) if step.at_s <= time_s), 1.0)
        for peak in self.peaks:
            begin_s, end_s = peak.span_s(start)
            factor *= peak.factor if begin_s <= time_s < end_s else 1.0
        if start is None:
            return factor
        moment = start + timedelta(seconds=time_s)
        factor *= self.daily[moment.hour] if self.daily else 1.0
        factor *= self.weekly.get(DAYS[moment.weekday()], 1.0)
        if self.month_end is not None:
            last = monthrange(moment.year, moment.month)[1]
            factor *= self.month_end.factor if moment.day > last - self.month_end.days else 1.0
        return factor
