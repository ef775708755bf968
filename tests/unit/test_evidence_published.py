"""What was published of an incident, beside the prediction, in every format of a report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.assess import assess
from evidence.header import Phase, World
from evidence.published import published_beside_predicted
from evidence.record import RunRecord
from evidence.report import html, json_report, markdown, text
from evidence.report.content import RunContent, gather
from scenarios.models import Published
from tests.unit import evidence_made as made
from tests.unit.test_evidence_judging import written

OUTCOME = Published.model_validate({"rto": "4s", "failed_share": "50%", "source": "https://example.org/post-mortem"})


def test_published_figures_stand_beside_the_prediction() -> None:
    bad = made.measures(bad_every=1)
    rto, share = published_beside_predicted({"buy": OUTCOME}, bad, 0.25)
    assert (rto.measure, rto.published, rto.inside) == ("RTO", 4.0, True)
    assert (rto.predicted, rto.low, rto.high) == (4.0, 4.0, 4.0)
    assert (share.published, share.predicted, share.inside, share.n) == (0.5, 1.0, False, 40)


def test_replications_that_did_not_recover_count_as_never() -> None:
    rows = [replace(row, rto_censored=True) for row in made.measures(bad_every=1)]
    rto = published_beside_predicted({"buy": OUTCOME}, rows, 0.25)[0]
    assert rto.inside is False
    assert rto.to_json()["predicted"] is None


@pytest.mark.parametrize(
    ("rto", "predicted_s", "inside"),
    [
        ("2m", 149.0, True),  # to the minute: half of one is rounding
        ("2m", 151.0, False),
        ("125s", 126.5, False),  # to the second: the record's resolution of 1 s alone
        ("125s", 126.0, True),
        ("0s", 20.0, False),  # nothing is nothing
    ],
)
def test_a_figure_may_be_off_by_its_rounding_and_no_more(rto: str, predicted_s: float, inside: bool) -> None:
    told = Published.model_validate({"rto": rto, "source": "a post-mortem"})
    rows = [replace(row, rto_s=predicted_s) for row in made.measures(bad_every=1)]
    assert published_beside_predicted({"buy": told}, rows, 1.0)[0].inside is inside


@pytest.mark.parametrize(
    ("share", "failed", "inside"), [("28%", 0.284, True), ("28%", 0.286, False), ("0%", 0.004, False)]
)
def test_a_share_likewise(share: str, failed: float, inside: bool) -> None:
    told = Published.model_validate({"failed_share": share, "source": "a post-mortem"})
    rows = [replace(row, impact_failed_share=failed) for row in made.measures(bad_every=1)]
    assert published_beside_predicted({"buy": told}, rows, 1.0)[0].inside is inside


def test_nothing_predicted_is_neither_inside_nor_outside() -> None:
    (rto, share) = published_beside_predicted({"buy": OUTCOME}, [], 0.25)
    assert (rto.predicted, rto.inside, share.inside) == (None, None, None)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> RunContent:
    record = written(tmp_path_factory.mktemp("runs"), World.SIMULATION)
    assess(record.folder)
    run = gather(record.folder)
    return replace(run, scenario=run.scenario.model_copy(update={"published": {"buy": OUTCOME}}))


def test_every_format_shows_them(replay: RunContent) -> None:
    for shown in (text.run_text(replay), markdown.run_markdown(replay), html.run_html(replay)):
        assert "Published beside predicted" in shown
        assert "example.org/post-mortem" in shown
    document = json.loads(json.dumps(json_report.run_json(replay), allow_nan=False))
    assert [row["measure"] for row in document["published"]] == ["RTO", "failed share during impact"]
    assert "What was published" in html.run_html(replay)


def test_a_drill_has_none(tmp_path: Path) -> None:
    record = written(tmp_path, World.STAGING)
    assess(record.folder)
    assert RunRecord.open(record.folder).header.phase is Phase.JUDGED
    assert gather(record.folder).published() == []
