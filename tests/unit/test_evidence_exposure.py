"""From when on a request can meet what is wrong with a release."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evidence.events import Event
from evidence.exposure import defects_seen_s
from evidence.timeline import Timeline
from scenarios.models import Release

START = {"old": "1, 7", "new": "2, 8"}


def release(*defects: dict[str, Any], strategy: str = "canary") -> Release:
    strategies = {
        "canary": {"canary": {"steps": [{"cohort": "abroad"}]}},
        "toggle": {"toggle": {"steps": [{"cohort": "abroad"}]}},
    }
    return Release.model_validate(
        {
            "changes": [{"service": "shop", "from": "1", "to": "2"}, {"service": "ads", "from": "7", "to": "8"}],
            "defects": [{"name": f"d{place}", "probability": "50%", **each} for place, each in enumerate(defects)],
            "strategy": strategies[strategy],
        }
    )


def start(*names: str, strategy: str = "canary") -> Event:
    return Event(5.0, "release-start", "shop, ads", {**START, "defects": list(names), "strategy": strategy})


def route(time_s: float, service: str, new: str, weight: float = 0.0, **cohorts: float) -> Event:
    own = {"cohorts": {name: {new: share} for name, share in cohorts.items()}} if cohorts else {}
    return Event(time_s, "route", service, {"weights": {new: weight}, **own})


def flag(time_s: float, share: float = 0.0, *cohorts: str) -> Event:
    return Event(time_s, "flag", "shop", {"share": share, "cohorts": list(cohorts), "phase": "start"})


def seen_s(one: Release, *events: Event) -> tuple[float, ...]:
    kind = one.strategy.kind
    return defects_seen_s(Timeline.of([start(*(each.name for each in one.defects), strategy=kind), *events]), one)


ROUTES = [
    route(10.0, "shop", "2", home=1.0),
    route(60.0, "shop", "2", home=1.0, abroad=1.0),
    route(90.0, "ads", "8", 1.0),
]


@pytest.mark.parametrize(
    ("defect", "from_s"),
    [
        ({}, 10.0),
        ({"after": "20s"}, 30.0),
        ({"cohort": "home"}, 10.0),
        ({"cohort": "abroad"}, 60.0),
        ({"cohort": "abroad", "after": "20s"}, 60.0),  # its clock has run since the first request
        ({"cohort": "abroad", "after": "80s"}, 90.0),
        ({"cohort": "others"}, math.inf),
        ({"of": "ads"}, 90.0),
        ({"incompatible_with": {"service": "ads", "version": "new"}}, 90.0),
        ({"incompatible_with": {"service": "ads", "version": "old"}}, 10.0),
        ({"flag": True}, 10.0),  # under a canary it is like any defect
    ],
)
def test_a_defect_waits_for_those_who_can_meet_it(defect: dict[str, Any], from_s: float) -> None:
    assert seen_s(release({"errors": "5%", **defect}), *ROUTES) == (from_s,)


def test_weights_are_of_the_cohorts_that_no_route_names() -> None:
    one = release({"errors": "5%", "cohort": "abroad"}, {"errors": "5%", "cohort": "home"})
    weighted = route(20.0, "shop", "2", 0.1, home=0.0)
    assert seen_s(one, weighted, route(70.0, "shop", "2", 1.0)) == (20.0, 70.0)


def test_copies_show_what_is_wrong_too() -> None:
    mirror = Event(8.0, "mirror", "shop", {"version": "2", "share": 0.5})
    assert seen_s(release({"errors": "5%", "cohort": "abroad"}), mirror, *ROUTES) == (8.0,)


def test_what_a_flag_hides_waits_for_the_flag_and_the_rest_does_not() -> None:
    one = release(
        {"errors": "5%", "flag": True}, {"errors": "5%", "flag": True, "cohort": "abroad"}, {"errors": "5%"},
        strategy="toggle",
    )  # fmt: skip
    deployed = route(10.0, "shop", "2", 1.0)
    assert seen_s(one, deployed, flag(30.0, 0.0, "home"), flag(50.0, 0.0, "home", "abroad")) == (30.0, 50.0, 10.0)
    assert seen_s(one, deployed, flag(40.0, 0.2)) == (40.0, 40.0, 10.0)
    assert seen_s(one, deployed) == (math.inf, math.inf, 10.0)


def test_bad_data_shows_when_its_symptom_does() -> None:
    bad_data = {"share": "10%", "symptom_after": "30s", "errors": "20%"}
    assert seen_s(release({"bad_data": bad_data}), *ROUTES) == (40.0,)
