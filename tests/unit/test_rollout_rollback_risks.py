"""What goes wrong on the way back, and how it is mended: exact logs."""

from typing import Any

import numpy as np

from rollout.controller import Controller
from scenarios.models import Scenario
from tests.unit.rollout_tiny import TinyWorld, data, observation, scenario_of


def risk(**keys: Any) -> dict[str, Any]:
    return {"name": "risk", "probability": "100%", "step": "redeploy", **keys}


def scenario(*risks: dict[str, Any], repair: str | None = None, **release: Any) -> Scenario:
    plain = data(rollback_risks=list(risks), **release)
    if repair is not None:
        plain["operations"] = {"repair": repair}
    return scenario_of(plain)


def taken_back(scenario: Scenario, world: TinyWorld, until_s: float = 200.0) -> TinyWorld:
    """The release, aborted at 20 s in its bake; its rollback has every risk of the scenario."""
    controller = Controller(
        world, scenario, scenario.release.strategy, [], np.random.default_rng(1), scenario.release.rollback_risks
    )
    controller.start()
    world.env.timeout(20.0).callbacks.append(lambda _: controller.abort("operator"))
    world.env.run(until=until_s)
    return world


def back(world: TinyWorld) -> list[tuple[float, str]]:
    return [each for each in world.log if each[0] >= 20.0]


def steps(world: TinyWorld) -> list[tuple[float, str, object]]:
    return [(t, name, detail["phase"]) for t, kind, name, detail in world.events if kind == "rollback-step"]


def outcome(world: TinyWorld) -> object:
    return world.detail("release-end")[-1]["outcome"]


def test_without_a_risk_all_goes_well() -> None:
    world = taken_back(scenario(), TinyWorld())
    assert back(world) == [(22, "deploy v1 4"), (23, "route 0"), (25, "deploy v2 0"), (25, "verify")]
    assert outcome(world) == "rolled-back"


def test_a_step_that_fails_is_left_out_and_stays_so() -> None:
    world = taken_back(scenario(risk(step="route-back", fails=True)), TinyWorld())
    assert back(world) == [(22, "deploy v1 4"), (24, "deploy v2 0"), (24, "verify")]
    assert outcome(world) == "failed"
    assert (22, "route-back", "failed") in steps(world)
    assert world.detail("error") == []


def test_a_failed_step_is_mended_and_tried_again() -> None:
    world = taken_back(scenario(risk(step="route-back", fails=True), repair="30s"), TinyWorld())
    assert back(world) == [(22, "deploy v1 4"), (53, "route 0"), (55, "deploy v2 0"), (55, "verify")]
    assert outcome(world) == "rolled-back"
    assert [(t, name) for t, kind, name, _ in world.events if kind == "repair"] == [(52, "route-back")]


def test_a_step_can_take_longer() -> None:
    world = taken_back(scenario(risk(step="retire", takes="+40s")), TinyWorld())
    assert back(world)[-2:] == [(65, "deploy v2 0"), (65, "verify")]
    assert outcome(world) == "rolled-back"


def test_the_old_version_can_come_back_worse() -> None:
    world = taken_back(scenario(risk(step="route-back", worse={"errors": "80%"})), TinyWorld())
    assert back(world)[:3] == [(22, "deploy v1 4"), (23, "route 0"), (23, "worsen v1")]
    assert outcome(world) == "failed"


def test_mending_takes_the_harm_away() -> None:
    recreate = {"recreate": {}}
    world = taken_back(scenario(risk(worse={"latency": "x3"}), repair="60s", strategy=recreate), TinyWorld())
    assert back(world)[:5] == [
        (22, "deploy v1 4"), (22, "worsen v1"), (82, "mend v1"), (84, "deploy v1 4"), (85, "route 0"),
    ]  # fmt: skip
    assert outcome(world) == "rolled-back"


def test_what_was_never_stopped_does_not_come_back_worse() -> None:
    world = taken_back(scenario(risk(worse={"errors": "80%"})), TinyWorld())
    assert "worsen v1" not in [call for _, call in world.log]
    assert outcome(world) == "rolled-back"


def broken(until_s: float) -> TinyWorld:
    world = TinyWorld()
    world.sees = lambda now: observation(10, 6 if now < until_s else 5)
    return world


