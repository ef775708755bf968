"""What must hold between the wall clock of a scenario and the parts that name days, hours or moments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pydantic import ValidationError

from scenarios.calendar import Calendar
from scenarios.clock import parse_moment
from scenarios.rule_views import Data, Violation, duration_s_of, items, mapping
from scenarios.yaml_text import Path

__all__ = ["clock_rules"]

_RULE = "must have a wall clock to be told by: start, the moment at which the load begins"


def clock_rules(view: Data) -> Iterator[Violation]:
    """Days, hours and moments mean nothing without `start`; a calendar must let the release start some day."""
    if "start" in view.top:
        yield from _opens(view)
        return
    for path, value in _told_by_the_clock(view):
        yield Violation(path, value, _RULE)


def _told_by_the_clock(view: Data) -> Iterator[tuple[Path, object]]:
    for name, function in view.functions.items():
        profile = mapping(function.get("profile"))
        for key in ("daily", "weekly", "month_end"):
            if profile.get(key):
                yield ("functions", name, "profile", key), profile[key]
        for index, peak in items(profile.get("peaks")):
            if "from" in peak:
                yield ("functions", name, "profile", "peaks", index, "from"), peak["from"]
    calendar = mapping(view.top.get("calendar"))
    for key in ("windows", "blackouts", "freezes"):
        if calendar.get(key):
            yield ("calendar", key), calendar[key]
    operations = mapping(view.top.get("operations"))
    for path, each in (
        (("on_call",), operations.get("on_call")),
        *((("people", name), each) for name, each in mapping(operations.get("people")).items()),
        *((("approvals", name), each) for name, each in mapping(operations.get("approvals")).items()),
    ):
        hours = mapping(each).get("hours")
        if hours:
            yield ("operations", *path, "hours"), hours


def _opens(view: Data) -> Iterator[Violation]:
    at_s = duration_s_of(view.release.get("at", "30s"))
    try:
        planned = parse_moment(view.top["start"])
        calendar = Calendar.model_validate(mapping(view.top.get("calendar")))
    except (ValidationError, ValueError):
        return  # the models report what is wrong with them
    if at_s is not None and calendar.opens(planned + timedelta(seconds=at_s)) is None:
        rule = "must let the release start at some time within a year of start"
        yield Violation(("calendar",), view.top["calendar"], rule)
