"""Reports: one self-contained page, escaped; the same tables as text and Markdown; valid JUnit and JSON."""

from __future__ import annotations

import json
import math
import re
from copy import copy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evidence.assess import assess
from evidence.beside import predicted_beside_measured
from evidence.comparison import compare
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.header import World
from evidence.record import RunRecord
from evidence.report import html, markdown, text
from evidence.report.content import RunContent, comparison_of, gather
from evidence.report.drawing import figure, png_bytes, spread
from evidence.report.graph_figure import graph_figure
from evidence.report.json_report import run_json, side_by_side_json
from evidence.report.junit import junit_xml
from evidence.report.lanes_figure import lanes_of
from evidence.report.rto_figure import rto_figure
from evidence.report.summary import Tile, comparison_tiles, run_tiles, side_by_side_tiles
from evidence.report.table import Table, mean_with_range, money, percent, seconds, with_range
from evidence.report.timeline_figure import label_impacts, timeline_figure
from evidence.tables import Samples
from evidence.timeline import Timeline
from evidence.verdicts import Status, Verdict
from tests.unit import evidence_made as made
from tests.unit.test_evidence_judging import written


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunContent, RunContent]:
    folder = tmp_path_factory.mktemp("runs")
    records = [written(folder, world) for world in (World.SIMULATION, World.STAGING)]
    for record in records:
        assess(record.folder)
    return gather(records[0].folder), gather(records[1].folder)


