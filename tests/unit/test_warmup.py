"""Measures that start after a warm-up: a time given, or found by MSER-5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chaos.unrealised import unrealised
from evidence.errors import JudgeError
from evidence.measure_plan import MeasurePlan
from evidence.measuring import measure
from scenarios.errors import ScenarioError
from scenarios.loading import load_text
from simulator.errors import RequestError
from simulator.replications import simulate as play
from simulator.warmup import mser5, warmup_s
from tests.unit import evidence_made as made
from windtunnel.simulating import compare, simulate

TEXT = """
schema: windtunnel/v1
name: cold
sources: [test]
duration: 30s
measure: {resolution: 100ms, window: 1s, consecutive: 10, warmup: auto}
system: {services: {shop: {workers: 1, service_time: {lognormal: {mean: 20ms, cv: 0.8}}}}}
functions:
  buy: {path: [shop], rate: 45/s, rto: 5s, rpo: 0s, good: {success: ">= 99%"}}
release: {at: 20s, changes: [{service: shop, from: "1", to: "2"}], strategy: {recreate: {}}}
"""


def with_warmup(warmup: str) -> str:
    return TEXT.replace("warmup: auto", f"warmup: {warmup}")


def test_what_happens_before_is_not_measured() -> None:
    late = load_text(made.TEXT.replace("consecutive: 8", "consecutive: 8, warmup: 4s"), "tiny.yaml")
    plan = MeasurePlan.of(late)
    assert plan.warmup_cells == 16
    early, late_bad = made.cells((1.0, 3.0)), made.cells((1.0, 12.0))
    spared = measure(plan, made.promoted(), early, made.writes(), strategy="canary")[0]
    assert (spared.episodes, spared.failed, spared.requests) == (0, 0, (240 - 16) * 10)
    assert sum(spared.cohort_requests) == spared.requests
    hit = measure(plan, made.promoted(), late_bad, made.writes(), strategy="canary")[0]
    # Impact starts with the first cell that is measured: the windows hold none of those before.
    assert (hit.impact_start_s, hit.rto_s, hit.failed) == (4.0, 8.0, 8 * 40)


def test_mser5_cuts_off_the_climb_and_nothing_of_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 1.0, 400)
    climb = noise - 30.0 * np.exp(-np.arange(400) / 15.0)
    cut = mser5(climb)
    assert cut is not None
    assert 40 <= cut <= 120
    assert mser5(np.arange(400.0)) is None  # never settles
    assert mser5(np.ones(400)) == 0


def test_auto_finds_the_filling_of_an_empty_system() -> None:
    scenario = load_text(TEXT, "cold")
    found_s = warmup_s(scenario, 1)
    assert 0.5 <= found_s < 10.0  # nine tenths busy: the queue takes seconds to build up
    assert found_s == warmup_s(scenario, 1)


def test_record_says_what_was_found(tmp_path: Path) -> None:
    scenario = load_text(TEXT, "cold")
    from scenarios.loading import ScenarioText

    outcome = simulate(scenario, ScenarioText("cold", TEXT), replications=2, processes=1, out=tmp_path)
    text = outcome.record.header.scenario.text
    assert f"warmup: {warmup_s(scenario, 1) * 1e3:g}ms" in text
    assert not [check for check in outcome.verdict.checks if check.status.value == "error"]
    compared = compare(
        scenario, ScenarioText("cold", TEXT), strategies=["recreate", "rolling"],
        vary=["release.strategy.recreate={}"], replications=2, processes=1, out=tmp_path,
    )  # fmt: skip
    bases = {each.record.header.variant.base for each in compared.simulations if each.record.header.variant}
    assert bases <= {compared.simulations[-1].record.header.scenario.digest}


@pytest.mark.parametrize(
    ("warmup", "rule"),
    [
        ("21s", "measure.warmup: '21s': must be over before the release and the first fault, after 20 s"),
        ("soon", "measure.warmup: 'soon': .*, or auto"),
        ("-1s", "measure.warmup: '-1s'"),
    ],
)
def test_a_warmup_that_cannot_be_is_refused(warmup: str, rule: str) -> None:
    with pytest.raises(ScenarioError, match=rule):
        load_text(with_warmup(warmup), "cold")


def test_auto_is_refused_where_nothing_can_find_it() -> None:
    scenario = load_text(TEXT, "cold")
    with pytest.raises(JudgeError, match=r"measure.warmup\(=auto\) must be a duration here"):
        play(scenario, TEXT, replications=1)
    assert "measure.warmup: auto is found by simulation; a drill needs a duration" in unrealised(scenario)
    with pytest.raises(RequestError, match=r"must have 100 cells of 0\.1 s before the release and the first fault"):
        warmup_s(load_text(TEXT.replace("at: 20s", "at: 2s"), "cold"), 1)
