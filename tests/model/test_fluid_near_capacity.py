"""Next to a service's capacity: how far flows carry there, and that they say where they do not."""

import numpy as np
import pytest

from benchmarks.near_capacity import Case, failed_share, failed_shares, network
from evidence.caveats import caveats
from evidence.measures import FunctionMeasure
from scenarios.fidelity import Fidelity
from scenarios.loading import load_text
from scenarios.models import Scenario
from simulator.fluid.plane import FluidPlane
from simulator.network import UNBOUNDED
from simulator.replication import Player
from simulator.strategies import strategy_named

SECONDS, SEEDS = 1190.0, 4


@pytest.mark.parametrize(
    ("case", "busy", "tolerance"),
    [
        (Case("retry"), 0.98, 0.1),
        (Case("retry"), 1.0, 0.1),
        (Case("retry", backoff_s=1.0), 1.0, 0.1),
        (Case("retry"), 1.05, 0.1),
        (Case("three", retries=3, backoff_s=0.1), 1.1, 0.1),
        (Case("replicas", replicas=4, backoff_s=0.1), 1.0, 0.25),
        (Case("no bound", replicas=2, queue=UNBOUNDED, retries=0, timeout_s=0.5), 0.95, 0.1),
        (Case("no bound", replicas=2, queue=UNBOUNDED, retries=0, timeout_s=0.5), 1.0, 0.1),
        (Case("no bound", replicas=2, queue=UNBOUNDED, backoff_s=0.1, timeout_s=0.5), 0.95, 0.1),
        (Case("outlasts", retries=3, backoff_s=0.1, timeout_s=0.3), 0.95, 0.1),
        (Case("just in time", backoff_s=0.1, timeout_s=0.45), 0.95, 0.1),
    ],
)
def test_flows_carry_through_the_capacity(case: Case, busy: float, tolerance: float) -> None:
    requests, flows = failed_shares(case, busy, SECONDS, SEEDS)
    chance = 3.0 * float(np.hypot(requests.std(ddof=1), flows.std(ddof=1))) / SEEDS**0.5
    assert requests.mean() > 0.003
    assert flows.mean() == pytest.approx(requests.mean(), rel=tolerance, abs=chance)


def test_flows_know_how_long_a_service_was_near_its_capacity() -> None:
    near_s = {}
    for busy in (0.5, 0.95, 1.3):
        plane = FluidPlane(network(Case("retry"), busy, SECONDS), 1)
        failed_share(plane, SECONDS)
        near_s[busy] = plane.near_capacity_s().get(1, 0.0)
    assert near_s[0.5] == 0.0
    assert near_s[0.95] == pytest.approx(SECONDS, abs=2.0)
    assert near_s[1.3] < 0.05 * SECONDS


TEXT = """
schema: windtunnel/v1
name: edge-of-capacity
sources: [made up]
duration: 300s
measure: {resolution: 1s, window: 5s, consecutive: 4}
system:
  services:
    edge: {service_time: 1ms, workers: 512}
    shop: {service_time: {exponential: {mean: 50ms}}, replicas: 2, workers: 8QUEUE}
  calls: [{from: edge, to: shop, timeout: 500ms, retries: 1, backoff: {base: 100ms}}]
functions:
  buy: {path: [edge, shop], rate: RATE/s, rto: 1m, rpo: 0s, good: {success: ">= 95%"}}
release:
  at: 290s
  changes: [{service: edge, from: "1", to: "2"}]
  strategy: {recreate: {}}
"""


def played(scenario: Scenario, fidelity: Fidelity) -> list[FunctionMeasure]:
    player = Player(scenario.at_fidelity(fidelity), strategy_named(scenario, None), 1)
    return [row for replication in range(5) for row in player.measures(replication)]


def mean_share(rows: list[FunctionMeasure]) -> float:
    return float(np.mean([row.failed_share for row in rows]))


@pytest.mark.parametrize(("rate", "near"), [(304, True), (200, False)])
def test_a_caveat_stands_beside_flows_whose_bounded_queue_is_near_its_capacity(rate: int, near: bool) -> None:
    scenario = load_text(TEXT.replace("RATE", str(rate)).replace("QUEUE", ", queue: 8"), "edge.yaml")
    requests, flows = played(scenario, "requests"), played(scenario, "fluid")
    lines = [line for line in caveats(scenario, flows) if line.startswith("system.services.shop: ")]
    assert len(lines) == near
    assert all("in 5 of 5 replications: there chance decides" in line for line in lines)
    assert not any(line.startswith("system.services") for line in caveats(scenario, requests))


@pytest.mark.parametrize("queue", ["", ", queue: 160"])
def test_a_queue_that_outlasts_its_callers_patience_is_drawn_and_needs_no_caveat(queue: str) -> None:
    scenario = load_text(TEXT.replace("RATE", "314").replace("QUEUE", queue), "edge.yaml")
    requests, flows = played(scenario, "requests"), played(scenario, "fluid")
    assert mean_share(requests) > 0.5  # it tips over
    chance = np.hypot(*(np.std([row.failed_share for row in rows], ddof=1) for rows in (requests, flows))) / 5**0.5
    assert mean_share(flows) == pytest.approx(mean_share(requests), rel=0.05, abs=3.0 * float(chance))
    assert not any(line.startswith("system.services") for line in caveats(scenario, flows))
