"""Cohorts, copies, flags and zones in the simulated world: who really answers, and what a look back finds."""

from typing import Any

import numpy as np
import pytest

from scenarios.models import Scenario
from simulator.compile import compile_scenario
from simulator.kernel.plane import DataPlane
from simulator.layout import ERROR
from simulator.world import SimulatedWorld
from tests.unit.rollout_tiny import data, scenario_of

TOGGLE = {"toggle": {"steps": [{"on": "10%"}]}}


def scenario(**release: Any) -> Scenario:
    plain = data(**release)
    plain["system"]["zones"] = ["a", "b"]
    plain["functions"]["buy"].update({"rate": "50/s", "cohorts": {"eu": "30%"}})
    return scenario_of(plain)


class Played:
    """A world with the new version beside the old one, ready for orders."""

    def __init__(self, played: Scenario, *, toggled: bool = False) -> None:
        compiled = compile_scenario(played, toggled=toggled)
        self.plane = DataPlane(compiled.network, 1)
        self.compiled = compiled
        defects = played.release.defects
        self.world = SimulatedWorld(played, compiled, self.plane, defects, np.random.default_rng(1))
        self.world.deploy("web", "v2", 4)

    def answers(self, cohort: str, from_s: float, until_s: float, column: slice = slice(None)) -> dict[str, int]:
        """Answers of web to a cohort by version."""
        if until_s > self.world.env.now:
            self.world.play(until_s)
        rows, cells = self.plane.rows, slice(int(from_s), int(until_s))
        mine = (rows.station == self.compiled.station("web")) & (rows.cohort == self.compiled.cohorts.index(cohort))
        return {
            version: int(self.plane.state.service[cells][:, mine & (rows.version == place), column].sum())
            for place, version in enumerate(self.compiled.routed("web"))
        }

    def verified(self, dark: tuple[str, ...] = ()) -> list[str]:
        found = self.world.verify(dark).value
        assert isinstance(found, list)
        return found


def test_a_cohort_has_a_route_of_its_own_until_the_next_route() -> None:
    played = Played(scenario())
    played.world.route("web", {"v1": 1.0, "v2": 0.0}, {"eu": {"v2": 1.0}})
    assert played.answers("eu", 1, 40)["v1"] == 0
    assert played.answers("default", 1, 40)["v2"] == 0
    assert "web: cohort eu has a route of its own, must have none" in played.verified()
    played.world.route("web", {"v1": 1.0, "v2": 0.0})
    assert played.answers("eu", 42, 80)["v2"] == 0


def test_copies_are_answered_beside_the_requests() -> None:
    played = Played(scenario())
    played.world.mirror("web", "v2", 0.5)
    answers = played.answers("default", 1, 190)
    assert answers["v2"] == pytest.approx(0.5 * answers["v1"], rel=0.1)
    assert "web: 0.5 of the requests are copied, must be 0" in played.verified()


def test_a_flag_reaches_one_replica_after_the_other_and_hits_what_it_is_on_for() -> None:
    played = Played(scenario(strategy=TOGGLE, defects=[
        {"name": "d", "probability": "50%", "errors": "100%", "flag": True}]), toggled=True)  # fmt: skip
    played.world.deploy("web", "v1", 0)
    played.world.route("web", {"v1": 0.0, "v2": 1.0})
    played.world.flag("web", 0.0, ("eu",), 40.0)
    # A replica of four each ten seconds: a half of them after 20.
    half = played.answers("eu", 21, 29)
    assert half["v2 (flag on)"] / sum(half.values()) == pytest.approx(0.5, abs=0.15)
    assert played.answers("eu", 41, 60)["v2"] == 0
    assert played.answers("default", 1, 60)["v2 (flag on)"] == 0
    errors = slice(ERROR, ERROR + 1)
    assert played.answers("eu", 41, 60, errors)["v2 (flag on)"] == played.answers("eu", 41, 60)["v2 (flag on)"]
    assert played.answers("eu", 1, 60, errors)["v2"] == 0
    assert "web: the flag is on, must be off" in played.verified(("web",))
    played.world.flag("web", 0.0, (), 4.0)
    played.world.play(65.0)
    assert played.verified(("web",)) == []
    assert "web v1: 0 replicas serve, must be 4" in played.verified()


def test_what_no_flag_hides_shows_while_the_flag_is_off() -> None:
    defect = {"name": "d", "probability": "50%", "errors": "100%"}
    played = Played(scenario(strategy=TOGGLE, defects=[defect]), toggled=True)
    played.world.route("web", {"v1": 0.0, "v2": 1.0})
    answers = played.answers("default", 1, 20)["v2"]
    assert played.answers("default", 1, 20, slice(ERROR, ERROR + 1))["v2"] == answers > 0


def test_an_order_that_was_overtaken_is_forgotten() -> None:
    played = Played(scenario(strategy=TOGGLE), toggled=True)
    played.world.route("web", {"v1": 0.0, "v2": 1.0})
    played.world.flag("web", 1.0, (), 40.0)
    played.world.play(5.0)
    played.world.flag("web", 0.0, (), 4.0)
    assert played.answers("default", 10, 60)["v2 (flag on)"] == 0


def test_replicas_start_in_the_zones_that_are_asked_for() -> None:
    played = Played(scenario())
    played.world.deploy("web", "v2", 2, ("b",))
    played.world.play(1.0)
    fleet = played.world._fleets["web"]["v2"]
    assert sorted(fleet.ready) == [1, 3]
    played.world.deploy("web", "v2", 4)
    played.world.play(2.0)
    assert sorted(fleet.ready) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "call",
    [
        lambda world: world.route("web", {"v1": 1.0}, {"nobody": {"v1": 1.0}}),
        lambda world: world.route("web", {"v1": 1.0}, {"eu": {"v1": 0.5}}),
        lambda world: world.mirror("web", "v3", 0.5),
        lambda world: world.flag("web", 0.5, (), 1.0),
        lambda world: world.deploy("web", "v2", 1, ("c",)),
    ],
)
def test_what_cannot_be_is_refused(call: Any) -> None:
    event = call(Played(scenario()).world)
    event.defused = True
    assert not event.ok
    assert "must be" in str(event.value)


def test_routes_of_one_service_follow_each_other_and_those_of_another_wait_for_none() -> None:
    plain = data(changes=[{"service": name, "from": "v1", "to": "v2"} for name in ("web", "auth")])
    plain["system"]["services"]["auth"] = {"service_time": "1ms"}
    plain["system"]["calls"].append({"from": "web", "to": "auth"})
    plain["operations"] = {"route": "2s"}
    played = Played(scenario_of(plain))
    whole = {"v1": 0.0, "v2": 1.0}
    orders = [played.world.route(service, whole) for service in ("web", "web", "auth")]
    played.world.play(2.5)
    assert [order.processed for order in orders] == [True, False, True]
    played.world.play(4.5)
    assert orders[1].processed