class Page(HTMLParser):
    """Collects what a page would fetch or run, and whether its tags balance."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action") and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")
        if tag not in ("meta", "br", "hr", "img", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Page:
    parser = Page()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_pages_fetch_nothing_run_nothing_and_escape_what_authors_wrote(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs
    compared = {"canary": simulation.measures, "recreate": made.measures(strategy="recreate")}
    pages = {
        "simulation": html.run_html(simulation),
        "drill": html.run_html(drill),
        "compared": html.comparison_html([simulation]),
        "both": html.side_by_side_html(simulation, drill, compare("tiny", compared), compared),
    }
    for page in pages.values():
        found = parsed(page)
        assert (found.fetched, found.scripts) == ([], 0)
        assert "url(http" not in page
        assert "<b>not bold" not in page
        assert "&lt;b&gt;not bold&lt;/b&gt;" in page
        assert "<svg" in page
    assert pages["both"].index("Predicted beside measured") < pages["both"].index("Strategies compared")
    assert "Timeline of the drill" in pages["drill"]


def answers(tiles: list[Tile]) -> dict[str, tuple[str, str]]:
    return {tile.question: (tile.answer, tile.mark) for tile in tiles}


def test_the_first_screen_answers(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs
    beside = predicted_beside_measured(simulation.record, drill.record)
    found = answers(side_by_side_tiles(simulation, drill, beside))
    assert found["Drill on staging"] == ("pass", "pass")
    assert found["Did the rollback work?"] == ("Yes", "pass")
    assert found["RTO of buy"] == ("4 s", "pass")
    assert found["RPO of buy"] == ("0 s", "pass")
    inside = sum(row.inside is True for row in beside.rows)
    known = sum(row.inside is not None for row in beside.rows)
    assert found["Prediction"][0] == f"{inside} of {known}"
    predicted = answers(run_tiles(simulation))
    assert predicted["Simulation"] == ("inconclusive", "inconclusive")
    assert predicted["Bad releases rolled back"] == ("8 of 8", "")
    assert answers(comparison_tiles(simulation.comparison(), {"canary": simulation.verdict})) == {
        "Verdicts": ("0 of 1 pass", "inconclusive"),
        "Best for buy": ("no difference", ""),
        "Best for browse": ("no difference", ""),
    }


def test_only_pairs_of_the_same_draws_are_compared(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs

    def other(**changes: object) -> RunContent:
        record = copy(simulation.record)
        record.header = simulation.header.model_copy(update={"strategy": "recreate", **changes})
        return replace(simulation, record=record)

    assert {row.strategy for row in comparison_of([simulation, other()]).rows} == {"canary", "recreate"}
    parsed(html.comparison_html([simulation, other()]))
    for wrong, rule in (
        (drill, "must be a simulation"),
        (other(seed=2), "one and the same of seeds"),
        (other(defects=("crash",)), "one and the same of given defects"),
        (simulation, "strategies of 2 runs must differ"),
    ):
        with pytest.raises(JudgeError, match=rule):
            comparison_of([simulation, wrong])


def test_a_rollback_that_left_something_did_not_work(runs: tuple[RunContent, RunContent]) -> None:
    _, drill = runs
    left = Event(20.0, "verify", "steady state", {"differences": ["buy: 3 of 9 requests succeeded"]})
    for changed, answer in (
        (replace(drill, events=[*drill.events, left]), ("No", "fail")),
        (replace(drill, measures=[replace(row, lost_writes=2) for row in drill.measures]), ("No", "fail")),
        (replace(drill, events=[e for e in drill.events if e.kind != "verify"]), ("Not verified", "inconclusive")),
        (replace(drill, events=made.promoted()), ("There was none", "")),
        (
            replace(drill, events=[e for e in drill.events if e.kind != "rollback-end"]),
            ("Not by the end", "inconclusive"),
        ),
    ):
        assert answers(run_tiles(changed))["Did the rollback work?"] == answer


def test_an_unfinished_run_has_a_page_too(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path / "run", made.header(World.STAGING))
    with pytest.raises(JudgeError, match="has no verdict yet"):
        gather(record.folder)
    assess(record.folder)
    run = gather(record.folder)
    page = html.run_html(run)
    parsed(page)
    assert "unfinished: phase is started" in page
    assert "unfinished" in text.run_text(run)
    assert "unfinished" in markdown.run_markdown(run)
    json.dumps(run_json(run), allow_nan=False)


def test_a_run_that_was_interrupted_tells_how_far_it_came(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path / "run", made.header(replications=200))
    record.write_measures(made.measures(replications=40))
    assess(record.folder)
    run = gather(record.folder)
    assert "simulated 40 times" in html.run_html(run)
    assert "interrupted: measures.parquet has 40 of 200 replications" in html.run_html(run)
    assert run_json(run)["replications"] == 40
    assert run.verdict.status is Status.ERROR


def test_customers_who_paid_for_nothing_are_told_though_no_objective_judges_them(
    runs: tuple[RunContent, RunContent],
) -> None:
    _, drill = runs
    for paid, promised, says in ((118, 3, "118 payments have no order"), (0, 0, "")):
        look = Event(20.0, "verify", "orders against payments", {"paid_without_order": paid, "paid_and_lost": promised})
        told = replace(drill, events=[*drill.events, look])
        assert ("payments have no order" in text.run_text(told)) == (says in html.run_html(told) and bool(says))
        found = run_json(told)
        assert (found["paid_without_order"], found["paid_and_lost"]) == (paid, promised)
    assert "paid_without_order" not in run_json(drill)


def test_text_says_what_was_measured(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs
    lines = text.run_text(drill).splitlines()
    assert lines[0] == "tiny, canary, staging: pass"
    buy = next(line for line in lines if line.startswith("buy"))
    assert re.split(r"  +", buy)[:7] == ["buy", "4 s", "5 s", "2 s", "1 s", "1 s", "0 s"]
    beside = text.beside_text(predicted_beside_measured(simulation.record, drill.record))
    row = next(line for line in beside.splitlines() if line.startswith("buy"))
    assert re.split(r"  +", row.strip()) == ["buy", "RTO", "4 s", "4 s", "inside"]


def test_markdown_has_a_table_a_part(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs
    beside = predicted_beside_measured(simulation.record, drill.record)
    found = markdown.side_by_side_markdown(simulation, drill, beside, simulation.comparison())
    assert found.startswith("# tiny\n\n## Predicted beside measured\n")
    assert "| pass | buy | rto 4 s \\<= 5 s |" in found


def test_junit_counts(runs: tuple[RunContent, RunContent]) -> None:
    root = ElementTree.fromstring(junit_xml(runs))
    simulated, drilled = root.findall("testsuite")
    assert (drilled.get("failures"), drilled.get("errors")) == ("0", "0")
    inconclusive = [check for check in runs[0].verdict.checks if check.status.value == "inconclusive"]
    assert simulated.get("failures") == str(len(inconclusive))
    assert len(simulated.findall("testcase/failure")) == len(inconclusive)


def test_junit_has_a_failure_where_nothing_was_judged(runs: tuple[RunContent, RunContent]) -> None:
    simulation, _ = runs
    silent = replace(simulation, verdict=Verdict(simulation.header.run_id, ()))
    [suite] = ElementTree.fromstring(junit_xml([silent])).findall("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    [failure] = suite.findall("testcase/failure")
    assert failure.attrib == {
        "type": "inconclusive",
        "message": "the scenario expects nothing (expect), so there is nothing to judge",
    }


def test_json_has_no_infinities(runs: tuple[RunContent, RunContent]) -> None:
    simulation, drill = runs
    found = side_by_side_json(simulation, drill, predicted_beside_measured(simulation.record, drill.record))
    back = json.loads(json.dumps(found, allow_nan=False))
    assert back["drill"]["measures"][0]["rto_s"] == 4.0
    assert back["simulation"]["verdict"]["status"] == "inconclusive"


def test_figures_draw_what_is_odd_too() -> None:
    scenario, plan = made.scenario(), made.plan()
    for drawn in (
        timeline_figure(plan, made.rolled_back(), made.cells((40.0, 60.0))),
        timeline_figure(plan, [], made.cells(count=1)),
        rto_figure({"canary": made.measures(replications=1)}),
        rto_figure({"a": list(made.measures(bad_every=1))}, made.measures(replications=1)),
        graph_figure(scenario, {}, {}),
        graph_figure(scenario, {"shop": "all runs", "ads": "2 % of runs"}, {"browse": "drill"}),
    ):
        assert png_bytes(drawn, dpi=40).startswith(b"\x89PNG")


def test_long_texts_of_a_page_may_break_and_figures_may_not(runs: tuple[RunContent, RunContent]) -> None:
    page = html.run_html(runs[1])
    cells = re.findall(r'<td class="([^"]*)">([^<]*)</td>', page)
    breaking = [cell for kind, cell in cells if {"text", "long", "names"} & set(kind.split())]
    assert any(len(cell) > 24 for cell in breaking)
    for kind, cell in cells:
        if kind.split()[:1] == ["r"]:
            assert "text" not in kind.split(), cell
        elif len(cell) > 24 and " " in cell:
            assert cell in breaking


def test_each_fault_is_named_in_a_lane_of_its_own() -> None:
    faults = ["silence on edge -> catalogue", "pause on checkout", "cpu on payments", "lock on orders"]
    events = [*made.promoted()]
    for place, name in enumerate(faults):
        events += [Event(12.0 + place, "fault-start", name), Event(30.0 + place, "fault-end", name)]
    events += [Event(50.0, "fault-start", faults[0]), Event(51.0, "fault-end", faults[0])]
    lanes = lanes_of(Timeline.of(events), 60.0)
    assert [lane.name for lane in lanes] == ["release", "rollback", "faults", "", "", ""]
    assert [len(lane.spans) for lane in lanes[2:]] == [2, 1, 1, 1]
    drawn = timeline_figure(made.plan(), events, made.cells((40.0, 60.0)))
    shown = [text.get_text() for text in drawn.axes[0].texts]
    assert sorted(text for text in shown if text in faults) == sorted(faults)


def test_of_impacts_side_by_side_the_longer_one_is_named() -> None:
    axes = figure(10.0, 2.0).add_subplot()
    axes.set_xlim(0.0, 2700.0)
    spans = [(400.0, 401.0, "1 s"), (440.0, 1949.0, "25 min"), (2400.0, 2402.0, "2 s")]
    label_impacts(axes, spans, 2700.0)
    assert [text.get_text() for text in axes.texts] == ["impact 25 min", "impact 2 s"]


def test_labels_are_moved_apart_in_their_order() -> None:
    assert spread([1.0, 1.0, 0.0], 0.2, 0.0, 1.0) == [pytest.approx(0.8), pytest.approx(1.0), pytest.approx(0.0)]


def test_cells_of_tables() -> None:
    assert [seconds(None), seconds(0.0), seconds(12.5), seconds(3.0, censored=True)] == ["-", "0 s", "12.5 s", "> 3 s"]
    assert seconds(float("inf")) == "not recovered"
    assert [seconds(110.25), seconds(125.6), seconds(180.0), seconds(7500.0)] == [
        "110.2 s",
        "2 min 6 s",
        "3 min",
        "2 h 5 min",
    ]
    assert with_range(2.5, 1.25, 3.0, "s") == "2.5 s [1.25, 3]"
    assert with_range(1505.0, 1499.0, float("inf"), "s") == "25 min 5 s [24 min 59 s, not recovered]"
    assert mean_with_range(1505.0, -math.inf, math.inf, "s") == "25 min 5 s [-, -]"
    assert mean_with_range(2.5, -1.0, 3.0, "s") == "2.5 s [0, 3]"
    assert with_range(715.0, 440.0, 1045.0, "EUR") == "715 EUR [440, 1,045]"
    assert [with_range(0.0, 0.0, 0.0, "%"), with_range(None, None, None, "s")] == ["0 %", "-"]
    assert [percent(None), percent(0.0), percent(1.0), percent(0.0125)] == ["-", "0 %", "100 %", "1.2 %"]
    assert [percent(0.9996), money(1234.4, "EUR"), money(None, None)] == ["99.96 %", "1,234 EUR", "-"]


def test_tables_group_and_escape() -> None:
    table = Table("T", ("a", "b"), (("x", "1"), ("x", "2|3")), "lr", grouped=True)
    assert table.text() == "T\n\na    b\n-  ---\nx    1\n   2|3"
    assert table.markdown().splitlines()[-1] == "|  | 2\\|3 |"
    assert [cells for _, cells in table.html_rows()] == [("x", "1"), ("", "2|3")]


def test_a_record_without_samples_has_no_timeline(tmp_path: Path) -> None:
    plan = made.plan()
    record = RunRecord.create(tmp_path / "run", made.header(World.STAGING))
    record.write_events(made.rolled_back())
    record.write_samples(Samples.empty(len(plan.edges) + 1))
    record.write_ledger(made.writes().ledger(plan.stores, plan.function_names))
    record.recorded(load=record.header.load)
    assert assess(record.folder).status.value == "error"
    parsed(html.run_html(gather(record.folder)))
