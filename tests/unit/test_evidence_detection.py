"""False alarms, misses and delays of guardrails, counted by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence import schema
from evidence.assess import assess
from evidence.detection import detection
from evidence.events import Event
from evidence.header import World
from evidence.measures import FunctionMeasure
from evidence.record import RunRecord
from evidence.report.judges import judges_table
from evidence.timeline import Timeline
from scenarios.loading import load_text
from scenarios.models import Scenario
from tests.unit import evidence_made as made

GUARDRAILS = """  guardrails:
    - {metric: error-ratio, of: shop, above: 5%, action: note}
    - {name: slow, metric: p95, of: shop, above: 300ms, action: note}
"""
ERRORS = "error-ratio of shop (new)"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_text(re.sub(r"  guardrails: .*\n", GUARDRAILS, made.TEXT), "tiny.yaml")


def run(
    number: int,
    trips: dict[str, float] | None = None,
    defects: tuple[str, ...] = (),
    seen_s: float = 10.0,
    taken_back_s: float | None = None,
) -> FunctionMeasure:
    trips = trips or {}
    return replace(
        made.measures(replications=1)[0],
        replication=number,
        function="buy",
        defects=defects,
        tripped=bool(trips),
        defects_seen_s=(seen_s,) * len(defects),
        taken_back_s=taken_back_s,
        trips=tuple(trips),
        trip_times_s=tuple(trips.values()),
    )


def test_false_alarms_misses_and_delays(scenario: Scenario) -> None:
    runs = [
        run(0),
        run(1, {ERRORS: 12.0}),
        run(2),
        run(3, {ERRORS: 13.0}, ("crash",)),
        run(4, {ERRORS: 15.0, "slow": 30.0}, ("crash", "slow-query")),
        run(5, {"slow": 40.0}, ("slow-query",)),
    ]
    errors, slow = detection(scenario, runs)
    assert errors.guardrail == ERRORS
    assert errors.false_alarms is not None
    assert (errors.false_alarms.value, errors.false_alarms.n) == (1 / 3, 3)
    assert errors.caught is not None
    assert (errors.caught.misses.value, errors.caught.misses.n) == (1 / 3, 3)
    assert errors.caught.delay_p50_s is not None
    assert errors.caught.delay_p50_s.value == 3.0
    assert [(each.defect, each.misses.value, each.misses.n) for each in errors.by_defect] == [
        ("crash", 0.0, 2),
        ("slow-query", 0.5, 2),
    ]
    assert [(each.defect, each.misses.value) for each in slow.by_defect] == [("crash", 0.5), ("slow-query", 0.0)]
    assert slow.false_alarms is not None
    assert slow.false_alarms.value == 0.0


def test_what_was_taken_back_before_counts_neither_way(scenario: Scenario) -> None:
    runs = [
        run(0, {ERRORS: 12.0}, ("crash",), taken_back_s=12.0),
        run(1, {ERRORS: 12.0}, taken_back_s=12.0),
        run(2, defects=("crash",)),
        run(3),
    ]
    errors, slow = detection(scenario, runs)
    assert (errors.cut_short, slow.cut_short) == (0, 2)
    assert slow.false_alarms is not None
    assert slow.caught is not None
    assert (slow.false_alarms.n, slow.caught.misses.n, slow.caught.misses.value) == (1, 1, 1.0)


def test_a_trip_before_the_defect_could_be_seen_is_none_on_it(scenario: Scenario) -> None:
    errors, _ = detection(scenario, [run(0, {ERRORS: 9.0}, ("crash",))])
    assert errors.caught is not None
    assert (errors.caught.misses.value, errors.caught.delay_p50_s) == (1.0, None)


def test_the_delay_of_a_defect_that_shows_late_counts_from_when_it_shows(scenario: Scenario) -> None:
    runs = [run(0, {ERRORS: 33.0}, ("crash",), seen_s=30.0), run(1, {ERRORS: 29.0}, ("crash",), seen_s=30.0)]
    errors, _ = detection(scenario, runs)
    assert errors.caught is not None
    assert errors.caught.misses.value == 0.5
    assert errors.caught.delay_p50_s is not None
    assert errors.caught.delay_p50_s.value == 3.0


def test_a_bad_release_that_never_got_so_far_is_left_out(scenario: Scenario) -> None:
    errors, _ = detection(scenario, [run(0, defects=("crash",), seen_s=math.inf), run(1)])
    assert (errors.caught, errors.by_defect) == (None, ())


def test_few_bad_releases_bound_no_delay(scenario: Scenario) -> None:
    runs = [run(0, {ERRORS: 13.0}, ("crash",)), run(1)]
    errors = detection(scenario, runs)[0]
    assert errors.caught is not None
    assert errors.caught.delay_p95_s is not None
    assert math.isinf(errors.caught.delay_p95_s.high)
    assert errors.to_json()["caught"]["delay_p95_s"]["high"] is None
    rows = judges_table(detection(scenario, runs)).rows
    assert rows[0][:3] == (ERRORS, "threshold", "note")
    assert rows[0][3:] == ("0 % [0, 97.5] of 1", "0", "crash", "0 % [0, 97.5] of 1", "3 s [-, -]", "3 s [-, -]")


def test_a_release_that_the_calendar_never_let_start_is_no_quiet_one(scenario: Scenario) -> None:
    skipped = replace(run(0), outcome="skipped")
    assert detection(scenario, [skipped]) == []
    errors, _ = detection(scenario, [skipped, run(1, {ERRORS: 12.0})])
    assert errors.false_alarms is not None
    assert (errors.false_alarms.value, errors.false_alarms.n) == (1.0, 1)


def test_customers_who_call_for_support_are_told_like_a_guardrail() -> None:
    operations = """operations:
  on_call: {acknowledge: 1m, decide: 1m}
  tickets: {share: 2%, after: 5m, page: {above: 3, window: 5m}}
