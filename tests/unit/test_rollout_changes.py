"""Several services in one release: in their order, or together, and taken back in reverse."""

from typing import Any

import pytest

from scenarios.models import Scenario
from tests.unit.rollout_tiny import TinyWorld, data, observation, play, scenario_of

ERRORS = {"metric": "error-ratio", "of": "web", "above": "5%", "window": "10s", "minimum": 10}


def scenario(order: str, **release: Any) -> Scenario:
    plain = data(
        changes=[{"service": "web", "from": "v1", "to": "v2"}, {"service": "shop", "from": "s1", "to": "s2"}],
        strategy={"recreate": {}},
        order=order,
        **release,
    )
    plain["system"]["services"]["shop"] = {"replicas": 2, "service_time": "5ms"}
    plain["system"]["calls"].append({"from": "web", "to": "shop"})
    return scenario_of(plain)


def test_changes_follow_each_other_as_listed() -> None:
    world = TinyWorld()
    play(world, scenario("sequential"))
    assert world.log == [
        (12.0, "deploy v1 0"),
        (14.0, "deploy v2 4"),
        (15.0, "route 1"),
        (17.0, "deploy s1 0"),
        (19.0, "deploy s2 2"),
        (20.0, "route 1"),
    ]
    assert [subject for _, kind, subject, _ in world.events if kind == "step-start"][::3] == [
        "web: stop v1",
        "shop: stop s1",
    ]
    assert world.detail("release-start")[0]["new"] == "v2, s2"
    assert world.kinds("step-start", "step-end") == [(10.0, "release-start"), (20.0, "release-end")]


def test_changes_together_begin_at_once_and_the_release_ends_with_the_last() -> None:
    world = TinyWorld()
    play(world, scenario("together"))
    assert sorted(world.log) == [
        (12.0, "deploy s1 0"),
        (12.0, "deploy v1 0"),
        (14.0, "deploy s2 2"),
        (14.0, "deploy v2 4"),
        (15.0, "route 1"),
        (15.0, "route 1"),
    ]
    assert world.kinds("step-start", "step-end")[-1] == (15.0, "release-end")


@pytest.mark.parametrize(
    ("bad_s", "taken_back"),
    [
        (13.0, ["deploy v1 4", "route 0", "deploy v2 0", "verify"]),  # the second service has not begun
        (18.0, ["deploy s1 2", "deploy v1 4", "route 0", "route 0", "deploy s2 0", "deploy v2 0", "verify"]),
    ],
)
def test_only_what_has_begun_is_taken_back_and_the_last_first(bad_s: float, taken_back: list[str]) -> None:
    world = TinyWorld()
    world.sees = lambda now: observation(100, errors=50 if now >= bad_s else 0)
    play(world, scenario("sequential", guardrails=[ERRORS]))
    begun = next(time_s for time_s, kind, _, _ in world.events if kind == "rollback-start")
    # What was under way when the rollback began ends in the order in which it was asked for.
    assert [
        call for time_s, call in world.log if time_s > begun and call not in ("deploy v2 4", "deploy s2 2")
    ] == taken_back
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]


def test_a_service_that_cannot_be_taken_back_keeps_none_of_the_others() -> None:
    world = TinyWorld()
    world.fails = {"deploy s1 2"}
    play(world, scenario("sequential"), abort_at_s=30.0)
    assert world.log[6:] == [
        (32.0, "deploy s1 2 failed"),
        (34.0, "deploy v1 4"),
        (35.0, "route 0"),
        (36.0, "route 0"),
        (38.0, "deploy s2 0"),
        (40.0, "deploy v2 0"),
        (40.0, "verify"),
    ]
    assert world.detail("release-end")[-1]["outcome"] == "failed"


def test_the_timeline_says_which_services_have_a_defect() -> None:
    defects = [{"name": "wrong", "of": "shop", "probability": "100%", "errors": "50%"}]
    world = TinyWorld()
    play(world, scenario("sequential", defects=defects), defects=("wrong",))
    assert world.detail("release-start")[0]["defective"] == ["shop"]
    well = TinyWorld()
    play(well, scenario("sequential", defects=defects))
    assert "defective" not in well.detail("release-start")[0]
