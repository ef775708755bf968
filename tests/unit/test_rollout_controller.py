"""The controller in a tiny world: exact logs of what happens, and when."""

from typing import Any

import pytest

from scenarios.models import Scenario
from tests.unit.rollout_tiny import TinyWorld, data, observation, play, scenario_of

ERRORS = {"metric": "error-ratio", "of": "web", "above": "5%", "window": "10s", "minimum": 10}
PAGED = {**ERRORS, "action": "page"}
ON_CALL = {"on_call": {"acknowledge": "7s", "decide": "5s"}}


def bad_from(time_s: float) -> Any:
    return lambda now: observation(100, errors=50 if now >= time_s else 0)


def scenario(operations: dict[str, Any] | None = None, faults: list[Any] | None = None, **release: Any) -> Scenario:
    plain = data(**release)
    plain["faults"] = faults or []
    return scenario_of({**plain, "operations": operations or {}})


def test_canary_plays_every_step_in_order() -> None:
    world = TinyWorld()
    play(world, scenario())
    assert world.log == [
        (12.0, "deploy v2 1"),
        (13.0, "route 0.25"),
        (35.0, "deploy v2 4"),
        (36.0, "route 1"),
        (38.0, "deploy v1 0"),
    ]
    assert [(time_s, kind, subject) for time_s, kind, subject, _ in world.events if kind != "step-end"] == [
        (10.0, "release-start", "web"),
        (10.0, "step-start", "deploy v2 x1"),
        (12.0, "step-start", "route 0.25 to new"),
        (13.0, "step-start", "bake 20 s"),
        (33.0, "step-start", "deploy v2 x4"),
        (35.0, "step-start", "route 1 to new"),
        (36.0, "step-start", "stop v1"),
        (38.0, "release-end", "web"),
    ]
    assert world.detail("release-start") == [{"strategy": "canary", "old": "v1", "new": "v2", "defects": []}]
    assert world.detail("release-end") == [{"outcome": "promoted"}]


def test_a_guardrail_takes_the_release_back_at_once() -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    play(world, scenario(guardrails=[ERRORS]))
    assert world.log == [
        (12.0, "deploy v2 1"),
        (13.0, "route 0.25"),
        (22.0, "deploy v1 4"),
        (23.0, "route 0"),
        (25.0, "deploy v2 0"),
        (25.0, "verify"),
    ]
    assert world.kinds("step-start", "step-end") == [
        (10.0, "release-start"),
        (20.0, "guardrail-trip"),
        (20.0, "decision"),
        (20.0, "rollback-start"),
        (20.0, "rollback-step"),
        (22.0, "rollback-step"),
        (22.0, "rollback-step"),
        (23.0, "rollback-step"),
        (23.0, "rollback-step"),
        (25.0, "rollback-step"),
        (25.0, "rollback-step"),
        (25.0, "verify"),
        (25.0, "rollback-step"),
        (25.0, "rollback-end"),
        (25.0, "release-end"),
    ]
    assert world.detail("guardrail-trip") == [{"value": 0.5, "above": 0.05, "requests": 100, "action": "rollback"}]
    assert world.detail("decision") == [{"decision": "rollback", "cause": "error-ratio of web (new)"}]
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]
    assert (world.replicas, world.weights) == ({"v1": 4, "v2": 0}, {"v1": 1.0, "v2": 0.0})


def test_a_guardrail_that_notes_leaves_the_release_alone_and_the_others_their_say() -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    play(world, scenario(guardrails=[{**ERRORS, "action": "note"}, {**ERRORS, "above": "20%", "action": "note"}]))
    assert [subject for _, kind, subject, _ in world.events if kind == "guardrail-note"] == [
        "error-ratio of web (new)",
        "error-ratio of web (new) #2",
    ]
    assert world.detail("release-end") == [{"outcome": "promoted"}]


@pytest.mark.parametrize(("every", "consecutive", "trips_s"), [("1s", 3, 22.0), ("4s", 1, 22.0), ("4s", 3, 30.0)])
def test_a_guardrail_looks_every_so_often_and_trips_after_bad_looks_in_a_row(
    every: str, consecutive: int, trips_s: float
) -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    play(world, scenario(guardrails=[{**ERRORS, "every": every, "consecutive": consecutive}]))
    assert [time_s for time_s, kind in world.kinds() if kind == "guardrail-trip"] == [trips_s]


def test_a_good_look_in_between_starts_the_row_anew() -> None:
    world = TinyWorld()
    world.sees = lambda now: observation(100, 50 if now not in (12.0, 15.0) else 0)
    play(world, scenario(guardrails=[{**ERRORS, "consecutive": 4}]))
    assert [time_s for time_s, kind in world.kinds() if kind == "guardrail-trip"] == [19.0]


