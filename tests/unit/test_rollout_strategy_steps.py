"""Canaries by cohort, copies and scale; toggles; waves; and the gates between steps: exact steps, exact logs."""

from typing import Any

import pytest
import simpy

from rollout.cohorts import cohort_shares
from rollout.plan import plan
from scenarios.models import Change, Scenario, Strategy
from tests.unit.rollout_tiny import TinyWorld, data, observation, play, scenario_of

CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})
COHORTS = {"staff": 0.1, "eu": 0.5, "default": 0.4}
CHECK = {"metric": "error-ratio", "of": "web", "above": "5%", "window": "10s", "minimum": 10}


def steps(strategy: dict[str, Any], replicas: int = 10, zones: tuple[str, ...] = ()) -> list[str]:
    return [str(step) for step in plan(Strategy.model_validate(strategy), CHANGE, replicas, COHORTS, zones)]


def test_a_cohort_is_routed_wholly_and_weights_are_of_the_others() -> None:
    canary = {"canary": {"steps": [{"cohort": "staff"}, {"weight": "20%"}, {"cohort": "eu"}, {"bake": "5s"}]}}
    assert steps(canary) == [
        "deploy v2 x1", "route staff to new",
        "deploy v2 x3", "route staff, 0.2 of the others to new",  # 10 % + 20 % of 90 % of the requests
        "deploy v2 x7", "route staff, eu, 0.2 of the others to new",  # 60 % + 20 % of 40 %
        "bake 5 s", "deploy v2 x10", "route 1 to new", "stop v1",
    ]  # fmt: skip


def test_copies_need_replicas_too_and_end_with_the_last_step() -> None:
    assert steps({"canary": {"steps": [{"mirror": "40%"}, {"bake": "5s"}, {"weight": "10%"}]}}) == [
        "deploy v2 x4", "mirror 0.4 to new", "bake 5 s", "route 0.1 to new",
        "mirror 0 to new", "deploy v2 x10", "route 1 to new", "stop v1",
    ]  # fmt: skip
    ended = steps({"canary": {"steps": [{"mirror": "40%"}, {"mirror": "0%"}, {"weight": "10%"}]}})
    assert ended.count("mirror 0 to new") == 1


def test_scale_holds_until_it_matches_the_traffic_again() -> None:
    canary = {"canary": {"steps": [{"scale": 3}, {"weight": "10%"}, {"weight": "50%"}, {"scale": "match"}]}}
    assert steps(canary)[:5] == [
        "deploy v2 x3",
        "route 0.1 to new",
        "route 0.5 to new",
        "deploy v2 x5",
        "deploy v2 x10",
    ]
    # Back to fewer, too.
    early = {"canary": {"steps": [{"weight": "10%"}, {"scale": "50%"}, {"scale": "match"}, {"weight": "20%"}]}}
    assert [step for step in steps(early) if step.startswith("deploy")] == [
        "deploy v2 x1", "deploy v2 x5", "deploy v2 x1", "deploy v2 x2", "deploy v2 x10",
    ]  # fmt: skip
    assert steps({"canary": {"steps": [{"scale": "25%"}, {"weight": "1%"}]}})[0] == "deploy v2 x3"
    assert steps({"canary": {"steps": [{"scale": 99}, {"weight": "1%"}]}})[0] == "deploy v2 x10"


def test_a_toggle_deploys_dark_before_the_flag_moves() -> None:
    toggle = {"steps": [{"cohort": "staff"}, {"on": "5%"}, {"bake": "1m"}, {"on": "50%"}]}
    assert steps({"toggle": {**toggle, "deploy": {"surge": "100%", "unavailable": 0}}}, 2) == [
        "deploy v2 x2", "route 0.5 to new", "route 1 to new", "stop v1",
        "flag on for staff", "flag on for staff, 0.05", "bake 60 s", "flag on for staff, 0.5", "flag on for 1",
    ]  # fmt: skip
    assert steps({"toggle": {"steps": [{"on": "100%"}]}}, 1)[-1] == "flag on for 1"


def test_a_toggle_is_gated_between_the_steps_of_its_flag() -> None:
    looks = {"for": "9s", "checks": [CHECK]}
    gates = [{"pause": "7s"}, {"analysis": looks}, {"approve": "boss"}]
    assert steps({"toggle": {"steps": [{"cohort": "staff"}, *gates, {"on": "50%"}]}})[-6:] == [
        "flag on for staff", "pause", "analysis 9 s", "approval by boss", "flag on for staff, 0.5", "flag on for 1",
    ]  # fmt: skip


def test_waves_over_zones_replace_what_stands_there() -> None:
    waves = {"waves": {"by": "zones", "waves": [["a"], ["b", "c"]], "bake": "5s"}}
    # Of 4 replicas in turn over a, b, c the first zone has two.
    assert steps(waves, 4, ("a", "b", "c")) == [
        "deploy v2 x2 in a", "route 0.5 to new", "deploy v1 x2 in b, c", "bake 5 s",
        "deploy v2 x4 in a, b, c", "route 1 to new", "stop v1", "bake 5 s",
    ]  # fmt: skip
    # A service with one replica stands in one zone only.
    assert steps(waves, 1, ("a", "b", "c")) == [
        "deploy v2 x1 in a",
        "route 1 to new",
        "stop v1",
        "bake 5 s",
        "bake 5 s",
    ]


