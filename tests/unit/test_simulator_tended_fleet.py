"""Replicas that crash, are probed, and stand in zones: exact logs of what becomes of them."""

from collections.abc import Callable

import numpy as np
import pytest

from scenarios.models import Distribution, Probe
from simulator.backoff import RestartBackoff
from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Call, Function, Kind, Network, Node, Station
from simulator.network import Distribution as Times
from simulator.tended_fleet import Care, TendedFleet

Log = list[tuple[float, str, int]]


def network(rate_per_s: float = 0.0, queue: int = -1) -> Network:
    return Network(
        stations=(Station("web", 1, Times(Kind.CONSTANT, 0.1), queue, replicas=(6,)),),
        calls=(Call(CLIENT, 0),),
        functions=(Function("f", ((0.0, rate_per_s), (5000.0, 0.0)), Node(0)),),
        resolution_s=10.0,
        cells=600,
        edges_s=np.array([1.0]),
    )


@pytest.fixture
def make() -> Callable[..., tuple[TendedFleet, SimulationEnvironment, Log]]:
    def build(care: Care, ordered: int = 0, **load: float) -> tuple[TendedFleet, SimulationEnvironment, Log]:
        env, log = SimulationEnvironment(DataPlane(network(**load), seed=3)), []
        fleet = TendedFleet(
            env, 0, 0, 6, care, ordered, np.random.default_rng, lambda what, n: log.append((env.now, what, n))
        )
        return fleet, env, log

    return build


def startup(text: str) -> Distribution:
    return Distribution.model_validate(text)


def probe(**keys: object) -> Probe:
    return Probe.model_validate(keys)


