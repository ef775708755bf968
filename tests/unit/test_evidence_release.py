"""A release as a whole: when a change failed, what a collapse is, what capacity it took, whom it hit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evidence.capacity import extra_replica_s
from evidence.collapse import surge_end_s, trigger_gone_s
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.measures import FunctionMeasure
from evidence.measuring import measure
from evidence.recovery import recoveries
from evidence.release_summary import summarise
from evidence.report.release_tables import cohorts_table, release_table
from evidence.timeline import Timeline
from scenarios.functions import Function
from tests.unit import evidence_made as made


def buy(events: list[Event], bad_s: tuple[float, float]) -> FunctionMeasure:
    return measure(made.plan(), events, made.cells(bad_s), made.writes(), strategy="canary")[0]


def test_a_load_that_does_not_come_back_after_a_rollback_has_collapsed() -> None:
    assert buy(made.rolled_back(), (10.0, 60.0)).collapsed is True
    assert buy(made.rolled_back(), (10.0, 40.0)).collapsed is False  # it came back


def test_it_has_not_while_something_is_left_to_blame() -> None:
    running = [event for event in made.rolled_back() if event.kind != "release-end"]
    assert buy(running, (10.0, 60.0)).collapsed is False
    unnoticed = [replace(e, detail={**e.detail, "defects": ["crash"]}) if e.kind == "release-start" else e
                 for e in made.promoted()]  # fmt: skip
    assert buy(unnoticed, (10.0, 60.0)).collapsed is False
    faulty = [*made.rolled_back(), Event(50.0, "fault-start", "cut on x")]
    assert buy(faulty, (10.0, 60.0)).collapsed is False
    healed = [*faulty, Event(54.0, "fault-end", "cut on x")]
    assert buy(healed, (10.0, 60.0)).collapsed is True
    # A recovery takes 2 s of window and 2 s of good windows to be seen; 3 s cannot tell.
    late = [*faulty, Event(57.0, "fault-end", "cut on x")]
    assert buy(late, (10.0, 60.0)).collapsed is False
    assert buy(made.promoted(), (57.0, 60.0)).collapsed is False
    assert buy(made.promoted(), (50.0, 60.0)).collapsed is True


def test_a_release_that_failed_to_be_taken_back_is_still_there() -> None:
    failed = [replace(e, detail={"outcome": "failed"}) if e.kind == "release-end" else e for e in made.rolled_back()]
    assert trigger_gone_s(Timeline.of(failed)) is None
    assert trigger_gone_s(Timeline.of([])) == 0.0


@pytest.mark.parametrize(
    ("behind_flag", "serves", "gone"), [(False, 1.0, False), (False, 0.0, True), (True, 1.0, True)]
)
def test_a_flag_takes_back_nothing_but_what_it_hides(behind_flag: bool, serves: float, gone: bool) -> None:
    detail = {"new": "2", "defects": ["crash"], **({"behind_flag": True} if behind_flag else {})}
    timeline = Timeline.of(
        [
            Event(10.0, "release-start", "web", detail),
            Event(12.0, "route", "web", {"weights": {"1": 0.0, "2": 1.0}}),
            Event(20.0, "route", "web", {"weights": {"1": 1.0 - serves, "2": serves}}),
            Event(21.0, "release-end", "web", {"outcome": "rolled-back"}),
        ]
    )
    assert (trigger_gone_s(timeline) == 21.0) is gone


def function(profile: dict[str, object]) -> Function:
    found = {"path": ["edge"], "rate": "10/s", "rto": "5s", "rpo": "0s", "good": {"success": ">= 99%"}}
    return Function.model_validate({**found, "profile": profile})


@pytest.mark.parametrize(
    ("profile", "ends_s"),
    [
        ({}, 0.0),
        ({"steps": [{"at": "10s", "factor": 3}, {"at": "20s", "factor": 1}]}, 20.0),
        ({"steps": [{"at": "10s", "factor": 3}]}, float("inf")),
        ({"steps": [{"at": "10s", "factor": 0.5}]}, 0.0),
    ],
)
def test_a_surge_ends_when_the_load_is_as_at_first(profile: dict[str, object], ends_s: float) -> None:
    assert surge_end_s(function(profile), None, 60.0) == ends_s


def test_capacity_counts_replicas_above_the_usual_number_only() -> None:
    def deploy(time_s: float, version: str, replicas: int) -> Event:
        return Event(time_s, "deploy", "shop", {"version": version, "replicas": replicas})

    usual = {"shop": ("1", 2)}
    blue_green = Timeline.of([deploy(10.0, "2", 2), deploy(30.0, "1", 0)])
    assert extra_replica_s(blue_green, usual, 60.0) == 40.0
    assert extra_replica_s(blue_green, usual, 20.0) == 20.0
    recreate = Timeline.of([deploy(10.0, "1", 0), deploy(12.0, "2", 2)])
    assert extra_replica_s(recreate, usual, 60.0) == 0.0
    assert extra_replica_s(blue_green, {"edge": ("1", 1)}, 60.0) == 0.0


def test_capacity_counts_in_the_replicas_that_autoscaling_wants() -> None:
    def deploy(time_s: float, version: str, replicas: int) -> Event:
        return Event(time_s, "deploy", "shop", {"version": version, "replicas": replicas})

    def scale(time_s: float, replicas: int) -> Event:
        return Event(time_s, "scale", "shop", {"replicas": replicas})

    usual = {"shop": ("1", 5)}
    blue_green = [deploy(10.0, "2", 5), deploy(30.0, "1", 0)]
    # Seventeen of each version instead of five, from the tenth second on or from the twentieth.
    assert extra_replica_s(Timeline.of([scale(5.0, 17), *blue_green]), usual, 60.0) == 17 * 20.0
    assert extra_replica_s(Timeline.of([*blue_green, scale(20.0, 17)]), usual, 60.0) == 5 * 10.0 + 17 * 10.0
    # A canary of one in five is four of seventeen, rounded up; what autoscaling adds by itself is not the release's.
    assert extra_replica_s(Timeline.of([scale(5.0, 17), deploy(10.0, "2", 1)]), usual, 60.0) == 4 * 50.0
    assert extra_replica_s(Timeline.of([scale(5.0, 17)]), usual, 60.0) == 0.0


def test_a_summary_counts_replications_not_functions() -> None:
    found = summarise(made.measures(replications=40))
    assert (found.change_failed.value, found.rolled_back.value, found.replications) == (0.2, 0.2, 40)
    assert (found.mttr_s.value, found.mttr_s.n, found.unrestored) == (4.0, 8, 0)
    assert (found.collapse.value, found.not_recovered.value) == (0.0, 0.0)
    assert found.collapse.high == pytest.approx(0.0881, abs=1e-4)  # 1 - 0.025 ** (1 / 40)
    assert (found.revenue_lost.value, found.currency) == (0.2 * 16 * 10 * 50, "EUR")
    assert (found.duration_s.value, found.promoted_s.value) == (0.2 * 11 + 0.8 * 21, 21.0)
    assert [(each.function, each.cohort) for each in found.cohorts] == [
        ("buy", "coupon"), ("buy", "default"), ("browse", "default"),
    ]  # fmt: skip
    coupon = found.cohorts[0]
    assert (coupon.requests, coupon.failed, coupon.hit.value) == (720.0, 9.6, 0.2)
    assert coupon.failed_share.value == pytest.approx(0.2 * 48 / 720)
    json.dumps(found.to_json(), allow_nan=False)


def test_service_is_restored_when_the_last_function_is() -> None:
    rows = made.measures(replications=10)
    both = [replace(row, episodes=1, rto_s=9.0) if row.defects and row.function == "browse" else row for row in rows]
    found = summarise(both).mttr_s
    assert found is not None
    assert (found.value, found.n) == (9.0, 2)  # and not the 4 s of buy


def test_every_table_weighs_kinds_of_releases_alike() -> None:
    rows = [replace(row, lost_writes=row.failed) for row in made.measures(replications=40)]
    chances = {"crash": 0.5}  # drawn in a fifth of them
    found, (buying, _) = summarise(rows, chances), recoveries(rows, chances)
    coupon, default, _ = found.cohorts
    assert coupon.failed == pytest.approx(0.5 * 48)
    assert coupon.failed_share.value == pytest.approx(0.5 * 48 / 720)
    assert found.revenue_lost is not None
    assert (coupon.failed + default.failed) * 50 == pytest.approx(found.revenue_lost.value)
    assert buying.lost_writes is not None
    assert found.lost_writes is not None
    assert buying.lost_writes == found.lost_writes


def test_a_bad_release_that_nobody_took_back_is_a_failed_change_too() -> None:
    rows = [replace(row, outcome="promoted") for row in made.measures(replications=10)]
    assert summarise(rows).change_failed.value == 0.2
    unhurt = [replace(row, episodes=0) for row in rows]
    found = summarise(unhurt)
    assert (found.change_failed.value, found.mttr_s) == (0.0, None)


def test_a_bad_release_that_loses_writes_is_a_failed_change_though_every_answer_was_good() -> None:
    rows = [replace(row, outcome="promoted", episodes=0) for row in made.measures(replications=10)]
    losing = [replace(row, lost_writes=3) if row.function == "buy" else row for row in rows]
    found = summarise(losing)
    # Two of ten have the defect; what the others lose is not the release's.
    assert (found.change_failed.value, found.mttr_s) == (0.2, None)


def test_tables_say_what_is_a_lower_bound() -> None:
    rows = [replace(row, rto_censored=row.episodes > 0) for row in made.measures(replications=10)]
    found = summarise(rows)
    table = release_table({"canary": found, "again": found})
    assert table.rows[0][:4] == ("canary", "20 % [2.5, 55.6]", "20 %", "> 4 s")
    assert "canary: 2 not restored by the end, so the MTTR is longer than that." in table.note
    cohorts = cohorts_table({"canary": found, "again": found})
    assert [row[:3] for row in cohorts.rows[:2]] == [("buy", "coupon", "canary"), ("buy", "coupon", "again")]
    with pytest.raises(JudgeError, match="at least 1 replication"):
        summarise([])


def test_rollbacks_that_failed_are_told_beside_those_that_succeeded() -> None:
    rows = [replace(row, outcome="failed" if row.defects else row.outcome) for row in made.measures(replications=10)]
    table = release_table({"canary": summarise(rows)})
    assert table.rows[0][2] == "0 %"
    assert table.note.endswith("canary: 2 rollbacks failed; rolled back are those that succeeded.")


def test_a_mean_of_one_has_no_interval_to_show() -> None:
    summary = summarise([buy(made.rolled_back(), (10.0, 40.0))])
    assert summary.mttr_s is not None
    assert summary.mttr_s.n == 1
    assert "inf" not in release_table({"canary": summary}).text()