def test_each_wave_is_looked_at_after_its_bake_the_last_one_too() -> None:
    looks = {"for": "9s", "checks": [CHECK]}
    waves = {"by": "cohorts", "waves": [["staff"], ["eu"]], "bake": "5s", "analysis": looks}
    gates = [step for step in steps({"waves": waves}) if step.startswith(("bake", "analysis"))]
    assert gates == ["bake 5 s", "analysis 9 s", "bake 5 s", "analysis 9 s"]


def test_waves_over_cohorts_end_with_all_of_them() -> None:
    waves = {"waves": {"by": "cohorts", "waves": [["staff"], ["eu"]], "approve": "boss"}}
    assert steps(waves) == [
        "deploy v2 x1", "route staff to new", "approval by boss", "deploy v2 x10", "route 1 to new", "stop v1",
    ]  # fmt: skip


def test_blue_green_around_its_switch() -> None:
    blue_green = {"preview": "1s", "approve": "boss", "hold": "2s", "analysis": {"for": "9s", "checks": [CHECK]}}
    assert steps({"blue-green": {**blue_green, "scale_down_delay": "4s"}}, 2) == [
        "deploy v2 x2", "bake 1 s", "approval by boss", "route 1 to new",
        "bake 2 s", "analysis 9 s", "bake 4 s", "stop v1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "rule"),
    [
        ({"canary": {"steps": [{"bake": "5s"}]}}, "the first step must be a weight, scale, cohort or mirror"),
        ({"canary": {"steps": [{"weight": "5%"}, {"weight": "5%"}]}}, "weights must rise"),
        ({"canary": {"steps": [{"cohort": "a"}, {"cohort": "a"}]}}, "a must be there once"),
        ({"canary": {"steps": [{"weight": "5%", "bake": "5s"}]}}, "must have exactly one of bake, pause, analysis"),
        ({"canary": {"steps": [{"scale": 0}]}}, "above 0, or match"),
        ({"toggle": {"steps": [{"bake": "5s"}]}}, "the first step must be on or cohort"),
        ({"toggle": {"steps": [{"on": "50%"}, {"on": "5%"}]}}, "shares of on must rise"),
        ({"waves": {"by": "zones", "waves": [["a"], ["a"]]}}, "a must be there once"),
        ({"waves": {"by": "zones", "waves": [["a"], []]}}, "each wave must name at least one"),
        ({"waves": {"by": "zones", "waves": [["a"]]}, "recreate": {}}, "must have exactly one of"),
    ],
)
def test_strategies_that_make_no_sense_are_refused(strategy: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Strategy.model_validate(strategy)


def test_shares_of_cohorts_are_of_the_calls_that_a_service_gets() -> None:
    plain = data()
    plain["functions"]["buy"]["cohorts"] = {"eu": "50%"}
    plain["functions"]["look"] = {**plain["functions"]["buy"], "rate": "30/s", "cohorts": {"staff": "100%"}}
    assert cohort_shares(scenario_of(plain), "bank") == pytest.approx({"eu": 0.125, "default": 0.125, "staff": 0.75})


# -- played


def gated(*gates: dict[str, Any], **operations: Any) -> Scenario:
    plain = data(strategy={"canary": {"steps": [{"weight": "25%"}, *gates]}})
    plain["operations"] = {
        "on_call": {"acknowledge": "5s", "decide": "2s"}, "approvals": {"boss": {"takes": "20s"}}, **operations
    }  # fmt: skip
    return scenario_of(plain)


def test_a_pause_and_a_sign_off_hold_the_release() -> None:
    world = TinyWorld()
    play(world, gated({"pause": "7s"}, {"approve": "boss"}))
    assert world.log[:2] == [(12.0, "deploy v2 1"), (13.0, "route 0.25")]
    assert world.log[2] == (13.0 + 7.0 + 20.0 + 2.0, "deploy v2 4")
    assert world.detail("approval")[0]["work_s"] == 20.0


def test_nobody_signs_a_release_that_is_taken_back() -> None:
    world = TinyWorld()
    play(world, gated({"approve": "boss"}), abort_at_s=20.0)
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]
    assert "approval" not in [kind for _, kind in world.kinds()]


@pytest.mark.parametrize(("errors_from_s", "rejected_s"), [(0.0, 14.0), (20.0, 20.0)])
def test_an_analysis_takes_a_bad_release_back_at_its_first_bad_look(errors_from_s: float, rejected_s: float) -> None:
    world = TinyWorld()
    world.sees = lambda now: observation(100, errors=50 if now >= errors_from_s else 0)
    play(world, gated({"analysis": {"for": "30s", "checks": [CHECK]}}))
    (trip,) = [(time_s, subject) for time_s, kind, subject, _ in world.events if kind == "guardrail-trip"]
    assert trip == (rejected_s, "analysis 30 s: error-ratio of web (new)")
    assert world.detail("decision")[0]["cause"] == "analysis 30 s: error-ratio of web (new)"
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]


