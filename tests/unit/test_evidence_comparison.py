"""Strategies side by side, prediction beside measurement, and what the graph says could be hit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.beside import BesideRow, beside_of_measures, predicted_beside_measured
from evidence.comparison import compare
from evidence.errors import JudgeError
from evidence.header import World
from evidence.measuring import measure
from evidence.pairs import SAME
from evidence.reach import dependency_graph, reach_of, services_used, stores_written
from evidence.record import RunRecord
from tests.unit import evidence_made as made


def drill_rows(bad_s: tuple[float, float] = (10.0, 14.0)):
    return measure(made.plan(), made.rolled_back(), made.cells(bad_s), made.writes(), strategy="canary")


def slower(rows, extra_s: float):
    return [
        replace(row, strategy="recreate", rto_s=row.rto_s + extra_s, met_rto=row.rto_s + extra_s <= 5.0)
        if row.function == "buy"
        else replace(row, strategy="recreate")
        for row in rows
    ]


def test_the_best_meets_the_rto_most_often_and_the_others_are_told_apart() -> None:
    canary = made.measures(replications=100)
    found = compare("tiny", {"recreate": slower(canary, 3.0), "canary": canary})
    worse, best = found.of("buy")
    assert [(row.strategy, row.best) for row in (worse, best)] == [("recreate", False), ("canary", True)]
    assert (best.rto_attainment.value, worse.rto_attainment.value) == (1.0, 0.8)
    assert best.differences == ()
    by_measure = {each.measure: each for each in worse.differences}
    assert by_measure["rto_attainment"].statement == "worse"
    assert by_measure["rto_attainment"].estimate.value == pytest.approx(-0.2)
    assert (by_measure["rto_s"].statement, by_measure["rto_s"].estimate.value) == ("worse", 3.0)
    assert by_measure["failed_share"].statement == SAME
    assert [row.best for row in found.of("browse")] == [True, False]  # equal: the first
    json.dumps(found.to_json(), allow_nan=False)


def test_censored_replications_count_as_infinite() -> None:
    rows = [replace(row, rto_censored=row.function == "buy", met_rto=False) for row in made.measures(bad_every=1)]
    row = compare("tiny", {"canary": rows}).of("buy")[0]
    assert (row.rto_p50_s.value, row.rto_censored, row.rto_attainment.value) == (float("inf"), 40, 0.0)
    assert row.differences == ()


def test_only_the_same_replications_can_be_compared() -> None:
    with pytest.raises(JudgeError, match="strategies a and b must have the same functions and replications"):
        compare("tiny", {"a": made.measures(replications=10), "b": made.measures(replications=11)})
    with pytest.raises(JudgeError, match="at least 1 strategy"):
        compare("tiny", {})


def rows_of(found, function: str) -> dict[str, BesideRow]:
    return {row.measure.strip(): row for row in found.rows if row.function == function}


def test_the_prediction_rests_on_replications_with_the_drills_defects() -> None:
    found = beside_of_measures(made.measures(), drill_rows(), scenario="tiny", strategy="canary")
    assert (found.replications, found.of_replications, found.defects) == (8, 40, ("crash",))
    buy = rows_of(found, "buy")
    rto = buy["RTO"]
    assert (rto.predicted, rto.low, rto.high, rto.n, rto.measured, rto.inside) == (4.0, 4.0, 4.0, 8, 4.0, True)
    assert (buy["detect"].measured, buy["decide"].measured) == (2.0, 1.0)
    assert (buy["cohorts hit"].predicted_text, buy["cohorts hit"].inside) == ("coupon (100 %), default (100 %)", True)
    assert "RPO" not in rows_of(found, "browse")
    assert "revenue lost" not in rows_of(found, "browse")
    everyone = rows_of(found, "")
    assert (everyone["functions breached"].measured_text, everyone["functions breached"].inside) == ("buy", True)
    release = everyone["guardrail trips after"]
    assert (release.predicted, release.measured, release.inside) == (7.0, 7.0, True)
    json.dumps(found.to_json(), allow_nan=False)


def test_rows_put_right_and_writes_missing_stand_beside_each_other() -> None:
    predicted = [replace(row, reconcile_s=1.0, reconciled_rows=30, lost_writes=2) for row in made.measures()]
    measured = [replace(row, reconcile_s=9.0, reconciled_rows=30) for row in drill_rows()]
    found = beside_of_measures(predicted, measured, scenario="tiny", strategy="canary")
    everyone, buy = rows_of(found, ""), rows_of(found, "buy")
    assert (everyone["reconciling takes"].measured, everyone["reconciling takes"].inside) == (9.0, False)
    rows = everyone["rows reconciled"]
    assert (rows.unit, rows.predicted, rows.measured, rows.inside) == ("rows", 30, 30, True)
    missing = buy["writes missing"]
    assert (missing.predicted, missing.measured, missing.inside) == (2, 0, False)
    assert "writes missing" not in rows_of(
        beside_of_measures(made.measures(), drill_rows(), scenario="tiny", strategy="canary"), "buy"
    )


def test_outside_is_said() -> None:
    found = beside_of_measures(made.measures(), drill_rows((10.0, 30.0)), scenario="tiny", strategy="canary")
    buy = rows_of(found, "buy")
    assert (buy["RTO"].measured, buy["RTO"].inside, buy["failed share"].inside) == (20.0, False, False)


def test_measured_to_the_resolution_is_inside() -> None:
    found = beside_of_measures(
        made.measures(), drill_rows((10.0, 14.25)), scenario="tiny", strategy="canary", resolution_s=0.25
    )
    assert rows_of(found, "buy")["RTO"].inside is True


def test_a_censored_drill_is_inside_when_the_prediction_goes_that_far() -> None:
    rows = [replace(row, rto_censored=row.function == "buy") for row in drill_rows()]
    found = beside_of_measures(made.measures(), rows, scenario="tiny", strategy="canary")
    rto = rows_of(found, "buy")["RTO"]
    assert (rto.measured, rto.measured_censored, rto.inside) == (4.0, True, True)
    early = [replace(row, rto_s=9.0) for row in rows]
    found = beside_of_measures(made.measures(), early, scenario="tiny", strategy="canary")
    assert rows_of(found, "buy")["RTO"].inside is False


def test_nothing_to_predict_from() -> None:
    with pytest.raises(JudgeError, match=r"no replication of the simulation has the drill's defects \(crash\)"):
        beside_of_measures(made.measures(bad_every=1000)[2:], drill_rows(), scenario="tiny", strategy="canary")
    with pytest.raises(JudgeError, match="must be assessed first"):
        beside_of_measures(made.measures(), [], scenario="tiny", strategy="canary")


def test_records_must_belong_together(tmp_path: Path) -> None:
    simulation = RunRecord.create(tmp_path / "a", made.header(replications=40))
    drill = RunRecord.create(tmp_path / "b", made.header(World.STAGING))
    simulation.write_measures(made.measures())
    drill.write_measures(drill_rows())
    with pytest.raises(JudgeError, match="the drill's release never started, so nothing was measured"):
        predicted_beside_measured(simulation, drill)
    drill.write_events(made.rolled_back())
    assert predicted_beside_measured(simulation, drill).same_scenario is True
    with pytest.raises(JudgeError, match="must be a simulation and a staging run, are staging and simulation"):
        predicted_beside_measured(drill, simulation)
    drill.header = drill.header.model_copy(update={"strategy": "rolling"})
    with pytest.raises(JudgeError, match="strategy of the simulation is 'canary', of the drill 'rolling'"):
        predicted_beside_measured(simulation, drill)


def test_reach_follows_the_calls_of_the_functions() -> None:
    scenario = made.scenario()
    buy, browse = scenario.functions["buy"], scenario.functions["browse"]
    # Only the last service of a path makes all its calls: buying does not call the ads.
    assert services_used(scenario, buy) == ({"edge", "shop"}, {"orders"})
    assert services_used(scenario, browse) == ({"edge", "ads"}, {"audit"})
    assert (stores_written(scenario, buy), stores_written(scenario, browse)) == (("orders",), ())
    shop = reach_of(scenario, "shop")
    assert (shop.functions, shop.services, shop.stores) == (("buy",), ("edge", "shop"), ("orders",))
    assert (shop.requests_per_s, shop.request_share) == (40.0, pytest.approx(2 / 3))
    assert reach_of(scenario, "edge").functions == ("buy", "browse")
    assert set(dependency_graph(scenario).successors(("service", "ads"))) == {("store", "audit")}