def test_waits_are_those_of_the_kubelet() -> None:
    backoff = RestartBackoff()
    assert [backoff.next_s(1.0) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert [backoff.next_s(599.0), backoff.next_s(600.0), backoff.next_s(5.0)] == [300, 0, 10]


def test_a_start_that_always_fails_is_tried_again_and_never_serves(make) -> None:
    fleet, env, log = make(Care(startup("2s"), crash_ratio=1.0))
    done = fleet.deploy(1)
    env.run(until=200)
    assert [time_s for time_s, _, _ in log] == [2, 4, 16, 38, 80, 162]
    assert {what for _, what, _ in log} == {"crash at start"}
    assert not done.triggered


def test_a_crash_loop_does_not_hold_up_the_next_order(make) -> None:
    fleet, env, log = make(Care(startup("2s"), crash_ratio=1.0))
    first = fleet.deploy(2)
    env.run(until=3)
    env.run(until=fleet.deploy(0))
    assert (env.now, first.triggered) == (3, True)
    env.run(until=500)
    assert len(log) == 2


def test_it_dies_so_long_after_each_start(make) -> None:
    fleet, env, log = make(Care(startup("5s"), crash_after_s=60.0))
    env.run(until=fleet.deploy(1))
    assert env.now == 5
    env.run(until=300)
    assert log == [(65.0, "crash", 0), (130.0, "crash", 0), (205.0, "crash", 0), (290.0, "crash", 0)]


def test_a_share_of_starts_fails_by_the_geometric_distribution(make) -> None:
    fleet, env, log = make(Care(startup("1s"), crash_ratio=0.5))
    rng = [np.random.default_rng(number).random(40) for number in range(6)]
    env.run(until=fleet.deploy(6))
    assert len(log) == sum(int(np.argmin(draws < 0.5)) for draws in rng)


def test_starts_are_drawn_one_by_one(make) -> None:
    care = Care(Distribution.model_validate({"uniform": {"low": "1s", "high": "9s"}}))
    fleet, env, _ = make(care)
    env.run(until=fleet.deploy(3))
    assert env.now == pytest.approx(max(1 + 8 * np.random.default_rng(number).random() for number in range(3)))


@pytest.mark.parametrize(("starts", "serves_s"), [("8s", 10.0), ("10s", 10.0), ("0s", 0.0), ("11s", 15.0)])
def test_a_replica_serves_from_its_first_probe_that_is_answered(make, starts: str, serves_s: float) -> None:
    fleet, env, _ = make(Care(startup(starts), readiness=probe(period="5s")))
    env.run(until=fleet.deploy(2))
    assert env.now == serves_s
    assert fleet.ready == {0, 1}


def test_an_overloaded_replica_leaves_the_traffic_and_comes_back(make) -> None:
    # One worker, 10/s of capacity, twice that offered: the wait passes 1 s after about 2 s.
    _, env, log = make(Care(readiness=probe(period="1s", failures=2)), ordered=1, rate_per_s=20.0)
    env.run(until=20)
    assert log[0][1:] == ("not-ready", 0)
    assert 2 < log[0][0] < 6
    events = [time_s for time_s, what, _ in log if what == "not-ready"]
    # Without traffic the queue drains at 10/s: it is ready again once the head has waited for less than 1 s.
    assert len(events) > 1


def test_liveness_kills_an_overloaded_replica_and_loses_what_it_has(make) -> None:
    _, env, log = make(Care(startup("3s"), liveness=probe(period="1s", failures=3)), ordered=1, rate_per_s=30.0)
    env.run(until=30)
    plane = env.plane
    assert [what for _, what, _ in log[:2]] == ["liveness", "liveness"]
    assert log[1][0] - log[0][0] > 3
    assert plane.service_sum(0, 0, 0, 10)[3] > 10  # reset, or refused while it was away


def test_an_idle_replica_answers(make) -> None:
    care = Care(readiness=probe(period="1s", failures=1), liveness=probe(period="1s", failures=1))
    fleet, env, log = make(care, ordered=3)
    env.run(until=100)
    assert log == []
    assert fleet.ready == {0, 1, 2}


def test_a_full_queue_refuses_the_probe(make) -> None:
    _, env, log = make(
        Care(readiness=probe(period="1s", failures=1, timeout="30s")), ordered=1, rate_per_s=100.0, queue=1
    )
    env.run(until=10)
    assert log[0][1] == "not-ready"


def test_a_zone_takes_every_replica_in_it_and_gives_them_back(make) -> None:
    fleet, env, _ = make(Care(startup("2s"), zones=3), ordered=4)
    assert fleet.ready == {0, 1, 2, 3}
    env.run(until=1)
    fleet.lose_zone(0)
    assert fleet.ready == {1, 2}
    env.run(until=5)
    assert fleet.ready == {1, 2}
    env.run(until=fleet.regain_zone(0))
    assert (env.now, fleet.ready) == (7, {0, 1, 2, 3})


def test_what_is_started_meanwhile_goes_to_other_zones(make) -> None:
    fleet, env, _ = make(Care(startup("2s"), zones=3), ordered=3)
    env.run(until=1)
    fleet.lose_zone(1)
    env.run(until=fleet.deploy(3))
    assert fleet.ready == {0, 2, 3}
    env.run(until=fleet.regain_zone(1))
    assert fleet.ready == {0, 2, 3}


def test_stops_take_the_latest_and_those_that_do_not_serve_first(make) -> None:
    fleet, env, _ = make(Care(startup("10s")), ordered=3)
    env.run(until=1)
    fleet.order(5)
    env.run(until=2)
    fleet.order(2)
    assert fleet.ready == {0, 1}
    env.run(until=50)
    assert fleet.ready == {0, 1}


def test_what_is_killed_stays_away_until_it_is_restored(make) -> None:
    fleet, env, _ = make(Care(startup("2s"), liveness=probe()), ordered=2)
    env.run(until=1)
    fleet.kill()
    env.run(until=30)
    assert fleet.ready == {0}
    env.run(until=fleet.restore())
    assert (env.now, fleet.ready) == (32, {0, 1})


def test_deploys_take_effect_in_the_order_of_the_calls(make) -> None:
    fleet, env, _ = make(Care(startup("2s"), readiness=probe(period="1s")))
    first, second = fleet.deploy(3, 5.0), fleet.deploy(1, 1.0)
    env.run(until=second)
    assert (env.now, first.triggered, fleet.ordered) == (7, True, 1)


def test_a_defect_of_the_plane_is_no_matter_of_the_fleet(make) -> None:
    _, env, log = make(Care(liveness=probe(period="1s")), ordered=1)
    env.plane.set_defects(0, 0, [Defect(error_ratio=1.0)])
    env.run(until=20)
    assert log == []
