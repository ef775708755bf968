"""The verbs of the simulated world: when they fire, and what traffic sees of them."""

from collections.abc import Callable

import numpy as np
import pytest
import simpy

from rollout.errors import WorldError
from rollout.world import Observation
from scenarios.loading import load_text
from scenarios.models import Fault, Operations, Scenario
from simulator.compile import compile_scenario
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED, TIMEOUT
from simulator.streams import tools
from simulator.world import SimulatedWorld

TEXT = """
schema: windtunnel/v1
name: small
sources: [test]
duration: 20s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  services:
    edge: {workers: 500, service_time: 1ms}
    shop: {replicas: 2, workers: 500, startup: 2s, service_time: 10ms}
  stores:
    orders: {service_time: 2ms}
  calls:
    - {from: edge, to: shop, timeout: 500ms}
    - {from: shop, to: orders, writes: 1}
functions:
  buy: {path: [edge, shop], rate: 100/s, rto: 1m, rpo: 0s, timeout: 2s, good: {success: ">= 99%"}, cohorts: {vip: 30%}}
release:
  at: 1s
  changes: [{service: shop, from: old, to: new}]
  defects:
    - {name: broken, probability: 50%, errors: 100%}
    - {name: forgets, probability: 50%, lost_writes: 100%, cohort: vip}
    - {name: slow, probability: 50%, latency: +1s}
  strategy: {recreate: {}}
faults:
  - {at: 1s, for: 1s, latency: {on: edge -> shop, add: 700ms}}
  - {at: 1s, for: 1s, cut: {on: client -> edge}}
  - {at: 1s, for: 1s, error: {on: shop, share: 100%}}
  - {at: 1s, for: 1s, kill: {of: shop, replicas: 2}}
  - {at: 5s, for: 1s, kill: {of: shop, version: new, replicas: 1}}
  - {at: 3s, for: 1s, outage: {of: edge}}
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_text(TEXT, "small")


@pytest.fixture
def make(scenario: Scenario) -> Callable[..., tuple[SimulatedWorld, DataPlane]]:
    def build(*defects: str) -> tuple[SimulatedWorld, DataPlane]:
        compiled = compile_scenario(scenario)
        plane = DataPlane(compiled.network, seed=7)
        chosen = [each for each in scenario.release.defects if each.name in defects]
        return SimulatedWorld(scenario, compiled, plane, chosen, tools(1, 0)), plane

    return build


@pytest.fixture
def world(make: Callable[..., tuple[SimulatedWorld, DataPlane]]) -> SimulatedWorld:
    return make()[0]


def fired_at(world: SimulatedWorld, event: simpy.Event) -> float:
    world.env.run(until=event)
    return float(world.env.now)


def observed(world: SimulatedWorld, service: str, version: str | None, window_s: float) -> Observation:
    event = world.observe(service, version, window_s)
    world.env.run(until=event)
    return event.value


def wait(world: SimulatedWorld, seconds: float) -> None:
    world.env.run(until=world.env.now + seconds)


def differences(world: SimulatedWorld) -> list[str]:
    event = world.verify()
    world.env.run(until=event)
    return event.value


def fault_of(scenario: Scenario, kind: str, index: int = 0) -> Fault:
    return [fault for fault in scenario.faults if fault.kind == kind][index]


def test_the_old_version_serves_everything_at_first(world: SimulatedWorld) -> None:
    wait(world, 5)
    every, old, new = (observed(world, "shop", version, 5) for version in (None, "old", "new"))
    assert every.requests == old.requests == pytest.approx(500, abs=120)
    assert (every.errors, new.requests) == (0, 0)
    assert old.histogram.sum() == old.requests
    assert differences(world) == []


def test_a_start_takes_the_startup_and_a_stop_no_time(world: SimulatedWorld) -> None:
    assert fired_at(world, world.deploy("shop", "new", 2)) == 2.0
    assert fired_at(world, world.deploy("shop", "new", 2)) == 2.0
    assert fired_at(world, world.deploy("shop", "new", 1)) == 2.0
    assert differences(world) == ["shop new: 1 replicas serve, must be 0"]
    assert [(event.time_s, event.detail["replicas"]) for event in world.events] == [(2.0, 2), (2.0, 2), (2.0, 1)]


def test_deploys_of_a_version_take_effect_in_the_order_of_the_calls(world: SimulatedWorld) -> None:
    first, second = world.deploy("shop", "new", 2), world.deploy("shop", "new", 0)
    assert fired_at(world, first) == 2.0
    assert fired_at(world, second) == 2.0
    assert differences(world) == []


def test_deploys_of_two_versions_do_not_wait_for_each_other(world: SimulatedWorld) -> None:
    world.deploy("shop", "new", 2)
    assert fired_at(world, world.deploy("shop", "old", 1)) == 0.0
    assert differences(world) == ["shop old: 1 replicas serve, must be 2"]


def test_stopped_replicas_finish_what_they_have(
    make: Callable[..., tuple[SimulatedWorld, DataPlane]],
) -> None:
    world, plane = make()
    wait(world, 3)
    in_work = int((plane.state.jobs["state"] != 0).sum())
    assert in_work > 0
    world.env.run(until=world.deploy("shop", "old", 0))
    wait(world, 0.02)  # what was in the shop needs 10 ms at most, and 2 ms in the store
    answers = observed(world, "shop", "old", 1)
    wait(world, 2)
    later = observed(world, "shop", "old", 1)
    assert answers.histogram.sum() > 0
    assert later.histogram.sum() == 0
    assert later.errors == later.requests > 0


def test_a_route_shares_traffic_at_once(world: SimulatedWorld) -> None:
    world.env.run(until=world.deploy("shop", "new", 2))
    world.env.run(until=world.route("shop", {"old": 0.75, "new": 0.25}))
    assert world.env.now == 2.0
    wait(world, 10)
    old, new = (observed(world, "shop", version, 8).requests for version in ("old", "new"))
    assert new / (old + new) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / (old + new)))
    assert differences(world) == [
        "shop new: 2 replicas serve, must be 0",
        "shop old: weight 0.75, must be 1",
        "shop new: weight 0.25, must be 0",
    ]


def test_tools_take_their_time_and_metrics_are_late(scenario: Scenario) -> None:
    tools_of = Operations.model_validate({"deploy": "3s", "route": "1s", "metrics_delay": "2s"})
    slow = scenario.model_copy(update={"operations": tools_of})
    plane = DataPlane(compile_scenario(slow).network, seed=7)
    world = SimulatedWorld(slow, compile_scenario(slow), plane, (), tools(1, 0))
    assert fired_at(world, world.deploy("shop", "new", 2)) == 3.0 + 2.0  # the tool, and the start of the replicas
    assert fired_at(world, world.route("shop", {"old": 0.0, "new": 1.0})) == 6.0
    wait(world, 1)
    assert observed(world, "shop", "new", 1.0).requests == 0  # of 4 s to 5 s
    wait(world, 2)
    seen = observed(world, "shop", "new", 1.0)  # of 6 s to 7 s
    assert seen.requests == plane.service_sum(1, 1, 24, 28).sum() > 50


@pytest.mark.parametrize(
    ("verb", "arguments", "rule"),
    [
        ("deploy", ("shop", "new", 3), r"replicas\(=3\) must be 0..2"),
        ("deploy", ("shop", "other", 1), "one of its versions"),
        ("deploy", ("nowhere", "new", 1), "must be a service"),
        ("route", ("shop", {"old": 0.5, "new": 0.4}), "sum 1"),
        ("route", ("shop", {"other": 1.0}), "shares >= 0 of old, new"),
        ("route", ("nowhere", {"old": 1.0}), "must be shares"),
    ],
)
def test_what_cannot_be_fails_with_a_reason(
    world: SimulatedWorld, verb: str, arguments: tuple[object, ...], rule: str
) -> None:
    with pytest.raises(WorldError, match=rule):
        world.env.run(until=getattr(world, verb)(*arguments))


def test_an_observation_covers_the_running_cell_and_those_of_its_window(world: SimulatedWorld) -> None:
    plane = world._clock.plane
    rows = plane.rows.station == 0
    for until_s, window_s, cells in (
        (0.1, 1.0, slice(0, 1)),
        (0.25, 1.0, slice(0, 1)),
        (3.0, 1.0, slice(8, 12)),
        (3.0, 0.6, slice(9, 12)),
        (3.1, 1.0, slice(9, 13)),
        (3.1, 60.0, slice(0, 13)),
        (7.0, 0.25, slice(27, 28)),
        (7.2, 2.0, slice(21, 29)),
    ):
        if until_s > world.env.now:
            world.play(until_s)
        seen = observed(world, "edge", None, window_s)
        wanted = plane.state.service[cells, rows].sum(axis=(0, 1))
        assert seen.requests == wanted.sum() > 0
        assert (seen.histogram == wanted[FIRST_BIN:]).all()


def test_each_defect_does_what_it_says(make: Callable[..., tuple[SimulatedWorld, DataPlane]]) -> None:
    def swapped(*defects: str) -> tuple[SimulatedWorld, DataPlane]:
        world, plane = make(*defects)
        world.env.run(until=world.deploy("shop", "new", 2))
        world.route("shop", {"new": 1.0})
        wait(world, 10)
        world.drain()
        return world, plane

    healthy = swapped()[1].recording()
    broken = swapped("broken")[1].recording()
    slow = swapped("slow")[1].recording()
    forgets = swapped("forgets")[1].recording()
    after = slice(int(2.25 / 0.25), int(12 / 0.25))
    assert healthy.client[..., ERROR:FIRST_BIN].sum() == 0
    assert healthy.client[..., ARRIVED].sum() == broken.client[..., ARRIVED].sum()
    assert broken.client[after, ..., ERROR].sum() == broken.client[after, ..., ARRIVED].sum()
    assert slow.client[after, ..., ERROR].sum() == slow.client[after, ..., ARRIVED].sum()  # the edge waits for 500 ms
    assert slow.service[after, ..., TIMEOUT].sum() > 0
    lost = forgets.writes[forgets.writes["stored"] == 0]
    new_vip = forgets.client[after, 0, 0, ARRIVED].sum()
    assert new_vip <= len(lost) <= forgets.client[:, 0, 0, ARRIVED].sum()
    assert forgets.client[..., ERROR:FIRST_BIN].sum() == 0


@pytest.mark.parametrize(
    ("kind", "column"), [("latency", ERROR), ("cut", REFUSED), ("error", ERROR), ("outage", REFUSED)]
)
def test_a_fault_hits_until_it_is_healed(
    make: Callable[..., tuple[SimulatedWorld, DataPlane]], scenario: Scenario, kind: str, column: int
) -> None:
    world, plane = make()
    fault = fault_of(scenario, kind)
    before = [array.tobytes() for array in (plane.state.calls, plane.state.stations["error_share"])]
    wait(world, 2)
    assert fired_at(world, world.inject(fault)) == 2.0
    wait(world, 2)
    assert fired_at(world, world.heal(fault)) == 4.0
    wait(world, 4)
    world.drain()
    client = plane.recording().client.sum(axis=(1, 2))
    failed = client[:, ERROR:FIRST_BIN].sum(axis=1)
    assert failed[:7].sum() == failed[17:].sum() == 0
    assert (failed[8:14] == client[8:14, ARRIVED]).all()
    # Of the latency the shop knows nothing: its edge gives up, and answers the client with an error.
    assert client.sum(axis=0)[column] == failed.sum() > 0
    assert [array.tobytes() for array in (plane.state.calls, plane.state.stations["error_share"])] == before


def test_killed_replicas_come_back_after_the_fault_and_their_startup(world: SimulatedWorld, scenario: Scenario) -> None:
    fault = fault_of(scenario, "kill")
    wait(world, 1)
    assert fired_at(world, world.inject(fault)) == 1.0
    assert differences(world) == ["shop old: 0 replicas serve, must be 2"]
    wait(world, 1)
    assert fired_at(world, world.heal(fault)) == 4.0
    assert differences(world) == []


def test_a_deploy_during_the_fault_replaces_the_killed(world: SimulatedWorld, scenario: Scenario) -> None:
    fault = fault_of(scenario, "kill")
    world.env.run(until=world.inject(fault))
    assert fired_at(world, world.deploy("shop", "old", 2)) == 2.0
    assert fired_at(world, world.heal(fault)) == 2.0


def test_killed_replicas_of_a_retired_version_do_not_come_back(world: SimulatedWorld, scenario: Scenario) -> None:
    fault = fault_of(scenario, "kill", 1)
    world.env.run(until=world.deploy("shop", "new", 2))
    world.env.run(until=world.inject(fault))
    world.env.run(until=world.deploy("shop", "new", 0))
    assert fired_at(world, world.heal(fault)) == 2.0
    assert differences(world) == []


def test_more_cannot_be_killed_than_run(world: SimulatedWorld, scenario: Scenario) -> None:
    with pytest.raises(WorldError, match=r"kill of shop: replicas\(=1\) must be at most 0, those of version new"):
        world.env.run(until=world.inject(fault_of(scenario, "kill", 1)))


def test_a_control_event_meets_the_traffic_of_its_own_time(
    make: Callable[..., tuple[SimulatedWorld, DataPlane]],
) -> None:
    world, plane = make()
    times = []

    def look() -> None:
        times.append((world.env.now, plane.now_s))

    for delay_s in (0.1, 0.1, 0.35, 1.0):
        timeout = world.env.timeout(delay_s)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: look())
    world.play(0.9)
    assert times == [(0.1, 0.1), (0.1, 0.1), (0.35, 0.35)]
