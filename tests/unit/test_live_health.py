"""Health while the load runs: the same as the judge's, look by look, and no dearer late in a drill than at first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chaos.live_health import LiveHealth
from chaos.load.raw import RawSamples
from chaos.load.rows import client_rows
from evidence import measuring
from evidence.histogram import edges_s
from evidence.measure_plan import MeasurePlan
from evidence.measuring import function_health
from evidence.tables import ClientCells
from scenarios.loading import load
from scenarios.models import Scenario

PER_S = 20
DURATION_S = 24
NAMES = ("checkout", "browse")


def requests(rng: np.random.Generator) -> list[list[Any]]:
    """Of both functions, in the order in which they end: at bad times some later than a client waits."""
    rows: list[list[Any]] = []
    for name in NAMES:
        for index, due_s in enumerate(np.arange(DURATION_S * PER_S) / PER_S):
            bad = 8.0 <= due_s < 11.0 or 17.0 <= due_s < 17.5
            took_s = rng.choice([0.02, 2.6], p=[0.6, 0.4] if bad else [1.0, 0.0])
            kind, status = ("timeout", 0) if took_s > 2.0 else ("ok", 200)
            rows.append([name, index, ("a", "b")[index % 2], due_s, due_s, due_s + took_s, status, kind, "1", "0", ""])
    return sorted(rows, key=lambda row: float(row[5]))


def whole(scenario: Scenario, edges: NDArray[np.float64], seen: list[list[Any]], name: str, cells: int) -> list[bool]:
    """The judge's answer for so many cells, from all that has been seen."""
    plan, resolution_s = MeasurePlan.of(scenario, tuple(edges)), scenario.measure.resolution_s
    rows = client_rows(RawSamples.from_rows(seen), edges, resolution_s)
    dense = ClientCells.of(rows, plan.function_names, resolution_s, len(edges) + 1)
    good = function_health(plan, plan.function_names.index(name), dense, cells * resolution_s)
    return [bool(each) for each in good]


@pytest.mark.parametrize("warmup_s", [0.0, 6.0])
def test_each_look_has_the_judges_answer_for_all_that_is_known(warmup_s: float) -> None:
    scenario, _ = load("shop-release")
    scenario = scenario.model_copy(update={"measure": scenario.measure.model_copy(update={"warmup": warmup_s})})
    edges = edges_s(scenario)
    due_s = np.arange(DURATION_S * PER_S) / PER_S
    health = LiveHealth(scenario, edges, dict.fromkeys(NAMES, due_s))
    waiting, seen, known = requests(np.random.default_rng(1)), list[list[Any]](), 0
    for now_s in np.arange(0.5, DURATION_S + 4.0, 0.5):
        ended = [row for row in waiting if row[5] <= now_s]
        waiting = waiting[len(ended) :]
        seen += ended
        health.add(RawSamples.from_rows(ended))
        for name, good in health.windows(float(now_s)).items():
            known = len(good)
            assert good.tolist() == whole(scenario, edges, seen, name, known), (now_s, name)
    assert known >= DURATION_S * 4
    assert not waiting
    assert not all(whole(scenario, edges, seen, "checkout", known))


def test_a_look_after_ten_minutes_judges_no_more_cells_than_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, _ = load("shop-release")
    due_s = np.arange(600.0)
    health = LiveHealth(scenario, edges_s(scenario), dict.fromkeys(NAMES, due_s))
    judged: list[int] = []
    whole_windows = measuring.good_windows

    def counted(criteria: Any, window_cells: int, requests: Any, failed: Any, latency: Any) -> Any:
        judged.append(len(requests))
        return whole_windows(criteria, window_cells, requests, failed, latency)

    monkeypatch.setattr(measuring, "good_windows", counted)
    for second, at_s in enumerate(due_s):
        ended = [[name, second, "", at_s, at_s, at_s + 0.1, 200, "ok", "1", "0", ""] for name in NAMES]
        health.add(RawSamples.from_rows(ended))
        health.windows(at_s + 1.0)
    # A second is four cells; the window before them is 3 s.
    assert max(judged) <= 4 + 12
