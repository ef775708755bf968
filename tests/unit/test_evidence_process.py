"""What calendars and people did, from events to measures to a table."""

from dataclasses import replace
from typing import Any

from evidence.events import Event
from evidence.measures import FunctionMeasure
from evidence.process import process
from evidence.release_summary import change_failed, summarise
from evidence.report.process import process_table
from evidence.timeline import Timeline
from tests.unit.evidence_made import measures


def timeline(*events: tuple[float, str, str, dict[str, Any]]) -> Timeline:
    return Timeline.of(Event(time_s, kind, subject, detail) for time_s, kind, subject, detail in events)


def calm(replication: int = 0, **changes: Any) -> FunctionMeasure:
    """A run of `buy` that nothing happened to, but for the changes."""
    return replace(measures(bad_every=100)[2], replication=replication, **changes)


def test_sign_offs_add_up_and_pages_count_from_the_first() -> None:
    told = timeline(
        (10.0, "approval-request", "cab", {}),
        (70.0, "approval", "cab", {}),
        (100.0, "approval-request", "qa", {}),
        (105.0, "approval", "qa", {}),
        (200.0, "page", "errors", {}),
        (500.0, "page", "errors", {"person": "second"}),
        (560.0, "acknowledge", "errors", {}),
    )
    assert (told.approval_s(), told.acknowledged_s()) == (65.0, 360.0)
    assert (timeline().approval_s(), timeline().acknowledged_s()) == (None, None)


def test_services_that_are_held_together_are_held_once() -> None:
    closed = {"when_closed": "wait", "held_s": 100.0}
    postponed = (10.0, "calendar-closed", "web", {"when_closed": "postpone", "held_s": 5000.0})
    waits = [(50.0, "calendar-closed", "web", closed), (80.0, "calendar-closed", "auth", closed)]
    assert timeline(*waits).held_s() == 130.0
    assert timeline(*waits, (90.0, "decision", "web", {})).held_s() == 40.0
    assert timeline(postponed, *waits, (90.0, "decision", "web", {})).held_s() == 5040.0
    assert timeline((50.0, "calendar-closed", "web", {"when_closed": "skip", "held_s": None})).held_s() is None


def test_one_who_signs_several_times_is_counted_from_each_request() -> None:
    told = timeline(
        (10.0, "approval-request", "cab", {}),
        (15.0, "approval", "cab", {}),
        (20.0, "approval-request", "cab", {}),
        (21.0, "approval-request", "cab", {}),
        (22.0, "approval", "cab", {"asked_s": 21.0}),
        (24.0, "approval", "cab", {"asked_s": 20.0}),
        (90.0, "approval-request", "cab", {}),  # the release was taken back meanwhile
    )
    assert told.approval_s() == 5.0 + 1.0 + 4.0


def test_a_suppressed_alert_that_is_never_heard_counts_to_the_end() -> None:
    hidden = (30.0, "alert-suppressed", "errors", {})
    assert timeline(hidden).suppressed_s(100.0) == 70.0
    assert timeline(hidden, (45.0, "guardrail-trip", "tickets of buy", {})).suppressed_s(100.0) == 15.0
    assert timeline((45.0, "guardrail-trip", "errors", {})).suppressed_s(100.0) is None


def test_reconcilings_add_up_and_one_that_failed_counts_for_nothing() -> None:
    told = timeline(
        (10.0, "reconcile", "rows", {"phase": "start", "rows": 3}),
        (12.0, "reconcile", "rows", {"phase": "end", "rows": 3}),
        (20.0, "reconcile", "rows", {"phase": "start", "rows": 9}),
        (30.0, "reconcile", "rows", {"phase": "start", "rows": 9}),
        (31.5, "reconcile", "rows", {"phase": "end", "rows": 8}),
    )
    assert (told.reconcile_s(), told.reconciled_rows()) == (3.5, 11)
    assert (timeline().reconcile_s(), timeline().reconciled_rows()) == (None, None)
    found = {row.what: row for row in process([calm(reconcile_s=3.5, reconciled_rows=11), calm(1)])}
    assert list(found) == ["reconciling took", "rows reconciled"]
    assert found["rows reconciled"].p50 is not None
    assert (found["rows reconciled"].share.value, found["rows reconciled"].p50.value) == (0.5, 11.0)


def test_analyses_that_saw_too_little_are_counted() -> None:
    told = timeline(
        (10.0, "analysis", "analysis 30 s", {"result": "inconclusive"}),
        (20.0, "analysis", "analysis 30 s", {"result": "passed"}),
        (30.0, "analysis", "analysis 30 s", {"result": "inconclusive"}),
    )
    assert (told.inconclusive(), timeline().inconclusive()) == (2, 0)
    (row,) = process([calm(inconclusive=2), calm(1)])
    assert (row.what, row.share.value, row.p50 and row.p50.value) == ("analyses inconclusive", 0.5, 2.0)


def test_a_row_for_each_thing_that_happened() -> None:
    rows = [
        calm(0, outcome="skipped"),
        calm(1, held_s=60.0, tickets=3),
        calm(2, held_s=120.0, impact_start_s=5.0, notified_s=7.0),
        calm(3, impact_start_s=5.0),
    ]
    found = {row.what: row for row in process(rows)}
    assert list(found) == [
        "release skipped: calendar closed",
        "calendar held the release for",
        "first notice after impact on buy",
        "tickets about buy",
    ]
    held, noticed = found["calendar held the release for"], found["first notice after impact on buy"]
    assert (held.share.value, held.share.n) == (0.5, 4)
    assert (noticed.share.value, noticed.share.n, noticed.of) == (0.5, 2, "impacts")
    assert "3" in process_table(process(rows)).text()
    assert found["tickets about buy"].to_json()["p95"]["value"] == 3.0


def test_nothing_happened() -> None:
    assert process([calm()]) == []
    assert process([]) == []


def test_a_release_that_did_not_start_is_neither_failed_nor_caught() -> None:
    bad = {"defects": ("crash",), "episodes": 1, "trips": (), "trip_times_s": ()}
    waiting = [calm(number, outcome="waiting", release_duration_s=None, **bad) for number in range(3)]
    assert not change_failed(waiting[:1])
    summary = summarise([*waiting, calm(3)])
    assert (summary.change_failed.value, summary.running) == (0.0, 0)
    (row,) = process(waiting)
    assert (row.what, row.share.value) == ("release still waiting at the end", 1.0)
