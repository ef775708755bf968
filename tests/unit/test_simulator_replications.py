"""Many replications: the same answer however they are spread, strategies compared on the same draws."""

import gc
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from scenarios.loading import load_text
from scenarios.models import Fidelity, Scenario
from simulator import pool, work
from simulator.errors import RequestError, WorkerDied
from simulator.replication import Player
from simulator.replications import Simulation, SimulationResult, most_critical, simulate

TEXT = """
schema: windtunnel/v1
name: short
sources: [test]
duration: 12s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  services:
    edge: {workers: 50, service_time: {lognormal: {mean: 2ms, cv: 0.5}}}
    shop: {replicas: 2, startup: 1s, service_time: {exponential: {mean: 10ms}}}
  stores:
    orders: {service_time: 2ms}
  calls:
    - {from: edge, to: shop, timeout: 500ms}
    - {from: shop, to: orders, writes: 1}
functions:
  look: {path: [edge], rate: 5/s, tier: 2, rto: 4s, rpo: 0s, good: {success: ">= 99%"}}
  buy: {path: [edge, shop], rate: 50/s, rto: 4s, rpo: 0s, timeout: 2s, good: {success: ">= 99%"}, cohorts: {vip: 30%}}
release:
  at: 3s
  changes: [{service: shop, from: old, to: new}]
  defects:
    - {name: broken, probability: 50%, errors: 80%}
    - {name: forgets, probability: 30%, lost_writes: 30%, cohort: vip}
  strategy: {rolling: {surge: 1, unavailable: 0, pause: 1s}}
  alternatives: [recreate: {}]
  guardrails: [{metric: error-ratio, of: shop, above: 10%, window: 2s, minimum: 10, action: page}]
operations: {on_call: {acknowledge: {exponential: {mean: 1s}}, decide: 200ms}}
faults:
  - {at: 5s, for: 2s, latency: {on: shop -> orders, add: 5ms, jitter: 10ms}}
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_text(TEXT, "short")


def test_the_answer_does_not_depend_on_the_number_of_processes(scenario: Scenario) -> None:
    one, two, seven = (simulate(scenario, TEXT, replications=16, seed=5, processes=n) for n in (1, 2, 7))
    assert one.measures == two.measures == seven.measures
    assert [timeline.replication for timeline in one.timelines] == [each.replication for each in seven.timelines]
    assert [row.replication for row in one.measures[::2]] == list(range(16))


def test_a_replication_does_not_depend_on_those_before_it(scenario: Scenario) -> None:
    everything = simulate(scenario, TEXT, replications=4, seed=5, processes=1)
    player = Player(scenario, scenario.release.strategy, 5)
    assert player.measures(3) == everything.measures[6:]
    assert player.measures(1) == everything.measures[2:4]


def test_seeds_differ(scenario: Scenario) -> None:
    requests = {simulate(scenario, TEXT, replications=1, seed=seed).measures[1].requests for seed in range(5)}
    assert len(requests) > 1


def test_the_tables_are_those_that_were_measured(scenario: Scenario) -> None:
    result = simulate(scenario, TEXT, replications=3, seed=5, keep=[0, 2], processes=1)
    assert [timeline.replication for timeline in result.timelines] == [0, 2]
    for timeline in result.timelines:
        rows = [row for row in result.measures if row.replication == timeline.replication]
        clients = timeline.samples.where(timeline.samples.service == "client")
        assert clients.requests.sum() == sum(row.requests for row in rows)
        assert clients.failed().sum() == sum(row.failed for row in rows)
        assert clients.latency.sum() == sum(row.requests - row.failed for row in rows)
        shop = timeline.samples.where(timeline.samples.service == "shop")
        assert set(shop.version) <= {"old", "new"}
        assert (shop.requests == shop.failed() + shop.latency.sum(axis=1)).all()
        assert (timeline.ledger.outcome == "ok").sum() == sum(row.acknowledged_writes for row in rows)


def test_the_kept_ones_are_best_median_and_worst(scenario: Scenario) -> None:
    result = simulate(scenario, TEXT, replications=9, seed=5, processes=1)
    rto_s = [row.rto_s + 1000 * row.rto_censored for row in result.measures if row.function == "buy"]
    kept = sorted(rto_s[timeline.replication] for timeline in result.timelines)
    assert kept == [min(rto_s), np.median(rto_s), max(rto_s)]


def test_the_most_critical_function_has_the_highest_tier(scenario: Scenario) -> None:
    assert most_critical(scenario) == "buy"


def test_forced_defects_are_in_every_replication(scenario: Scenario) -> None:
    forced = simulate(scenario, TEXT, replications=3, defects=["broken"], processes=1)
    assert {row.defects for row in forced.measures} == {("broken",)}
    assert {row.tripped for row in forced.measures} == {True}
    none = simulate(scenario, TEXT, replications=3, defects=[], processes=1)
    assert {row.defects for row in none.measures} == {()}
    assert {row.tripped for row in none.measures} == {False}


def timeline_of(result: SimulationResult) -> tuple[list[np.ndarray], float]:
    """Client rows before the release starts, and when that is."""
    [timeline] = result.timelines
    start_s = next(event.time_s for event in timeline.events if event.kind == "release-start")
    samples = timeline.samples
    rows = samples.where((samples.service == "client") & (samples.window_start_s < start_s - 0.5))
    return [rows.window_start_s, rows.function, rows.cohort, rows.requests, rows.failed(), rows.latency], start_s


def test_strategies_meet_the_same_traffic(scenario: Scenario) -> None:
    kinds = ("rolling", "recreate", "blue-green")
    single = [
        simulate(scenario, TEXT, strategy=kind, replications=3, seed=9, defects=[], keep=[2], processes=1)
        for kind in kinds
    ]
    before = [timeline_of(result)[0] for result in single]
    for other in before[1:]:
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(before[0], other, strict=True))
    arrivals = [[row.requests for row in result.measures] for result in single]
    assert arrivals[0] == arrivals[1] == arrivals[2]


def test_strategies_meet_the_same_defects(scenario: Scenario) -> None:
    recreate, rolling = (
        simulate(scenario, TEXT, strategy=kind, replications=6, seed=2, processes=1) for kind in ("recreate", "rolling")
    )
    assert [row.defects for row in recreate.measures] == [row.defects for row in rolling.measures]
    assert len({row.defects for row in recreate.measures}) > 1
    # Recreate is down while the new version starts; rolling is not.
    assert all(row.downtime_s >= 1.0 for row in recreate.measures if row.function == "buy")


def test_a_simulation_that_goes_on_plays_what_one_would_have_played_at_once(scenario: Scenario) -> None:
    whole = simulate(scenario, TEXT, replications=9, seed=5, processes=1)
    in_parts = Simulation(scenario, TEXT, ceiling=20, seed=5, processes=2)
    for n in (1, 4, 4, 9):
        in_parts.play_to(n)
    found = in_parts.finish()
    assert (found.measures, found.replications) == (whole.measures, 9)
    assert [each.replication for each in found.timelines] == [each.replication for each in whole.timelines]


def test_what_the_scenario_does_not_have_is_refused(scenario: Scenario) -> None:
    for wrong, rule in (
        ({"defects": ["brokn"]}, r"defect\(=brokn\) must be one of the scenario's: broken, forgets"),
        ({"strategy": "canary"}, r"strategy\(=canary\): scenario short must describe its steps"),
        ({"strategy": "magic"}, r"strategy\(=magic\) must be one of recreate, rolling, blue-green, canary"),
        ({"replications": 0}, r"replications\(=0\) must be at least 1"),
        ({"seed": -1}, r"seed\(=-1\) must be at least 0"),
        ({"processes": 0}, r"processes\(=0\) must be at least 1"),
        ({"keep": [200]}, "replication 200 must be 0..199"),
    ):
        with pytest.raises(RequestError, match=rule):
            simulate(scenario, TEXT, **wrong)


def test_an_interrupt_stops_the_workers(scenario: Scenario) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(scenario, TEXT, replications=400, processes=2, progress=interrupt)
    assert multiprocessing.active_children() == []


class DyingPlayer(Player):
    """Ends its process as the system would when memory is short."""

    def measures(self, replication: int) -> list:
        if replication == 7:
            os._exit(9)
        return super().measures(replication)


def test_a_worker_that_dies_is_told(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "Player", DyingPlayer)
    with pytest.raises(WorkerDied, match="a worker of 2 ended before its replications were done"):
        simulate(scenario, TEXT, replications=12, processes=2)
    assert multiprocessing.active_children() == []


def test_an_error_in_a_worker_comes_through(scenario: Scenario) -> None:
    broken = work.Work(scenario, scenario.release.strategy, 1, ("broken",))
    with pytest.raises(ValueError, match="non-negative"):
        list(pool.measures_of(broken, [0, -1, 1], 2))


def test_a_record_is_begun_before_the_first_replication(scenario: Scenario, tmp_path: Path) -> None:
    phases: list[str] = []

    def look(_: int, __: int) -> None:
        [folder] = tmp_path.iterdir()
        phases.append((folder / "run.json").read_text())

    result = simulate(scenario, TEXT, replications=2, processes=1, out=tmp_path, progress=look)
    assert all('"phase": "started"' in phase for phase in phases)
    assert result.record is not None
    assert '"phase": "recorded"' in (result.record / "run.json").read_text()


def test_parts_of_the_rto_add_up(scenario: Scenario) -> None:
    result = simulate(scenario, TEXT, replications=12, seed=3, defects=["broken"], processes=1)
    parts = ("detect_s", "decide_s", "act_s", "stabilise_s")
    whole = [row for row in result.measures if None not in [getattr(row, part) for part in parts]]
    assert whole
    for row in whole:
        assert sum(getattr(row, part) for part in parts) == pytest.approx(row.rto_s)
        assert row.decide_s > 0.2  # a person was paged


def test_measures_are_plain_values(scenario: Scenario) -> None:
    [row, _] = Player(scenario, scenario.release.strategy, 5).measures(0)
    assert replace(row) == row
    assert type(row.requests) is int


def test_watching_changes_nothing(scenario: Scenario) -> None:
    unwatched = scenario.model_copy(update={"release": scenario.release.model_copy(update={"guardrails": []})})
    one, other = (
        simulate(each, TEXT, replications=2, seed=4, defects=[], keep=[1], processes=1)
        for each in (scenario, unwatched)
    )
    assert one.measures == other.measures
    mine, theirs = one.timelines[0].samples, other.timelines[0].samples
    assert np.array_equal(mine.latency, theirs.latency)
    assert np.array_equal(one.timelines[0].ledger.acknowledged_s, other.timelines[0].ledger.acknowledged_s)


def test_memory_does_not_grow_with_the_replications(scenario: Scenario) -> None:
    process = psutil.Process()
    resident: dict[int, int] = {}

    def look(done: int, _of: int) -> None:
        if done in (60, 300):
            gc.collect()
            resident[done] = process.memory_info().rss

    simulate(scenario, TEXT, replications=300, processes=1, keep=[], progress=look)
    # Measures stay, some kilobytes a replication; tables (here half a megabyte each) must not.
    assert resident[300] - resident[60] < 10e6


@pytest.mark.parametrize("fidelity", ["requests", "fluid"])
def test_no_replication_keeps_its_tables_until_a_garbage_collection(scenario: Scenario, fidelity: Fidelity) -> None:
    process = psutil.Process()
    resident: dict[int, int] = {}

    def look(done: int, _of: int) -> None:
        if done in (60, 300):
            resident[done] = process.memory_info().rss

    gc.collect()
    gc.disable()
    try:
        simulate(scenario.at_fidelity(fidelity), TEXT, replications=300, processes=1, keep=[], progress=look)
    finally:
        gc.enable()
    # What refers to itself in a circle stays, but none of the tables, 120 megabytes in all.
    assert resident[300] - resident[60] < 30e6
