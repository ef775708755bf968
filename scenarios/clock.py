"""The wall clock of a scenario: moments, times of day, and hours that come back every week.

Plain local time: no time zones, and no changes between summer and winter time. A release is planned in the time of the
people who do it, and neither an hour that is left out nor one that comes twice is worth a rule in every scenario.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Part

__all__ = ["DAYS", "Day", "Hours", "Moment", "TimeOfDayS", "next_bound", "parse_moment", "within", "worked"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", re.ASCII)
_TIME_OF_DAY = re.compile(r"(\d{2}):(\d{2})", re.ASCII)
_DAY_S = 86400.0
# Years that leave room for the longest duration before and after.
_YEARS = range(1970, 2101)
# Hours come back within a week; those of the last days of a month, within one.
_LOOK_AHEAD_DAYS = 40


def parse_moment(value: Any) -> datetime:
    """A moment of the wall clock from a text such as `2026-11-27 16:00`; raises ValueError with the rule broken."""
    rule = 'must be a date and a time of day in quotes, such as "2026-11-27 16:00"'
    if not isinstance(value, str) or _MOMENT.fullmatch(value.strip()) is None:
        raise ValueError(rule)
    try:
        moment = datetime.strptime(value.strip(), "%Y-%m-%d %H:%M")  # noqa: DTZ007 - local time, see above
    except ValueError as error:
        raise ValueError(f"{rule}: there is no such day or time") from error
    if moment.year not in _YEARS:
        raise ValueError(f"must be in the years {_YEARS.start} to {_YEARS.stop - 1}")
    return moment


def _parse_time_of_day_s(value: Any) -> float:
    match = _TIME_OF_DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    time_s = int(match[1]) * 3600.0 + int(match[2]) * 60.0 if match is not None and int(match[2]) < 60 else None
    if time_s is None or time_s > _DAY_S:
        raise ValueError('must be a time of day in quotes, from "00:00" to "24:00"')
    return time_s


Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT.pattern}$", "examples": ["2026-11-27 16:00"]}),
]
TimeOfDayS = Annotated[
    float,
    BeforeValidator(_parse_time_of_day_s),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME_OF_DAY.pattern}$", "examples": ["09:00"]}),
]


class Hours(Part):
    """Hours of some days of every week; those that end before they begin end on the next day."""

    days: list[Day] = Field(list(DAYS), min_length=1, description="on which they begin")
    from_s: TimeOfDayS | None = Field(None, alias="from", description="without it, from midnight")
    to_s: TimeOfDayS | None = Field(None, alias="to", description="without it, to midnight")

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self._begin_s == _DAY_S or (self._begin_s == self._end_s % _DAY_S and self._end_s != _DAY_S):
            raise ValueError("from must be before 24:00 and differ from to; leave both out for whole days")
        return self

    @property
    def _begin_s(self) -> float:
        return 0.0 if self.from_s is None else self.from_s

    @property
    def _end_s(self) -> float:
        return _DAY_S if self.to_s is None else self.to_s

    def span(self, day: date) -> tuple[datetime, datetime] | None:
        """From when to when they last, of those that begin on a day; None when none do."""
        if DAYS[day.weekday()] not in self.days:
            return None
        end_s = self._end_s if self._end_s > self._begin_s else self._end_s + _DAY_S
        return _midnight(day) + timedelta(seconds=self._begin_s), _midnight(day) + timedelta(seconds=end_s)

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is within them; the first moment is, the last is not."""
        spans = (self.span(moment.date() - timedelta(days=before)) for before in (0, 1))
        return any(span is not None and span[0] <= moment < span[1] for span in spans)


def within(hours: Sequence[Hours], moment: datetime) -> bool:
    """Whether a moment is within any of them; always, when there are none."""
    return not hours or any(each.holds(moment) for each in hours)


def next_bound(hours: Sequence[Hours], after: datetime) -> datetime | None:
    """The first moment later than `after` at which any of them begin or end; None when none ever do."""
    found: datetime | None = None
    for ahead in range(-1, _LOOK_AHEAD_DAYS):
        day = after.date() + timedelta(days=ahead)
        if found is not None and found <= _midnight(day):
            break
        spans = [span for each in hours if (span := each.span(day)) is not None]
        bounds = [bound for span in spans for bound in span if bound > after]
        found = min(bounds if found is None else [found, *bounds], default=None)
    return found


def worked(hours: Sequence[Hours], since: datetime, work_s: float) -> datetime:
    """When `work_s` seconds of work are done that is done within the hours only; without any, at all times."""
    moment, left_s = since, work_s
    while hours:
        bound = next_bound(hours, moment)
        assert bound is not None, "hours come back every week"
        if within(hours, moment):
            span_s = (bound - moment).total_seconds()
            if left_s <= span_s:
                break
            left_s -= span_s
        moment = bound
    return moment + timedelta(seconds=left_s)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local time, see above
