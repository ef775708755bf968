"""What the API offers notebooks: variations of a text, tables and figures as Jupyter asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import JudgeError
from scenarios.errors import ScenarioError
from windtunnel import api
from windtunnel.errors import UsageError
from windtunnel.simulating import ComparisonOutcome


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> ComparisonOutcome:
    """The shop's release by two strategies, its new version slow for certain."""
    scenario, source = api.load("shop-release")
    return api.compare(
        scenario,
        source,
        strategies=["canary", "recreate"],
        defects=["slow-query"],
        replications=2,
        out=tmp_path_factory.mktemp("runs"),
    )


def test_given_defects_are_in_every_replication(compared: ComparisonOutcome) -> None:
    found = {row.defects for each in compared.simulations for row in each.result.measures}
    assert found == {("slow-query",)}
    assert {each.record.header.defects for each in compared.simulations} == {("slow-query",)}


def test_table_is_markdown_for_jupyter_and_text_for_a_shell(compared: ComparisonOutcome) -> None:
    table = api.strategies_table(compared)
    assert table._repr_markdown_().startswith("| function | strategy |")
    assert repr(table).splitlines()[0].split()[:2] == ["function", "strategy"]


def test_figures_are_png_for_jupyter(compared: ComparisonOutcome) -> None:
    record = compared.simulations[0].record
    shown = api.rto_distribution(compared, "checkout"), api.timeline(record, record.header.timelines[0])
    for each in shown:
        assert each._repr_png_()[0].startswith(b"\x89PNG")
    assert repr(shown[1]) == f"<figure: replication {record.header.timelines[0]} of shop-release, canary>"


def test_figures_of_what_is_not_there_are_refused(compared: ComparisonOutcome) -> None:
    with pytest.raises(JudgeError, match=r"function\(=pay\) must be one of scenario shop-release's: checkout, browse"):
        api.rto_distribution(compared, "pay")
    with pytest.raises(JudgeError, match=r"replication\(=7\) must be one whose timeline is kept: "):
        api.timeline(compared.simulations[0].record, 7)


def test_variation_changes_one_thing_and_the_record_keeps_its_text(tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    varied, text = api.vary(source, "{weight: 20%}", "{weight: 5%}")
    assert varied.release.strategy.canary is not None
    assert varied.release.strategy.canary.steps[0].weight == 0.05
    assert scenario.functions == varied.functions
    outcome = api.simulate(varied, text, replications=1, out=tmp_path)
    assert "{weight: 5%}" in outcome.record.header.scenario.text


@pytest.mark.parametrize(("old", "count"), [("{weight: 21%}", 0), ("latency", 2), ("", 0)])
def test_variation_must_be_unambiguous(old: str, count: int) -> None:
    _, source = api.load("shop-release")
    with pytest.raises(UsageError, match=f"shop-release exactly once, stands {count} times"):
        api.vary(source, old, "x")


def test_variation_that_is_no_scenario_is_told_as_any_other() -> None:
    _, source = api.load("shop-release")
    with pytest.raises(ScenarioError, match="weight"):
        api.vary(source, "{weight: 20%}", "{weight: 90%}")
