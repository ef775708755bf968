"""Distributions of RTO and RPO and the parts of the RTO, against rows counted by hand."""

import json
import math
from dataclasses import replace

import pytest

from evidence.measures import FunctionMeasure
from evidence.recovery import recoveries
from evidence.report.recovery import recovery_table
from scenarios.loading import load
from simulator.replications import simulate


@pytest.fixture(scope="module")
def row() -> FunctionMeasure:
    scenario, source = load("shop-release")
    return simulate(scenario, source.text, replications=1, processes=1, keep=[]).measures[0]


def made(row: FunctionMeasure) -> list[FunctionMeasure]:
    """Of ten: five unhurt, three hurt for 4, 6 and 8 s, one of them without a trip, and two that never recovered."""
    quiet = replace(row, rto_s=0.0, rto_censored=False, impact_start_s=None, detect_s=None, rpo_s=0.0, lost_writes=0)
    parts = {"detect_s": 2.0, "decide_s": None, "act_s": 1.0, "stabilise_s": 1.0}
    hurt = replace(quiet, impact_start_s=5.0, rto_s=4.0, rpo_s=3.0, lost_writes=10, **parts)
    slower = replace(hurt, rto_s=6.0, detect_s=4.0, lost_writes=0, rpo_s=0.0)
    silent = replace(hurt, rto_s=8.0, detect_s=None, act_s=None, stabilise_s=None)
    lost = replace(hurt, rto_s=9.0, rto_censored=True)
    return [quiet] * 5 + [hurt, slower, silent, lost, lost]


def test_quantiles_parts_and_losses(row: FunctionMeasure) -> None:
    (found,) = recoveries(made(row))
    assert (found.impact.value, found.impact.n) == (0.5, 10)
    assert [each.value for each in found.rto_s] == [0.0, 8.0, math.inf, math.inf, math.inf]
    assert found.rto_max_s == math.inf
    assert [None if part is None else part.value for part in found.parts_s] == [3.0, 0.0, 1.0, 1.0]
    assert found.rpo_s is not None
    assert [each.value for each in found.rpo_s] == [0.0, 3.0, 3.0, 3.0, 3.0]
    assert found.lost_writes is not None
    assert found.lost_writes.value == 4.0


def test_json_has_no_infinity_and_names_the_parts(row: FunctionMeasure) -> None:
    document = recoveries(made(row))[0].to_json()
    json.dumps(document, allow_nan=False)
    assert document["rto_max_s"] is None
    assert list(document["parts_s"]) == ["detect_s", "decide_s", "act_s", "stabilise_s"]


def test_the_table_has_a_row_for_each_objective(row: FunctionMeasure) -> None:
    table = recovery_table(recoveries(made(row)))
    assert [cells[1] for cells in table.rows] == ["RTO", "RPO"]
    assert "not recovered" in table.text()