def test_a_trip_of_another_judge_names_it() -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    burn = {"metric": "error-ratio", "of": "web", "burn_rate": {"objective": "99%", "above": 14.4, "windows": ["1m"]}}
    play(world, scenario(guardrails=[burn]))
    assert world.detail("guardrail-trip") == [
        {
            "value": pytest.approx(50.0),
            "above": 14.4,
            "requests": 100,
            "action": "rollback",
            "judge": "burn-rate",
        }
    ]


def test_guardrails_watch_from_the_release_on_and_no_longer_once_it_is_taken_back() -> None:
    world = TinyWorld()
    world.sees = bad_from(15.0)
    play(world, scenario(guardrails=[ERRORS, {**ERRORS, "metric": "p95", "above": "400ms"}]))
    times = sorted({time_s for time_s, *_ in world.observed})
    assert times == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    assert set(world.observed[0][1:]) == {"web", "v2", 10.0}


def test_a_person_is_paged_acknowledges_and_decides() -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    play(world, scenario(operations=ON_CALL, guardrails=[PAGED]))
    assert world.kinds("step-start", "step-end", "rollback-step", "verify") == [
        (10.0, "release-start"),
        (20.0, "guardrail-trip"),
        (20.0, "page"),
        (27.0, "acknowledge"),
        (32.0, "decision"),
        (32.0, "rollback-start"),
        (37.0, "rollback-end"),
        (37.0, "release-end"),
    ]


def test_a_rollback_does_not_wait_for_the_person_who_was_paged_first() -> None:
    world = TinyWorld()
    world.sees = bad_from(20.0)
    slow = {"metric": "error-ratio", "of": "web", "version": "any", "above": "5%", "window": "10s", "minimum": 10}
    play(world, scenario(operations=ON_CALL, guardrails=[PAGED, slow]))
    assert [time_s for time_s, kind in world.kinds() if kind == "rollback-start"] == [20.0]
    assert len(world.detail("decision")) == 1


def test_steps_go_on_while_the_person_decides() -> None:
    world = TinyWorld()
    world.sees = bad_from(30.0)
    play(world, scenario(operations=ON_CALL, guardrails=[PAGED]))
    # Tripped at 30 s and decided at 42 s: the canary went to 100 % in between, and is taken back whole.
    assert [entry for entry in world.log if entry[0] > 30.0] == [
        (35.0, "deploy v2 4"),
        (36.0, "route 1"),
        (38.0, "deploy v1 0"),
        (44.0, "deploy v1 4"),
        (45.0, "route 0"),
        (47.0, "deploy v2 0"),
        (47.0, "verify"),
    ]
    assert [detail["outcome"] for detail in world.detail("release-end")] == ["promoted", "rolled-back"]


def test_a_guardrail_that_trips_after_promotion_takes_the_release_back() -> None:
    world = TinyWorld()
    world.sees = bad_from(60.0)
    play(world, scenario(guardrails=[ERRORS]))
    assert [(time_s, kind) for time_s, kind in world.kinds() if kind in ("release-end", "rollback-start")] == [
        (38.0, "release-end"),
        (60.0, "rollback-start"),
        (65.0, "release-end"),
    ]
    assert world.replicas == {"v1": 4, "v2": 0}


@pytest.mark.parametrize("abort_at_s", [0.0, 5.0, 10.0])
def test_abort_before_the_release_keeps_it_from_starting(abort_at_s: float) -> None:
    world = TinyWorld()
    play(world, scenario(guardrails=[ERRORS]), abort_at_s=abort_at_s)
    assert world.log == []
    assert world.kinds() == [(abort_at_s, "decision")]


def test_abort_during_the_release_takes_it_back() -> None:
    world = TinyWorld()
    play(world, scenario(), abort_at_s=11.0)
    # The deploy under way is not waited for; the world takes the steps in the order of the calls.
    assert [call for _, call in world.log] == ["deploy v2 1", "deploy v1 4", "route 0", "deploy v2 0", "verify"]
    assert world.detail("rollback-start") == [{"cause": "operator"}]
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]


def test_abort_after_the_release_takes_it_back_and_a_second_abort_does_nothing() -> None:
    world = TinyWorld()
    controller = play(world, scenario(), until_s=60.0, abort_at_s=50.0)
    before = list(world.events)
    controller.abort("again")
    world.env.run(until=200.0)
    assert world.events == before
    assert [detail["outcome"] for detail in world.detail("release-end")] == ["promoted", "rolled-back"]


@pytest.mark.parametrize("call", ["deploy v2 1", "route 0.25", "deploy v2 4", "route 1", "deploy v1 0"])
def test_a_step_that_fails_is_recorded_and_the_release_taken_back(call: str) -> None:
    world = TinyWorld()
    world.fails = {call}
    play(world, scenario())
    assert world.log[-4][1] == "deploy v1 4"
    (error,) = world.detail("error")
    assert error == {"during": "release", "message": f"{call} refused"}
    assert str(world.detail("rollback-start")[0]["cause"]).startswith("step failed: ")
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]
    assert world.weights["v1"] == 1.0


