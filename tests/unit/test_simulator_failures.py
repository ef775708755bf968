"""Failures as support hears of them: also those of clients who waited long before they gave up."""

import pytest

from rollout.controller import Controller
from scenarios.loading import load_text
from simulator.compile import compile_scenario
from simulator.kernel.plane import DataPlane
from simulator.streams import people, tools
from simulator.world import SimulatedWorld

TEXT = """
schema: windtunnel/v1
name: patient
sources: [test]
duration: 15m
measure: {{resolution: 1s, window: 5s, consecutive: 4}}
system:
  services:
    shop: {{workers: 5000, service_time: 10ms}}
functions:
  buy: {{path: [shop], rate: 4/s, rto: 1m, rpo: 0s, good: {{success: ">= 99%"}}{timeout}}}
release:
  at: 10s
  changes: [{{service: shop, from: old, to: new}}]
  defects:
    - {{name: slow, probability: 100%, latency: +200s, errors: 100%}}
  strategy: {{recreate: {{}}}}
operations:
  tickets: {{share: 100%, after: 0s}}
"""


@pytest.mark.parametrize(
    ("timeout", "waits_s"),
    [(", timeout: 2s", 2), (", timeout: 90s", 90), (", timeout: 150s", 150), ("", 200)],
    ids=["at once", "after 90 s", "after 150 s", "no limit"],
)
def test_every_failure_becomes_a_ticket_however_long_its_client_waits(timeout: str, waits_s: int) -> None:
    scenario = load_text(TEXT.format(timeout=timeout), "patient")
    compiled = compile_scenario(scenario)
    plane = DataPlane(compiled.network, seed=7)
    world = SimulatedWorld(scenario, compiled, plane, scenario.release.defects, tools(1, 0))
    Controller(world, scenario, scenario.release.strategy, [], people(1, 0)).start()
    world.play(scenario.duration_s)
    tickets = [(event.time_s, event.detail["count"]) for event in world.events if event.kind == "tickets"]
    assert sum(count for _, count in tickets) == pytest.approx(4 * (890 - waits_s), abs=200)
    assert tickets[0][0] == pytest.approx(10 + waits_s, abs=6)
