"""Verdicts with their reasons, and judging stored runs again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence.assess import assess
from evidence.errors import JudgeError, RecordForeignError, RecordMissingError
from evidence.events import Event
from evidence.header import Header, LoadFacts, Phase, World
from evidence.judging import judge
from evidence.measures import FunctionMeasure
from evidence.measuring import measure
from evidence.record import RunRecord
from evidence.statistics import Estimate
from evidence.tables import Ledger, Samples
from evidence.verdicts import Check, Status, Verdict, guarded, judge_estimate
from scenarios.loading import load_text
from scenarios.quantities import Bound
from tests.unit import evidence_made as made


def recorded(world: World) -> Header:
    return made.header(world).model_copy(update={"phase": Phase.RECORDED})


def drill(**changes: object) -> list[FunctionMeasure]:
    rows = measure(made.plan(), made.rolled_back(), made.cells((10.0, 14.0)), made.writes(), strategy="canary")
    return [replace(rows[0], **changes), rows[1]]  # type: ignore[arg-type]


def reasons(verdict: Verdict) -> dict[tuple[str, str], tuple[str, str]]:
    return {(check.name, check.subject): (check.status.value, check.reason) for check in verdict.checks}


def test_the_overall_verdict_is_the_worst() -> None:
    def of(*statuses: Status) -> tuple[Status, int]:
        verdict = Verdict("run", tuple(Check("c", "s", status, "") for status in statuses))
        return verdict.status, verdict.exit_code

    assert of(Status.PASS, Status.PASS) == (Status.PASS, 0)
    assert of(Status.PASS, Status.INCONCLUSIVE) == (Status.INCONCLUSIVE, 3)
    assert of(Status.INCONCLUSIVE, Status.ERROR, Status.PASS) == (Status.ERROR, 4)
    assert of(Status.FAIL, Status.ERROR) == (Status.FAIL, 1)
    assert of() == (Status.INCONCLUSIVE, 3)


def test_a_check_that_crashes_is_an_error_with_its_text() -> None:
    def crash() -> list[Check]:
        raise ZeroDivisionError("0 / 0")

    assert guarded("c", "s", crash) == [Check("c", "s", Status.ERROR, "ZeroDivisionError: 0 / 0")]


@pytest.mark.parametrize(
    ("low", "high", "op", "status", "reason"),
    [
        (0.96, 0.99, ">=", "pass", "share 0.975 [0.960, 0.990] >= 0.95 (n = 100)"),
        (0.90, 0.94, ">=", "fail", "share 0.920 [0.900, 0.940] < 0.95 (n = 100)"),
        (0.90, 0.99, ">=", "inconclusive", "share 0.945 [0.900, 0.990] spans 0.95, must be >= 0.95 (n = 100)"),
        (0.90, 0.94, "<=", "pass", "share 0.920 [0.900, 0.940] <= 0.95 (n = 100)"),
        (0.96, 0.99, "<", "fail", "share 0.975 [0.960, 0.990] >= 0.95 (n = 100)"),
    ],
)
def test_intervals_decide(low: float, high: float, op: str, status: str, reason: str) -> None:
    check = judge_estimate("share", "buy", Estimate((low + high) / 2, low, high, 100), Bound(op, 0.95))
    assert (check.status.value, check.reason) == (status, reason)


def test_small_shares_are_told_from_bounds_as_small() -> None:
    reasons_of = [
        judge_estimate("share", "buy", Estimate(value, value, value, 9), Bound(">", 0.001)).reason
        for value in (0.00103, 0.00962, 0.99957, 0.0, 1.0)
    ]
    assert reasons_of == [
        "share 0.00103 [0.00103, 0.00103] > 0.001 (n = 9)",
        "share 0.010 [0.010, 0.010] > 0.001 (n = 9)",
        "share 0.999570 [0.999570, 0.999570] > 0.001 (n = 9)",
        "share 0.000 [0.000, 0.000] <= 0.001 (n = 9)",
        "share 1.000 [1.000, 1.000] > 0.001 (n = 9)",
    ]


@pytest.mark.parametrize("outcome", ["failed", "running"])
def test_an_alarm_is_false_whatever_becomes_of_the_rollback(outcome: str) -> None:
    rows = [replace(row, outcome=outcome, taken_back_s=31.0) for row in made.measures(replications=200, bad_every=201)]
    found = reasons(judge(made.scenario(), recorded(World.SIMULATION), [], rows))
    assert found[("false_alarms", "release")][0] == "fail"
    drilled = reasons(
        judge(made.scenario(), recorded(World.STAGING), [], drill(outcome=outcome, defects=(), taken_back_s=31.0))
    )
    assert drilled[("false_alarms", "release")][0] == "fail"


def test_a_simulation_is_judged_by_its_expectations() -> None:
    verdict = judge(made.scenario(), recorded(World.SIMULATION), [], made.measures(replications=200))
    found = reasons(verdict)
    assert found[("rto_attainment", "buy")] == ("pass", "rto_attainment 1.000 [0.982, 1.000] >= 0.9 (n = 200)")
    assert found[("caught", "release")] == ("pass", "caught 1.000 [0.912, 1.000] >= 0.8 (n = 40)")
    assert found[("false_alarms", "release")][0] == "pass"
    assert found[("completed", "release")][0] == "pass"
    assert ("rto_attainment", "browse") not in found  # no expectation: reported, not judged
    assert verdict.status is Status.PASS


@pytest.mark.parametrize(("measure", "missed"), [("rto_attainment", "met_rto"), ("rpo_attainment", "met_rpo")])
def test_each_attainment_is_of_its_own_objective(measure: str, missed: str) -> None:
    rows = [replace(row, **{missed: row.replication % 4 > 0}) for row in made.measures(replications=200)]
    found = reasons(judge(made.scenario(), recorded(World.SIMULATION), [], rows))
    # 150 of 200 meet it: Clopper and Pearson have 0.684 to 0.808.
    assert found.pop((measure, "buy")) == ("fail", f"{measure} 0.750 [0.684, 0.808] < 0.9 (n = 200)")
    (other,) = {"rto_attainment", "rpo_attainment"} - {measure}
    assert found[(other, "buy")][0] == "pass"


@pytest.mark.parametrize(
    ("replications", "bad_every", "status"), [(200, 5, "pass"), (200, 50, "inconclusive"), (6, 1, "inconclusive")]
)
def test_a_mean_is_not_judged_by_a_handful_of_bad_releases(replications: int, bad_every: int, status: str) -> None:
    """Between few bad releases and many good ones a t interval is too narrow; without any it has no width at all."""
    scenario = made.scenario()
    buy = scenario.expect.functions["buy"].model_copy(update={"failed_share": Bound("<=", 0.5)})
    expect = scenario.expect.model_copy(update={"functions": {"buy": buy}})
    rows = made.measures(replications=replications, bad_every=bad_every)
    verdict = judge(scenario.model_copy(update={"expect": expect}), recorded(World.SIMULATION), [], rows)
    assert reasons(verdict)[("failed_share", "buy")][0] == status


def test_a_mean_is_of_the_replications_that_have_a_share() -> None:
    rows = made.measures(replications=200)
    half = [replace(row, failed_share=None) if row.replication % 2 else row for row in rows]
    found = reasons(judge(made.scenario(), recorded(World.SIMULATION), [], half))
    assert "(n = 100)" in found[("failed_share", "buy")][1]
    none = [replace(row, failed_share=None) for row in rows]
    found = reasons(judge(made.scenario(), recorded(World.SIMULATION), [], none))
    assert found[("failed_share", "buy")] == ("inconclusive", "failed_share: no data (0 replications)")


def test_no_replication_in_the_denominator_is_inconclusive() -> None:
    verdict = judge(made.scenario(), recorded(World.SIMULATION), [], made.measures(bad_every=1))
    assert reasons(verdict)[("false_alarms", "release")] == ("inconclusive", "false_alarms: no data (0 replications)")


def test_censored_replications_do_not_attain() -> None:
    rows = [replace(row, rto_censored=True, met_rto=False) for row in made.measures()]
    verdict = judge(made.scenario(), recorded(World.SIMULATION), [], rows)
    assert reasons(verdict)[("rto_attainment", "buy")][0] == "fail"


def test_a_drill_is_judged_by_its_objectives() -> None:
    verdict = judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), drill())
    found = reasons(verdict)
    assert found[("rto", "buy")] == ("pass", "rto 4 s <= 5 s")
    assert found[("rpo", "buy")] == ("pass", "rpo 0 s <= 1 s (0 of 60 acknowledged writes missing)")
    assert found[("rto", "browse")] == ("pass", "rto 0 s <= 60 s")
    assert ("rpo", "browse") not in found  # it writes nothing
    assert found[("caught", "release")] == ("pass", "release rolled-back, defects: crash")
    assert ("completed", "release") not in found
    assert found[("restored", "system")] == ("pass", "no differences from the baseline: shop")
    assert verdict.status is Status.PASS


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"rto_s": 6.0}, "rto", ("fail", "rto 6 s > 5 s")),
        ({"rto_s": 5.0}, "rto", ("pass", "rto 5 s <= 5 s")),
        (
            {"rto_s": 2.0, "rto_censored": True},
            "rto",
            ("fail", "rto > 2 s, not recovered by the end (objective 5 s)"),
        ),
        ({"requests": 0}, "rto", ("error", "rto: no data (0 requests)")),
        ({"acknowledged_writes": 0}, "rpo", ("error", "rpo: no data (0 acknowledged writes)")),
        (
            {"rpo_s": 2.5, "met_rpo": False, "lost_writes": 3},
            "rpo",
            ("fail", "rpo 2.5 s > 1 s (3 of 60 acknowledged writes missing)"),
        ),
        ({"failed_share": 0.3}, "failed_share", ("fail", "failed_share 0.3 > 0.2")),
    ],
)
def test_a_drill_is_held_to_each_objective(changes: dict[str, object], key: str, expected: tuple[str, str]) -> None:
    verdict = judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), drill(**changes))
    assert reasons(verdict)[(key, "buy")] == expected


def test_writes_that_nobody_looked_up_leave_a_drill_inconclusive() -> None:
    verdict = judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), drill(met_rpo=None))
    assert verdict.status is Status.INCONCLUSIVE


def test_a_drill_that_did_not_catch_its_defect_fails() -> None:
    verdict = judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), drill(outcome="promoted"))
    assert reasons(verdict)[("caught", "release")] == ("fail", "release promoted, defects: crash")


@pytest.mark.parametrize(
    ("outcome", "alarm", "completed"), [("promoted", "pass", "pass"), ("rolled-back", "fail", "fail")]
)
def test_a_drill_of_a_good_release_may_not_take_it_back(outcome: str, alarm: str, completed: str) -> None:
    rows = drill(outcome=outcome, defects=())
    of_release = {
        check.name: (check.status.value, check.reason)
        for check in judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), rows).checks
        if check.subject == "release"
    }
    reason = f"release {outcome}, defects: none"
    assert of_release == {"false_alarms": (alarm, reason), "completed": (completed, reason)}


@pytest.mark.parametrize("defects", [("crash",), ()])
def test_of_a_release_only_what_is_expected_is_judged(defects: tuple[str, ...]) -> None:
    scenario = made.scenario()
    nothing = scenario.expect.release.model_copy(update={"caught": None, "false_alarms": None, "completed": None})
    scenario = scenario.model_copy(update={"expect": scenario.expect.model_copy(update={"release": nothing})})
    for world, rows in ((World.STAGING, drill(defects=defects)), (World.SIMULATION, made.measures(replications=20))):
        verdict = judge(scenario, recorded(world), made.rolled_back(), rows)
        assert [check for check in verdict.checks if check.subject == "release"] == []


@pytest.mark.parametrize("kept", ["rto_attainment", "rpo_attainment", "failed_share"])
def test_of_a_function_only_what_is_expected_is_judged(kept: str) -> None:
    scenario = made.scenario()
    expected = scenario.expect.functions["buy"]
    one = expected.model_copy(update={name: None for name in type(expected).model_fields if name != kept})
    expect = scenario.expect.model_copy(update={"functions": {"buy": one}})
    verdict = judge(
        scenario.model_copy(update={"expect": expect}), recorded(World.SIMULATION), [], made.measures(replications=20)
    )
    assert [check.name for check in verdict.checks if check.subject in scenario.functions] == [kept]


def test_a_system_that_was_not_restored_fails() -> None:
    left = Event(20.0, "verify", "ledger of orders", {"differences": ["2 orders there more than once"]})
    steady = Event(70.0, "verify", "steady state", {"differences": []})
    verdict = judge(made.scenario(), recorded(World.STAGING), [*made.rolled_back(), left, steady], drill())
    assert reasons(verdict)[("restored", "system")] == (
        "fail",
        "differences from the baseline in 1 of 3 looks: ledger of orders at 20.00 s: 2 orders there more than once",
    )


def test_a_release_that_could_not_be_taken_back_fails_and_one_that_did_not_end_proves_nothing() -> None:
    refused = Event(11.0, "rollback-step", "revert-migration", {"phase": "failed", "message": "no way back"})
    verdict = judge(made.scenario(), recorded(World.STAGING), [*made.rolled_back(), refused], drill(outcome="failed"))
    assert reasons(verdict)[("rollback", "release")] == (
        "fail",
        "release failed, it could not be taken back: revert-migration: no way back",
    )
    verdict = judge(made.scenario(), recorded(World.STAGING), made.rolled_back(), drill(outcome="running", defects=()))
    assert reasons(verdict)[("release", "release")] == (
        "inconclusive",
        "release running when the load ended: neither promoted nor taken back",
    )


def test_a_fault_that_was_never_in_force_is_an_error() -> None:
    text = (
        made.TEXT
        + """
