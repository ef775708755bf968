"""What an outage of a zone takes: all of ours that stands in it, and nothing of others."""

import pytest

from scenarios.loading import load_text
from simulator.replication import Player

TEXT = """
schema: windtunnel/v1
name: zones
sources: [test]
duration: 60s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  zones: [a]
  services:
    web: {replicas: 2, service_time: 1ms}
    bank: {external: true, startup: {exponential: {mean: 5s}}, service_time: 1ms}
  calls: [{from: web, to: bank}]
functions:
  buy: {path: [web], rate: 50/s, rto: 1m, rpo: 0s, good: {success: ">= 99%"}}
release:
  at: 5s
  changes: [{service: web, from: "1", to: "2"}]
  strategy: {rolling: {}}
faults:
  - {at: 20s, for: 10s, zone: {of: a}}
"""


@pytest.mark.parametrize(("zones", "down_s"), [("[a]", 10.0), ("[a, b]", 0.0)])
def test_a_lost_zone_takes_our_replicas_in_it_and_no_third_party(zones: str, down_s: float) -> None:
    text = TEXT.replace("zones: [a]", f"zones: {zones}")
    scenario = load_text(text, "zones.yaml")
    (row,) = Player(scenario, scenario.release.strategy, seed=1).measures(0)
    # A third party that went down with the zone would come back 5 s late in the mean.
    assert row.rto_s == pytest.approx(down_s, abs=0.3)
    assert row.failed == pytest.approx(50 * down_s, abs=60 if down_s else 5)