def test_a_step_waits_while_what_it_needs_mostly_fails() -> None:
    world = taken_back(scenario(risk(depends_on="bank")), broken(50.0))
    assert back(world)[0] == (52, "deploy v1 4")
    assert steps(world)[:2] == [(20, "redeploy", "start"), (20, "redeploy", "waits")]
    assert outcome(world) == "rolled-back"
    assert world.observed[0] == (20, "bank", None, 5)


def test_a_guardrail_that_is_faster_than_the_look_lets_nothing_slip_through() -> None:
    """What the step needs has been failing for a second: most answers of the last 5 s were still good."""
    world = TinyWorld()
    world.sees = lambda now: observation(100, 20 if now < 24 else 0)
    world.sees_within[2.0] = lambda now: observation(20, 20 if now < 24 else 0)
    taken_back(scenario(risk(depends_on="bank")), world)
    assert back(world)[0] == (26, "deploy v1 4")
    few = TinyWorld()
    few.sees = lambda _: observation(100, 20)
    few.sees_within[2.0] = lambda _: observation(9, 9)  # too few to tell
    taken_back(scenario(risk(depends_on="bank")), few)
    assert back(few)[0] == (22, "deploy v1 4")


def test_what_nobody_asks_anything_holds_nothing_up() -> None:
    world = taken_back(scenario(risk(depends_on="bank")), TinyWorld())
    assert back(world)[0] == (22, "deploy v1 4")


def test_what_failed_is_not_well_again_because_nobody_asks() -> None:
    world = TinyWorld()
    # Failing, then unasked for ten seconds, then failing again until 60 s.
    world.sees = lambda now: observation(0) if 30 <= now < 40 else observation(10, 10 if now < 60 else 0)
    taken_back(scenario(risk(depends_on="bank")), world)
    assert back(world)[0] == (62, "deploy v1 4")


def test_what_nobody_asks_any_more_is_as_it_was_last_seen() -> None:
    """Callers have given it up, behind an open breaker for one; asked again it fails until 60 s."""
    world = TinyWorld()
    # At 20 s the last answers are older than 10 s; later there is nothing that the first look does not see.
    world.sees = lambda now: observation(0) if len(world.observed) < 3 else observation(10, 10 if now < 60 else 0)
    taken_back(scenario(risk(depends_on="bank")), world)
    assert [window_s for _, _, _, window_s in world.observed[:3]] == [5, 10, 20]
    assert back(world)[0] == (62, "deploy v1 4")


def test_what_is_out_of_reach_is_waited_for_though_its_last_answers_were_good() -> None:
    """Requests do not reach it, so an outage leaves no answers to look at."""
    world = TinyWorld()
    world.sees = lambda now: observation(0) if 18 <= now < 45 else observation(10)
    plain = data(rollback_risks=[risk(depends_on="bank")])
    plain["faults"] = [{"at": "18s", "for": "27s", "outage": {"of": "bank"}}]
    taken_back(scenario_of(plain), world)
    assert steps(world)[:2] == [(20, "redeploy", "start"), (20, "redeploy", "waits")]
    # Healed at 45.5 s, which the look once a second sees at 46 s.
    assert (48, "deploy v1 4") in back(world)
    assert outcome(world) == "rolled-back"


def test_a_look_holds_a_whole_cell_at_a_coarse_resolution() -> None:
    plain = data(rollback_risks=[risk(depends_on="bank")])
    plain["measure"] = {"resolution": "20s", "window": "20s"}
    world = taken_back(scenario_of(plain), broken(50.0))
    assert world.observed[0] == (20, "bank", None, 40)


def test_it_waits_for_ever_unless_people_get_around_it() -> None:
    assert back(taken_back(scenario(risk(depends_on="bank")), broken(1e9))) == []
    world = taken_back(scenario(risk(depends_on="bank"), repair="90.5s"), broken(1e9))
    assert back(world)[0] == (112.5, "deploy v1 4")
    assert outcome(world) == "rolled-back"


def test_risks_that_the_run_does_not_have_do_nothing() -> None:
    one = scenario(risk(fails=True))
    world = TinyWorld()
    controller = Controller(world, one, one.release.strategy, [], np.random.default_rng(1))
    controller.start()
    world.env.timeout(20.0).callbacks.append(lambda _: controller.abort("operator"))
    world.env.run(until=100)
    assert outcome(world) == "rolled-back"
