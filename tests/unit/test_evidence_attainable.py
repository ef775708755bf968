"""The RTO and RPO that hold: quantiles with what can be promised, tiers by their worst function, and costs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence.attainable import Attainable, attainable
from evidence.measures import FunctionMeasure
from evidence.release_summary import summarise
from evidence.report.attainable import attainable_tables, attainable_tiles
from evidence.report.attainable_figure import attainable_figure
from tests.unit import evidence_made as made

Run = Callable[..., Any]


def graded(replications: int, *, tier: int = 2):
    """buy takes r seconds in replication r, browse twice that; browse is of the tier given."""
    rows = made.measures(replications=replications)
    return [
        replace(row, rto_s=float(row.replication) * (1 if row.function == "buy" else 2),
                tier=1 if row.function == "buy" else tier)
        for row in rows
    ]  # fmt: skip


def attained(measures: dict[str, list[FunctionMeasure]]) -> Attainable:
    return attainable("tiny", measures, {label: summarise(rows) for label, rows in measures.items()})


def test_a_quantile_is_an_estimate_and_its_upper_end_can_be_promised() -> None:
    found = attained({"canary": graded(400)})
    buy, browse = found.rows
    assert [(row.tier, row.function) for row in found.rows] == [(1, "buy"), (2, "browse")]
    assert (buy.rto_s[0.95].value, buy.rto_s[0.99].value) == (379.0, 395.0)
    assert 380.0 < buy.rto_s[0.95].high < 395.0
    assert buy.rto_s[0.99].high == 399.0
    assert browse.rpo_s is None
    assert attained({"canary": graded(367)}).rows[0].rto_s[0.99].high == math.inf


def test_a_tier_holds_when_all_of_its_functions_do() -> None:
    whole, buy, browse = attained({"canary": graded(100, tier=1)}).rows
    assert (whole.function, whole.rto_s[0.95].value) == ("", browse.rto_s[0.95].value)
    assert whole.rto_s[0.95].value == 2 * buy.rto_s[0.95].value
    assert whole.rto_objective_s is None


def test_what_was_not_recovered_holds_nowhere() -> None:
    rows = [replace(row, rto_censored=row.replication >= 90) for row in graded(100)]
    buy = attained({"canary": rows}).rows[0]
    assert (buy.rto_s[0.95].value, buy.rto_s[0.99].value) == (math.inf, math.inf)
    json.dumps(attained({"canary": rows}).to_json(), allow_nan=False)


def test_tables_show_estimate_promise_and_cost() -> None:
    holding, costs = attainable_tables(attained({"canary": graded(100), "again": graded(100)}))
    assert holding.rows[0][:4] == ("1", "buy", "canary", "94 s [99 s]")
    assert holding.rows[0][4] == "98 s [-]"
    assert holding.marks[0] == "fail"  # 5 s are promised nowhere
    assert costs.rows[0][1] == "21.0 s [21.0, 21.0]"
    assert costs.rows[0][0] == "canary"


def test_command_prints_every_strategy(windtunnel: Run, tmp_path: Path) -> None:
    arguments = ("attainable", "shop-release", "-n", "2", "--strategies", "canary,recreate", "--out", str(tmp_path))
    result = windtunnel(*arguments, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert list(document["costs"]) == ["canary", "recreate"] == list(document["records"])
    assert set(document["rows"][0]["rto_s"]) == {"0.95", "0.99"}
    assert document["costs"]["recreate"]["extra_replica_s"]["value"] == pytest.approx(0.0, abs=1.0)


def test_the_first_screen_tells_who_keeps_the_objectives_and_the_least_that_can_be_promised() -> None:
    slow = [replace(row, rto_s=row.rto_s / 100.0) for row in graded(400, tier=1)]
    kept, rto, *rpo = attainable_tiles(attained({"canary": graded(400, tier=1), "again": slow}))
    assert (kept.answer, kept.details) == ("1 of 2", ("again", "canary: not"))
    least_s = attained({"again": slow}).rows[0].rto_s[0.95].high
    assert (rto.question, rto.answer) == ("RTO of tier 1 at 95 %", f"{least_s:.2f} s")
    assert [tile.question for tile in rpo] == ["RPO of tier 1 at 95 %"]
    nobody = attainable_tiles(attained({"canary": graded(20)}))
    assert (nobody[0].mark, nobody[1].answer, nobody[1].details) == ("fail", "no promise", ("canary: not bounded",))


def test_the_figure_has_a_panel_for_each_that_was_hurt_and_says_where_there_is_no_end() -> None:
    rows = [replace(row, rto_censored=row.replication >= 90 and row.function == "buy") for row in graded(100, tier=1)]
    drawn = attainable_figure(attained({"canary": rows}))
    words = {axes.get_title(loc="left"): [text.get_text() for text in axes.texts] for axes in drawn.axes}
    assert words["tier 1: buy, RTO"] == ["objective 5 s", "not recovered", "not recovered"]
    assert words["tier 1: browse, RTO"][1:] == [""], "the arrow of a 99 % that so few replications do not bound"
    spared = [replace(row, rto_s=row.rto_s * (row.function == "buy"), rpo_high_s=3.0) for row in graded(400)]
    titles = [axes.get_title(loc="left") for axes in attainable_figure(attained({"canary": spared})).axes]
    assert titles == ["tier 1: buy, RTO", "tier 1: buy, RPO"], "browse is not hurt, and writes nothing"


def test_a_page_is_written_where_the_user_says(windtunnel: Run, tmp_path: Path) -> None:
    page, runs = tmp_path / "page.html", ("--out", str(tmp_path / "runs"))
    result = windtunnel("attainable", "shop-release", "-n", "2", *runs, "--report", str(page))
    assert result.code == 0, result.err
    text = page.read_text(encoding="utf-8")
    assert "RTO of checkout at 95 %" in text
    assert text.count("<svg") == 2
    nowhere = windtunnel("attainable", "shop-release", "-n", "2", *runs, "--report", str(tmp_path / "no" / "page.html"))
    assert (nowhere.code, "its folder must be there" in nowhere.err) == (2, True)