def test_an_interrupted_step_whose_action_fails_later_is_no_crash() -> None:
    world = TinyWorld()
    world.fails = {"deploy v2 4"}
    play(world, scenario(), abort_at_s=34.0)
    assert (35.0, "deploy v2 4 failed") in world.log
    assert world.detail("error") == []
    assert world.detail("release-end") == [{"outcome": "rolled-back"}]


@pytest.mark.parametrize("call", ["deploy v1 4", "route 0", "deploy v2 0", "verify"])
def test_a_rollback_step_that_fails_is_recorded_and_the_others_are_tried(call: str) -> None:
    world = TinyWorld()
    world.fails = {call}
    play(world, scenario(), abort_at_s=20.0)
    assert [entry.removesuffix(" failed") for _, entry in world.log[2:]] == [
        "deploy v1 4",
        "route 0",
        "deploy v2 0",
        "verify",
    ]
    assert world.detail("error") == [{"during": "rollback", "message": f"{call} refused"}]
    assert world.detail("rollback-end") == [{"complete": False}]
    assert world.detail("release-end") == [{"outcome": "failed"}]


def test_a_difference_from_the_baseline_makes_the_rollback_a_failure() -> None:
    world = TinyWorld()
    world.fails = {"differ"}
    play(world, scenario(), abort_at_s=20.0)
    assert world.detail("verify") == [{"differences": ["web: weights differ"]}]
    assert world.detail("release-end") == [{"outcome": "failed"}]


def test_the_scenario_chooses_and_orders_the_rollback_steps() -> None:
    world = TinyWorld()
    play(world, scenario(rollback=["route-back", "retire"]), abort_at_s=20.0)
    assert world.log[2:] == [(21.0, "route 0"), (23.0, "deploy v2 0"), (23.0, "verify")]


def test_a_rollback_that_does_not_look_is_looked_at_all_the_same() -> None:
    """The list of steps decides what is restored, never what the record says of it."""
    for fails, outcome in ((set(), "rolled-back"), ({"differ"}, "failed"), ({"verify"}, "failed")):
        world = TinyWorld()
        world.fails = fails
        play(world, scenario(rollback=["retire"]), abort_at_s=20.0)
        assert world.detail("release-end") == [{"outcome": outcome}]


def test_a_guardrail_outlives_an_outage_of_the_metrics() -> None:
    world = TinyWorld()
    world.sees = bad_from(0.0)
    world.fails = {"observe"}
    world.env.timeout(25.0).callbacks.append(lambda _: world.fails.clear())
    play(world, scenario(guardrails=[ERRORS]))
    assert world.kinds("step-start", "step-end")[:4] == [
        (10.0, "release-start"),
        (10.0, "error"),
        (25.0, "guardrail-trip"),
        (25.0, "decision"),
    ]
    assert world.detail("error") == [{"during": "observe", "message": "no metrics"}]


FAULT = {"at": "20s", "for": "10s", "latency": {"on": "web -> bank", "add": "100ms"}}


def test_a_fault_is_in_force_from_its_time_to_its_end() -> None:
    world = TinyWorld()
    play(world, scenario(faults=[FAULT]))
    assert [entry for entry in world.log if "latency" in entry[1]] == [(20.5, "inject latency"), (30.5, "heal latency")]
    assert [(time_s, kind, subject) for time_s, kind, subject, _ in world.events if kind.startswith("fault")] == [
        (20.5, "fault-start", "latency on web -> bank"),
        (30.5, "fault-end", "latency on web -> bank"),
    ]
    assert world.detail("fault-start") == [{"kind": "latency", "ordered_s": 20.0}]


def test_a_fault_that_is_confirmed_late_lasts_as_long_from_then_on() -> None:
    world = TinyWorld()
    play(world, scenario(faults=[{**FAULT, "for": "300ms"}]))
    assert [entry for entry in world.log if "latency" in entry[1]] == [(20.5, "inject latency"), (21.3, "heal latency")]


@pytest.mark.parametrize(("call", "during"), [("inject latency", "inject"), ("heal latency", "heal")])
def test_a_fault_that_cannot_be_confirmed_is_an_error_and_the_release_goes_on(call: str, during: str) -> None:
    world = TinyWorld()
    world.fails = {call}
    play(world, scenario(faults=[FAULT]))
    assert world.detail("error") == [{"during": during, "message": f"{call} refused"}]
    assert world.detail("release-end") == [{"outcome": "promoted"}]


def test_faults_play_although_the_release_is_aborted() -> None:
    world = TinyWorld()
    play(world, scenario(faults=[FAULT]), abort_at_s=5.0)
    assert [call for _, call in world.log] == ["inject latency", "heal latency"]
