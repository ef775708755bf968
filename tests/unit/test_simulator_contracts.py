"""Versions side by side that break their contract, crash loops and harm, as traffic meets them."""

import math

import pytest

from rollout.errors import Foreseen
from scenarios.loading import load_text
from scenarios.models import Scenario, Worse
from simulator.compile import compile_scenario
from simulator.kernel.plane import DataPlane
from simulator.layout import ERROR, REFUSED
from simulator.replication import Player
from simulator.streams import defects_drawn, risks_drawn, tools
from simulator.world import SimulatedWorld

TEXT = """
schema: windtunnel/v1
name: skew
sources: [test]
duration: 60s
measure: {resolution: 1s, window: 2s, consecutive: 4}
system:
  services:
    edge: {replicas: 2, service_time: 1ms}
    shop: {replicas: 2, startup: 2s, service_time: 2ms}
    bank: {external: true, availability: {uptime: 50%, outage: 10s}, service_time: 1ms}
  calls:
    - {from: edge, to: shop}
    - {from: shop, to: bank}
functions:
  buy: {path: [edge, shop], rate: 100/s, rto: 1m, rpo: 0s, timeout: 2s, good: {success: ">= 99%"}}
  look: {path: [edge], rate: 1/s, rto: 1m, rpo: 0s, timeout: 2s, good: {success: ">= 99%"}}
release:
  at: 5s
  changes: [{service: edge, from: e1, to: e2}, {service: shop, from: s1, to: s2}]
  defects:
    - {name: skew, of: shop, probability: 50%, errors: 40%, incompatible_with: {service: edge, version: old}}
    - {name: loop, of: shop, probability: 50%, crash: 100%}
    - {name: broken, of: edge, probability: 50%, errors: 50%, incompatible_with: {service: shop}, after: 10s}
  strategy: {recreate: {}}
  progress_deadline: 20s
  rollback_risks:
    - {name: drift, probability: 30%, step: redeploy, fails: true}
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_text(TEXT, "skew")


def world_of(scenario: Scenario, *names: str) -> tuple[SimulatedWorld, DataPlane]:
    compiled = compile_scenario(scenario)
    plane = DataPlane(compiled.network, seed=7)
    chosen = [each for each in scenario.release.defects if each.name in names]
    return SimulatedWorld(scenario, compiled, plane, chosen, tools(1, 0)), plane


def share(plane: DataPlane, station: int, version: int, begin: int, end: int) -> float:
    columns = plane.service_sum(station, version, begin, end)
    return float(columns[ERROR] / columns[ERROR:].sum())


def test_only_the_pair_that_does_not_fit_fails(scenario: Scenario) -> None:
    world, plane = world_of(scenario, "skew")
    world.env.run(until=world.deploy("shop", "s2", 2))
    world.env.run(until=world.route("shop", {"s1": 0.5, "s2": 0.5}))
    world.play(20.0)
    old_fails, new_fails = share(plane, 1, 0, 3, 20), share(plane, 1, 1, 3, 20)
    world.env.run(until=world.deploy("edge", "e2", 2))
    world.env.run(until=world.route("edge", {"e2": 1.0}))
    world.play(50.0)
    # What is left of errors is the bank's outages, which hit both versions alike.
    bank_s = [event.time_s for event in world.events if event.kind == "fault-start"]
    assert len(bank_s) >= 1
    assert old_fails < 0.9
    assert new_fails == pytest.approx(old_fails + (1 - old_fails) * 0.4, abs=0.05)
    assert share(plane, 1, 1, 23, 50) == pytest.approx(share(plane, 1, 0, 23, 50), abs=0.08)


def test_a_contract_can_break_later(scenario: Scenario) -> None:
    _, healthy = played(scenario)
    _, plane = played(scenario, "broken")
    first = plane.service_sum(1, None, 5, 14)[ERROR]
    later = plane.service_sum(1, None, 17, 40)[ERROR]
    assert first == healthy.service_sum(1, None, 5, 14)[ERROR]
    assert later > healthy.service_sum(1, None, 17, 40)[ERROR] + 500


def played(scenario: Scenario, *names: str) -> tuple[SimulatedWorld, DataPlane]:
    world, plane = world_of(scenario, *names)
    world.env.run(until=world.deploy("edge", "e2", 2))
    world.env.run(until=world.route("edge", {"e2": 1.0}))
    world.play(45.0)
    return world, plane


def test_a_deploy_in_a_crash_loop_fails_at_its_deadline(scenario: Scenario) -> None:
    world, _ = world_of(scenario, "loop")
    with pytest.raises(Foreseen, match=r"deploy of shop s2: not ready within 20 s \(release.progress_deadline\)"):
        world.env.run(until=world.deploy("shop", "s2", 2))
    assert world.env.now == 20
    world.env.run(until=world.deploy("shop", "s2", 0))
    assert world.env.now == 20
    crashes = [event.time_s for event in world.events if event.kind == "replica"]
    assert crashes == [2, 2, 4, 4, 16, 16]


def test_harm_is_done_and_undone(scenario: Scenario) -> None:
    world, plane = world_of(scenario)
    world.env.run(until=world.worsen("edge", "e1", Worse.model_validate({"errors": "100%"})))
    world.play(5.0)
    world.env.run(until=world.worsen("edge", "e1", None))
    world.play(10.0)
    # Edge fails by itself for 5 s; afterwards only when the bank is down.
    assert share(plane, 0, 0, 0, 5) == 1.0
    assert plane.service_sum(0, 0, 6, 10)[ERROR + 3 :].sum() > 0


def test_a_third_party_that_is_down_refuses(scenario: Scenario) -> None:
    world, plane = world_of(scenario)
    world.play(60.0)
    spans = [(event.time_s, event.kind) for event in world.events if event.kind.startswith("fault")]
    assert [kind for _, kind in spans][:2] == ["fault-start", "fault-end"]
    start, end = math.ceil(spans[0][0]), math.floor(spans[1][0])
    refused = plane.service_sum(2, 0, start, end)
    assert refused[REFUSED] == refused.sum() > 0


def test_risks_are_drawn_like_defects_and_shift_none(scenario: Scenario) -> None:
    risks, runs = scenario.release.rollback_risks, 2000
    share = sum(len(risks_drawn(risks, 1, replication)) for replication in range(runs)) / runs
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / runs))
    alone = [[each.name for each in defects_drawn(scenario.release.defects[:1], 1, n)] for n in range(50)]
    together = [[each.name for each in defects_drawn(scenario.release.defects, 1, n)][:1] for n in range(50)]
    assert [each for each in alone if each] == [each for each in together if each == ["skew"]]


def test_third_parties_are_the_same_for_every_strategy(scenario: Scenario) -> None:
    recreate, rolling = scenario.release.strategy, scenario.release.strategy.model_validate({"rolling": {}})
    outages = [
        [
            (event.time_s, event.kind)
            for event in Player(scenario, strategy, 1, []).timeline(3).events
            if event.kind.startswith("fault")
        ]
        for strategy in (recreate, rolling)
    ]
    assert outages[0] == outages[1]
