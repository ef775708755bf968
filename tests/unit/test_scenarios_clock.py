"""Moments, hours and load profiles: exact arithmetic of the wall clock, and the rules that go with it."""

from datetime import datetime
from typing import Any

import pytest

from scenarios.clock import Hours, next_bound, within, worked
from scenarios.errors import InvalidScenario
from scenarios.models import Scenario
from simulator.compile import compile_scenario
from tests.unit.rollout_tiny import data, scenario_of

OFFICE = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}
NIGHT = {"days": ["fri"], "from": "22:00", "to": "06:00"}


def at(text: str) -> datetime:
    """A moment; 2026-11-27 is a Friday."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007


def hours(*plain: dict[str, Any]) -> list[Hours]:
    return [Hours.model_validate(each) for each in plain]


@pytest.mark.parametrize(
    ("moment", "office", "night"),
    [
        ("2026-11-27 08:59", False, False),
        ("2026-11-27 09:00", True, False),
        ("2026-11-27 16:59", True, False),
        ("2026-11-27 17:00", False, False),
        ("2026-11-27 22:00", False, True),
        ("2026-11-28 05:59", False, True),
        ("2026-11-28 06:00", False, False),
        ("2026-11-28 12:00", False, False),
        ("2026-11-27 03:00", False, False),
    ],
)
def test_hours_hold_from_their_first_moment_to_before_their_last(moment: str, office: bool, night: bool) -> None:
    assert (within(hours(OFFICE), at(moment)), within(hours(NIGHT), at(moment))) == (office, night)
    assert within(hours(OFFICE, NIGHT), at(moment)) == (office or night)
    assert within([], at(moment))


@pytest.mark.parametrize(
    ("after", "bound"),
    [
        ("2026-11-27 16:00", "2026-11-27 17:00"),
        ("2026-11-27 17:00", "2026-11-27 22:00"),
        ("2026-11-28 01:00", "2026-11-28 06:00"),
        ("2026-11-28 06:00", "2026-11-30 09:00"),
        ("2026-11-28 05:00", "2026-11-28 06:00"),
    ],
)
def test_the_next_moment_at_which_hours_begin_or_end(after: str, bound: str) -> None:
    assert next_bound(hours(OFFICE, NIGHT), at(after)) == at(bound)


@pytest.mark.parametrize(
    ("since", "work_h", "done"),
    [
        ("2026-11-27 10:00", 2, "2026-11-27 12:00"),
        ("2026-11-27 16:00", 1, "2026-11-27 17:00"),
        ("2026-11-27 16:00", 3, "2026-11-30 11:00"),
        ("2026-11-28 12:00", 1, "2026-11-30 10:00"),
        ("2026-11-26 16:00", 20, "2026-12-01 12:00"),
        ("2026-11-28 12:00", 0, "2026-11-30 09:00"),
    ],
)
def test_work_waits_for_the_next_hours(since: str, work_h: float, done: str) -> None:
    assert worked(hours(OFFICE), at(since), work_h * 3600.0) == at(done)


def test_work_without_hours_goes_on_at_all_times() -> None:
    assert worked([], at("2026-11-28 12:00"), 3600.0) == at("2026-11-28 13:00")
    assert worked(hours({}), at("2026-11-28 12:00"), 36 * 3600.0) == at("2026-11-30 00:00")


def played(profile: dict[str, Any], start: str | None = None, duration: str = "4h") -> Scenario:
    plain = data()
    plain["duration"] = duration
    plain["functions"]["buy"]["profile"] = profile
    if start is not None:
        plain["start"] = start
    return scenario_of(plain)


def rates(scenario: Scenario) -> tuple[tuple[float, float], ...]:
    """Of the tiny scenario's one function, which has 10/s before the profile."""
    return compile_scenario(scenario).network.functions[0].rates


DAILY = [1.0] * 17 + [2.0, 3.0] + [1.0] * 5


