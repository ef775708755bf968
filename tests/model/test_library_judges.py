"""The library's judges on the same releases: who tells them apart, who cries wolf, and how soon."""

from __future__ import annotations

import pytest
from scipy import stats

from evidence.detection import JudgeRow, detection
from scenarios.loading import load
from simulator.replications import simulate

REPLICATIONS = 80


@pytest.fixture(scope="module")
def judges() -> dict[str, JudgeRow]:
    scenario, source = load("judges-side-by-side")
    result = simulate(scenario, source.text, replications=REPLICATIONS, seed=5, keep=[])
    return {row.guardrail: row for row in detection(scenario, result.measures)}


def misses(row: JudgeRow, defect: str) -> float:
    return next(each.misses.value for each in row.by_defect if each.defect == defect)


def test_sequential_judges_keep_their_alpha(judges: dict[str, JudgeRow]) -> None:
    for name in ("sequential-errors", "sequential-limit"):
        alarms = judges[name].false_alarms
        assert alarms is not None
        assert alarms.value * alarms.n <= stats.binom.ppf(0.999, alarms.n, 0.05)


def test_judges_of_errors_catch_errors_and_the_judge_of_latency_catches_slowness(judges: dict[str, JudgeRow]) -> None:
    for name, row in judges.items():
        assert misses(row, "slower" if name == "kayenta-p95" else "more-errors") <= 0.05, name
    assert misses(judges["kayenta-errors"], "slower") > 0.5
    assert misses(judges["kayenta-p95"], "more-errors") > 0.5


def test_who_needs_a_series_of_points_is_late(judges: dict[str, JudgeRow]) -> None:
    caught = {name: row.caught for name, row in judges.items() if row.caught is not None}
    delays_s = {name: each.delay_p50_s.value for name, each in caught.items() if each.delay_p50_s is not None}
    assert delays_s["fast-threshold"] < delays_s["slow-threshold"] < delays_s["kayenta-errors"]
    assert delays_s["sequential-errors"] < delays_s["slow-threshold"]


def test_nothing_is_cut_short_where_all_only_note(judges: dict[str, JudgeRow]) -> None:
    assert [row.cut_short for row in judges.values()] == [0] * 7
