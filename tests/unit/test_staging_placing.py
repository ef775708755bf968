"""Where replicas stand: as the simulator has it, step for step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.staging.config import StagingConfig
from chaos.staging.placing import by_zone, free_places, going, open_zones, zone_of
from chaos.staging.processes import ProcessId
from chaos.staging.state import Replica, State, StateFile
from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import DataPlane
from simulator.tended_fleet import Care, TendedFleet
from tests.unit.test_simulator_tended_fleet import network

ZONES = ("a", "b", "c")
ORDERS = st.lists(st.tuples(st.integers(0, 6), st.sets(st.sampled_from(range(3)))), min_size=1, max_size=5)


def replica(place: int, index: int = 0) -> Replica:
    return Replica("checkout", "2.3", index, 1, ProcessId(1, ""), place=place)


def state(placed: list[str], out: tuple[str, ...] = ()) -> State:
    config = StagingConfig().with_service("checkout", zones=ZONES)
    return State("t", "p", config, {}, placed={"checkout": {"2.3": placed}}, zones_out=out)


@settings(max_examples=40)
@given(orders=ORDERS)
def test_deploys_place_replicas_as_the_simulator_does(orders: list[tuple[int, set[int]]]) -> None:
    small = network()
    large = replace(small, stations=(replace(small.stations[0], replicas=(24,)),))
    env = SimulationEnvironment(DataPlane(large, seed=3))
    fleet = TendedFleet(env, 0, 0, 24, Care(zones=3), 0, np.random.default_rng, lambda *_: None)
    places: set[int] = set()
    for count, zones in orders:
        fleet.deploy(count, 0.0, frozenset(zones))
        env.run(until=env.now + 1.0)
        allowed = {ZONES[zone] for zone in zones} or set(ZONES)
        live = [replica(place) for place in sorted(places)]
        places -= {each.place for each in going(live, max(0, len(live) - count), ZONES, allowed)}
        places |= set(free_places(places, max(0, count - len(places)), ZONES, allowed))
        assert places == set(fleet.ready)


def test_places_without_zones_are_counted_on() -> None:
    assert free_places({0, 2}, 2, (), open_zones(State("t", "p", StagingConfig(), {}), "checkout", "2.3")) == [1, 3]
    assert [zone_of(zones, 4) for zones in ((), ZONES)] == ["", "b"]
    assert by_zone([replica(0), replica(3), replica(2)], ZONES) == {"a": 2, "c": 1}


def test_of_one_place_the_latest_goes_first() -> None:
    live = [replica(0, 1), replica(0, 7), replica(1, 2)]
    assert [each.index for each in going(live, 3, ZONES, ZONES)] == [2, 7, 1]


def test_zones_that_are_out_are_not_open() -> None:
    assert open_zones(state([]), "checkout", "2.3") == {"a", "b", "c"}
    assert open_zones(state(["a", "b"], ("b",)), "checkout", "2.3") == {"a"}
    assert open_zones(state(["b"], ("b",)), "checkout", "2.3") == set()
    assert free_places(set(), 2, ZONES, set()) == [], "a deploy waits until its zone is back"


def test_the_state_file_keeps_places_and_zones(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    told = State(
        "t", "p", StagingConfig().with_service("edge", zones=ZONES), {}, replicas=(replica(5),), zones_out=("a",)
    )
    file.write(told)
    assert file.read() == told