@pytest.mark.parametrize(
    ("profile", "start", "expected"),
    [
        ({}, None, ((0.0, 10.0),)),
        ({"steps": [{"at": "10m", "factor": 3}, {"at": "20m", "factor": 1}]}, None,
         ((0.0, 10.0), (600.0, 30.0), (1200.0, 10.0))),
        ({"steps": [{"at": "0s", "factor": 0.5}]}, None, ((0.0, 5.0),)),
        ({"peaks": [{"at": "1h", "for": "30m", "factor": 2}, {"at": "80m", "for": "10m", "factor": 4}]}, None,
         ((0.0, 10.0), (3600.0, 20.0), (4800.0, 80.0), (5400.0, 10.0))),
        ({"daily": DAILY}, "2026-11-27 15:30", ((0.0, 10.0), (5400.0, 20.0), (9000.0, 30.0), (12600.0, 10.0))),
        ({"weekly": {"sat": 1.5}}, "2026-11-27 22:00", ((0.0, 10.0), (7200.0, 15.0))),
        ({"month_end": {"days": 2, "factor": 2}}, "2026-11-28 23:00", ((0.0, 10.0), (3600.0, 20.0))),
        ({"month_end": {"days": 1, "factor": 2}}, "2026-11-30 22:00", ((0.0, 20.0), (7200.0, 10.0))),
        ({"peaks": [{"from": "2026-11-27 18:00", "for": "1h", "factor": 5}]}, "2026-11-27 16:00",
         ((0.0, 10.0), (7200.0, 50.0), (10800.0, 10.0))),
        ({"peaks": [{"from": "2026-11-27 12:00", "for": "5h", "factor": 5}]}, "2026-11-27 16:00",
         ((0.0, 50.0), (3600.0, 10.0))),
        ({"peaks": [{"from": "2026-12-24 12:00", "for": "5h", "factor": 5}]}, "2026-11-27 16:00", ((0.0, 10.0),)),
        ({"daily": DAILY, "peaks": [{"from": "2026-11-27 17:30", "for": "1h", "factor": 2}]}, "2026-11-27 17:00",
         ((0.0, 20.0), (1800.0, 40.0), (3600.0, 60.0), (5400.0, 30.0), (7200.0, 10.0))),
    ],
)  # fmt: skip
def test_profiles_become_piecewise_rates(
    profile: dict[str, Any], start: str | None, expected: tuple[tuple[float, float], ...]
) -> None:
    scenario = played(profile, start)
    assert rates(scenario) == (*expected, (scenario.duration_s, 0.0))


def test_the_expected_number_of_requests_is_the_integral_of_the_rate() -> None:
    function = played({"steps": [{"at": "10m", "factor": 3}]}).functions["buy"]
    assert function.requests(None, 1200.0) == 600 * 10 + 600 * 30


MOMENT = 'must be a date and a time of day in quotes, such as "2026-11-27 16:00"'
CLOCK = "must have a wall clock to be told by: start, the moment at which the load begins"
ORDER = "steps must be in the order of their times, each later than the one before"


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        ("2026-11-31 16:00", f"{MOMENT}: there is no such day or time"),
        ("tomorrow", MOMENT),
        ("2026-11-27", MOMENT),
        (2026, MOMENT),
        ("1066-10-14 09:00", "must be in the years 1970 to 2100"),
    ],
)
def test_moments_are_checked(start: object, rule: str) -> None:
    assert problems({**data(), "start": start}) == [f"start: {rule}"]


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ({"daily": [1] * 23}, "profile: daily must have 24 factors, one for each hour, has 23"),
        ({"daily": []}, "profile: daily must have 24 factors, one for each hour, has 0"),
        ({"weekly": {"sat": 0}}, "profile.weekly.sat: must be above 0"),
        ({"steps": [{"at": "2m", "factor": 2}, {"at": "1m", "factor": 1}]}, f"profile: {ORDER}"),
        ({"peaks": [{"at": "1m", "from": "2026-11-27 16:00", "for": "1m", "factor": 2}]},
         "profile.peaks[0]: must have exactly one of at, from"),
        ({"peaks": [{"for": "1m", "factor": 2}]}, "profile.peaks[0]: must have exactly one of at, from"),
        ({"month_end": {"days": 30, "factor": 2}}, "profile.month_end.days: must be at most 28"),
    ],
)  # fmt: skip
def test_profiles_are_checked(profile: dict[str, Any], problem: str) -> None:
    plain = {**data(), "start": "2026-11-27 16:00"}
    plain["functions"]["buy"]["profile"] = profile
    assert problems(plain) == [f"functions.buy.{problem}"]


def test_what_is_told_by_the_clock_needs_one() -> None:
    plain = data()
    plain["functions"]["buy"]["profile"] = {
        "weekly": {"sat": 2},
        "peaks": [{"at": "1m", "for": "1m", "factor": 2}, {"from": "2026-11-27 16:00", "for": "1m", "factor": 2}],
    }
    plain["operations"] = {"approvals": {"cab": {"takes": "5m", "hours": [OFFICE]}, "qa": {"takes": "5m"}}}
    assert problems(plain) == [
        f"functions.buy.profile.peaks[1].from: {CLOCK}",
        f"functions.buy.profile.weekly: {CLOCK}",
        f"operations.approvals.cab.hours: {CLOCK}",
    ]


@pytest.mark.parametrize("spoilt", [{"from": "17:00", "to": "17:00"}, {"from": "24:00"}, {"to": "00:00"}])
def test_hours_without_any_time_are_refused(spoilt: dict[str, str]) -> None:
    rule = "from must be before 24:00 and differ from to; leave both out for whole days"
    plain = {**data(), "start": "2026-11-27 16:00", "operations": {"approvals": {"cab": {"takes": "5m"}}}}
    plain["operations"]["approvals"]["cab"]["hours"] = [spoilt]
    assert problems(plain) == [f"operations.approvals.cab.hours[0]: {rule}"]


def problems(plain: dict[str, Any]) -> list[str]:
    """Path and rule of each problem."""
    with pytest.raises(InvalidScenario) as caught:
        scenario_of(plain)
    found = caught.value.problems
    return sorted(f"{problem.path}: {problem.rule}" for problem in found)