@pytest.mark.parametrize(("well_s", "rejected_s"), [(0.0, 16.0), (15.0, 18.0)])
def test_a_check_must_find_it_bad_so_often_in_a_row(well_s: float, rejected_s: float) -> None:
    world = TinyWorld()
    world.sees = lambda now: observation(100, errors=0 if now == well_s else 50)
    play(world, gated({"analysis": {"for": "30s", "checks": [{**CHECK, "consecutive": 3}]}}))
    assert [time_s for time_s, kind, _, _ in world.events if kind == "guardrail-trip"] == [rejected_s]


def test_an_analysis_that_finds_nothing_lasts_as_long_as_it_says() -> None:
    world = TinyWorld()
    world.sees = lambda _now: observation(100)
    play(world, gated({"analysis": {"for": "30s", "checks": [CHECK]}}))
    assert world.log[2] == (13.0 + 30.0 + 2.0, "deploy v2 4")
    assert world.detail("analysis") == [{"result": "passed"}]


@pytest.mark.parametrize(
    ("then", "outcome", "goes_on_s"),
    [("go-on", "promoted", 43.0), ("pause", "promoted", 50.0), ("rollback", "rolled-back", None)],
)
def test_what_an_inconclusive_analysis_does(then: str, outcome: str, goes_on_s: float | None) -> None:
    world = TinyWorld()
    world.sees = lambda _now: observation(3)
    play(world, gated({"analysis": {"for": "30s", "checks": [CHECK], "inconclusive": then}}))
    assert world.detail("analysis")[0] == {
        "result": "inconclusive", "checks": "analysis 30 s: error-ratio of web (new)", "then": then
    }  # fmt: skip
    assert world.detail("release-end") == [{"outcome": outcome}]
    if goes_on_s is not None:
        assert world.log[2] == (goes_on_s + 2.0, "deploy v2 4")


def test_an_analysis_that_cannot_observe_is_inconclusive() -> None:
    world = TinyWorld()
    world.fails = {"observe"}
    play(world, gated({"analysis": {"for": "3s", "checks": [CHECK], "inconclusive": "go-on"}}))
    assert world.detail("analysis")[0]["result"] == "inconclusive"
    assert world.detail("release-end") == [{"outcome": "promoted"}]


def test_a_rollback_turns_the_flag_off_and_copies_too() -> None:
    toggle = {"toggle": {"steps": [{"on": "10%"}, {"bake": "60s"}], "propagation": "3s", "deploy": {"surge": "100%"}}}
    world = TinyWorld()
    play(world, scenario_of(data(strategy=toggle, rollback=["kill-switch", "verify"])), abort_at_s=40.0)
    dark_s, on_s = (next(time_s for time_s, call in world.log if call == name) for name in ("route 1", "flag 0.1"))
    assert on_s == pytest.approx(dark_s + 2.0 + 3.0)  # the old version stopped, and the flag's propagation
    assert world.log[-2:] == [(43.0, "flag 0"), (43.0, "verify web")]
    world = TinyWorld()
    play(world, scenario_of(data(strategy=toggle, rollback=["kill-switch", "verify"])), abort_at_s=11.0)
    assert not [call for _, call in world.log if call.startswith("flag")]  # nobody waits for a flag that was never on
    canary = {"canary": {"steps": [{"mirror": "10%"}, {"bake": "60s"}]}}
    world = TinyWorld()
    play(world, scenario_of(data(strategy=canary)), abort_at_s=40.0)
    assert [call for _, call in world.log[-5:]] == ["deploy v1 4", "route 0", "mirror 0", "deploy v2 0", "verify"]


def test_guardrails_of_a_toggle_judge_the_flagged_answers_by_themselves() -> None:
    toggle = {"toggle": {"steps": [{"on": "10%"}, {"bake": "60s"}], "deploy": {"surge": "100%"}}}
    world = TinyWorld()
    play(world, scenario_of(data(strategy=toggle, guardrails=[CHECK])), until_s=11.0)
    assert {version for _, _, version, _ in world.observed} == {"v2", "v2 (flag on)"}


@pytest.mark.parametrize(("on", "off", "result"), [(100, 0, "passed"), (3, 100, "inconclusive")])
def test_an_analysis_of_a_toggle_wants_enough_answers_with_the_flag_on(on: int, off: int, result: str) -> None:
    """With the flag on for all there are no others, and as long as it is on for few there are enough of them."""

    class Flagged(TinyWorld):
        def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
            super().observe(service, version, window_s)
            return self.env.event().succeed(observation(on if version == "v2 (flag on)" else off))

    looks = {"for": "30s", "checks": [CHECK], "inconclusive": "go-on"}
    toggle = {"toggle": {"steps": [{"on": "100%"}, {"analysis": looks}], "deploy": {"surge": "100%"}}}
    world = Flagged()
    play(world, scenario_of(data(strategy=toggle)))
    assert [detail["result"] for detail in world.detail("analysis")] == [result]