expect:"""
    paging = load_text(made.TEXT.replace("expect:", operations), "tiny.yaml")
    rows = detection(paging, [run(0, {"tickets of buy": 400.0}, ("crash",)), run(1)])
    assert [(row.guardrail, row.judge, row.action) for row in rows[1:]] == [
        ("tickets of buy", "tickets", "page"),
        ("tickets of browse", "tickets", "page"),
    ]
    assert [row.caught.misses.value for row in rows[1:] if row.caught is not None] == [0.0, 1.0]


def test_measures_of_before_tell_nothing(scenario: Scenario) -> None:
    assert detection(scenario, [replace(run(0), tripped=True)]) == []
    assert detection(scenario, []) == []


def test_exposure_is_the_first_request_to_a_new_version() -> None:
    def route(time_s: float, service: str, **weights: float) -> Event:
        return Event(time_s, "route", service, {"weights": weights})

    start = Event(5.0, "release-start", "shop, ads", {"old": "1, 7", "new": "2, 8"})
    quiet = [start, route(6.0, "shop", **{"1": 1.0, "2": 0.0}), route(7.0, "edge", **{"2": 1.0})]
    assert Timeline.of(quiet).exposed_s() is None
    assert Timeline.of([*quiet, route(9.0, "ads", **{"7": 0.9, "8": 0.1})]).exposed_s() == 9.0
    both = [*quiet, route(8.0, "shop", **{"2": 0.1}), route(9.0, "ads", **{"7": 0.9, "8": 0.1})]
    assert Timeline.of(both).exposed_s() == 8.0
    bad = Event(5.0, "release-start", "shop, ads", {**start.detail, "defective": ["ads"]})
    assert Timeline.of([bad, *both[1:]]).exposed_s() == 9.0


def test_measures_keep_trips_through_a_record_and_records_of_before_read_on(tmp_path: Path) -> None:
    rows = [run(0, {ERRORS: 12.5, "slow": 30.0}, ("crash",)), replace(run(1), exposed_s=None)]
    table = schema.measures_to_arrow(rows)
    assert schema.measures_from_arrow(table) == rows
    before = table.drop_columns(["exposed_s", "taken_back_s", "trips", "trip_times_s", "defects_seen_s"])
    assert schema.measures_from_arrow(before)[0] == replace(
        rows[0], exposed_s=None, taken_back_s=None, trips=(), trip_times_s=(), defects_seen_s=()
    )
    with pytest.raises(schema.TableError, match="measures columns are"):
        schema.measures_from_arrow(table.drop_columns(["outcome"]))
    assert table.schema.field("trip_times_s").type == pa.list_(pa.float64())


def test_a_record_of_before_is_judged_again(tmp_path: Path) -> None:
    plan = made.plan()
    record = RunRecord.create(tmp_path / "run", made.header(World.SIMULATION))
    record.write_events(made.rolled_back())
    record.write_samples(made.cells((10.0, 14.0)).samples(0.25))
    record.write_ledger(made.writes().ledger(plan.stores, plan.function_names))
    from evidence.assess import _recompute  # what a simulation would have measured

    record.recorded()
    table = schema.measures_to_arrow(_recompute(record, made.scenario()))
    pq.write_table(table.drop_columns(["trips"]), record.folder / "measures.parquet")
    reasons = [check.reason for check in assess(record.folder).checks if check.status.value == "error"]
    assert not [reason for reason in reasons if "from the timeline" in reason]