faults:
  - {at: 6s, for: 1s, cut: {on: shop -> orders}}
  - {at: 9s, for: 1s, cut: {on: shop -> orders}}
  - {at: 6s, for: 1s, kill: {of: ads}}
"""
    )
    scenario, header = load_text(text, "tiny.yaml"), recorded(World.STAGING)
    cut, kill = "cut on shop -> orders", "kill on ads"
    seen = [*made.rolled_back(), Event(6.1, "fault-start", cut, {}), Event(6.1, "fault-start", kill, {})]
    verdict = judge(scenario, header, seen, drill())
    assert reasons(verdict) == {
        ("fault", cut): ("error", "not in force before the load ended 1 of 2 times: nothing is proven by it")
    }
    again = Event(9.1, "fault-start", cut, {})
    assert ("fault", cut) not in reasons(judge(scenario, header, [*seen, again], drill()))
    late = Event(60.1, "fault-start", cut, {"ordered_s": 9.0})  # the load ended at 60 s
    assert reasons(judge(scenario, header, [*seen, late], drill())) == reasons(verdict)
    stopped = judge(scenario, header, [*made.rolled_back(), Event(5.5, "stop", "abort", {})], drill())
    assert [check.name for check in stopped.checks] == ["stop"]  # which says why there was none


def test_what_a_given_defect_cannot_tell_is_not_asked() -> None:
    header = recorded(World.SIMULATION).model_copy(update={"defects": ("crash",)})
    found = reasons(judge(made.scenario(), header, [], made.measures(replications=200, bad_every=1)))
    assert found[("caught", "release")][0] == "pass"
    assert ("false_alarms", "release") not in found
    assert ("completed", "release") not in found
    good = recorded(World.SIMULATION).model_copy(update={"defects": ()})
    found = reasons(judge(made.scenario(), good, [], made.measures(replications=200, bad_every=1000)[2:]))
    assert found[("completed", "release")][0] == "pass"
    assert ("caught", "release") not in found


def test_a_drill_that_proves_nothing_is_an_error_and_nothing_else() -> None:
    late = LoadFacts(valid=False, lateness_p99_s=0.03, lateness_bound_s=0.005)
    problems = ("the load child ended without its end line",)
    unsent = LoadFacts(valid=False, lateness_p99_s=None, lateness_bound_s=0.005, problems=problems)
    header = recorded(World.STAGING)
    for changed, events, reason in (
        (header.model_copy(update={"load": late}), [], "invalid load: dispatch lateness p99 30.0 ms > 5.0 ms"),
        (header.model_copy(update={"load": unsent}), [], "invalid load: the load child ended without its end line"),
        (header.model_copy(update={"load": None}), [], "no facts about the load: was it valid?"),
        (
            header.model_copy(update={"phase": Phase.STARTED}),
            [],
            "unfinished: phase is started, must be recorded",
        ),
        (header, [Event(9.0, "stop", "key", {"reason": "abort"})], "stop at 9.00 s: reason abort"),
    ):
        verdict = judge(made.scenario(), changed, events, drill())
        assert [(check.status, check.reason) for check in verdict.checks] == [(Status.ERROR, reason)]


def test_what_is_not_as_it_was_is_told_beside_an_error() -> None:
    events = [
        Event(20.0, "verify", "staging as before", detail={"differences": ["index orders_pkey: not there"]}),
        Event(26.0, "error", "steady state", detail={"message": "0 of 61"}),
    ]
    verdict = judge(made.scenario(), recorded(World.STAGING), events, drill())
    assert {check.status for check in verdict.checks} == {Status.ERROR}
    assert [check.name for check in verdict.checks] == ["error", "restored"]
    assert "index orders_pkey: not there" in verdict.checks[-1].reason
    simulated = judge(made.scenario(), recorded(World.SIMULATION), events, [])
    assert [check.name for check in simulated.checks] == ["error"]  # a simulated look finds what the scenario says


def written(tmp_path: Path, world: World, events: Sequence[Event] | None = None) -> RunRecord:
    """A record that is not judged yet; `events` of the drill instead of those of a rollback."""
    plan = made.plan()
    if world is World.STAGING:
        record = RunRecord.create(tmp_path / "drill", made.header(world))
        record.write_events(made.rolled_back() if events is None else events)
        record.write_samples(made.cells((10.0, 14.0)).samples(0.25))
        record.write_ledger(made.writes().ledger(plan.stores, plan.function_names))
        record.recorded(load=record.header.load)
        return record
    rows = made.measures()
    kept = (0, 1, 5)
    record = RunRecord.create(tmp_path / "simulation", made.header(replications=40))
    record.write_measures(rows)
    bad = {number: number % 5 == 0 for number in kept}
    record.write_events(
        [
            replace(event, replication=number)
            for number in kept
            for event in (made.rolled_back() if bad[number] else made.promoted())
        ]
    )
    record.write_samples(
        Samples.join(
            made.cells((10.0, 14.0) if bad[number] else None).samples(0.25, replication=number) for number in kept
        )
    )
    record.write_ledger(
        Ledger.join(made.writes().ledger(plan.stores, plan.function_names, replication=number) for number in kept)
    )
    record.recorded(timelines=kept)
    return record


def test_a_drill_is_judged_from_its_folder_again_and_again(tmp_path: Path) -> None:
    record = written(tmp_path, World.STAGING)
    verdict = assess(record.folder)
    assert verdict.status is Status.PASS
    opened = RunRecord.open(record.folder)
    assert opened.header.phase is Phase.JUDGED
    assert opened.measures() == drill()
    stored = opened.verdict()
    assert stored == verdict.to_json()
    assert Verdict.from_json(stored) == verdict == assess(record.folder)


def test_a_simulation_is_judged_from_its_folder(tmp_path: Path) -> None:
    record = written(tmp_path, World.SIMULATION)
    assert assess(record.folder).status is Status.INCONCLUSIVE  # 40 replications are few
    assert len(record.header.timelines) == 3


def test_measures_that_the_timeline_contradicts_are_an_error(tmp_path: Path) -> None:
    record = written(tmp_path, World.SIMULATION)
    record.write_measures([replace(row, rto_s=row.rto_s + 1.0) for row in made.measures()])
    verdict = assess(record.folder)
    assert verdict.status is Status.ERROR
    reasons = [check.reason for check in verdict.checks]
    assert "measures is not what it was when the run was recorded: its SHA-256 digest differs" in reasons
    assert "rto_s is 5.0 in measures, 4.0 from the timeline" in reasons


def test_a_drill_with_an_unreadable_table_is_an_error(tmp_path: Path) -> None:
    record = written(tmp_path, World.STAGING)
    path = record.folder / "ledger.parquet"
    path.write_bytes(path.read_bytes()[:50])
    verdict = assess(record.folder)
    assert verdict.status is Status.ERROR
    assert "RecordTruncatedError" in verdict.checks[0].reason


def test_an_unfinished_drill_is_an_error_and_keeps_its_phase(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path / "run", made.header(World.STAGING))
    record.append(Event(1.0, "load-start", "client"))
    assert assess(record.folder).status is Status.ERROR
    assert RunRecord.open(record.folder).header.phase is Phase.STARTED


def test_a_scenario_that_was_changed_afterwards_is_refused(tmp_path: Path) -> None:
    record = written(tmp_path, World.STAGING)
    path = record.folder / "run.json"
    found = json.loads(path.read_text())
    found["scenario"]["text"] = found["scenario"]["text"].replace("rto: 5s", "rto: 50s")
    path.write_text(json.dumps(found))
    with pytest.raises(RecordForeignError, match="does not match its digest"):
        assess(record.folder)


def test_a_scenario_that_can_no_longer_be_read_is_refused(tmp_path: Path) -> None:
    header = made.header()
    text = header.scenario.of("tiny", "schema: windtunnel/v1\n", "tiny.yaml")
    record = RunRecord.create(tmp_path / "run", header.model_copy(update={"scenario": text}))
    with pytest.raises(JudgeError, match="the stored scenario cannot be read"):
        assess(record.folder)


def test_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(RecordMissingError):
        assess(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"replications": 400}, "measures have 80 rows, must be one for each of 800 replications and functions"),
        ({"timelines": []}, "no timeline is kept: nothing proves the measures"),
        ({"seed": 77}, "header is not what it was when the run was recorded: its SHA-256 digest differs"),
    ],
)
def test_a_header_edited_by_hand_is_an_error(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, World.SIMULATION).folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    verdict = assess(path.parent)
    assert verdict.status is Status.ERROR
    assert reason in [check.reason for check in verdict.checks]


@pytest.mark.parametrize("name", ["events", "measures", "samples", "ledger"])
def test_a_table_cut_short_is_an_error(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, World.SIMULATION).folder / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:40])
    assert assess(path.parent).status is Status.ERROR


def test_a_fault_that_could_not_be_put_in_force_is_an_error_in_a_simulation_too() -> None:
    scenario, header = made.scenario(), made.header(replications=40).model_copy(update={"phase": Phase.RECORDED})
    event = Event(3.0, "error", "kill on shop", {"during": "inject", "message": "none runs"}, 7)
    verdict = judge(scenario, header, [event], made.measures())
    assert verdict.status is Status.ERROR
    assert verdict.checks[0].reason == "error at 3.00 s of replication 7: during inject: none runs"
