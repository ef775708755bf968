"""At how many replicas autoscaling settles under a steady load, against its formula by hand.

5.5 workers' worth of load (55/s of 100 ms) at a target of 60 % wants 5.5 / 0.6 = 9.17 replicas with one worker each:
10. At 10 the mean utilisation is 0.55, and nothing changes from 0.54 to 0.66. Just below that one fewer is wanted in
some periods and refused by the others of five minutes; above 0.66 chance within a period hardly ever comes.
"""

from __future__ import annotations

from evidence.events import EventKind
from scenarios.loading import load_text
from simulator.replication import Player

TEXT = """\
schema: windtunnel/v1
name: steady
sources: [made up for a test]
duration: 30m
measure: {resolution: 1s, window: 10s, consecutive: 5}
system:
  services:
    edge: {workers: 500, service_time: 1ms}
    shop: {replicas: 8, workers: WORKERS, service_time: {exponential: {mean: 100ms}},
           autoscaling: {target: 60%, maximum: 20, minimum: 1}}
  calls:
    - {from: edge, to: shop}
functions:
  browse: {path: [edge, shop], rate: RATE/s, rto: 1m, rpo: 0s, good: {success: ">= 99%"}}
release:
  at: 29m
  changes: [{service: edge, from: "1", to: "2"}]
  strategy: {recreate: {}}
"""


def settled(workers: int, rate: int) -> list[float]:
    """The mean number of replicas from the tenth minute to the release, of each of three replications."""
    scenario = load_text(TEXT.replace("WORKERS", str(workers)).replace("RATE", str(rate)), "steady.yaml")
    player, means = Player(scenario, scenario.release.strategy, 1), []
    for number in range(3):
        orders = [(0.0, 8)]
        orders += [
            (event.time_s, int(event.detail["replicas"]))
            for event in player.timeline(number).events
            if event.kind == EventKind.SCALE
        ]
        ends = [*(time_s for time_s, _ in orders[1:]), 29 * 60.0]
        spans = [(max(0.0, end - max(600.0, start)), many) for (start, many), end in zip(orders, ends, strict=True)]
        means.append(sum(span * many for span, many in spans) / sum(span for span, _ in spans))
    return means


def test_replicas_with_one_worker_each_settle_at_what_the_formula_wants() -> None:
    assert settled(workers=1, rate=55) == [10.0, 10.0, 10.0]


def test_replicas_with_many_workers_settle_there_too() -> None:
    assert settled(workers=20, rate=440) == [4.0, 4.0, 4.0]  # 44 / 20 / 0.6 = 3.67


def test_a_load_that_fills_whole_replicas_exactly_settles_one_above() -> None:
    # 2.4 / 0.6 = 4, but of five replicas at 0.48 on the mean some period in five minutes is above it, and keeps five.
    assert settled(workers=1, rate=24) == [5.0, 5.0, 5.0]
