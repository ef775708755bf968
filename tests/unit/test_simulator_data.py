"""What a release does to data: migrations and their point of no return, bad data, and what puts it right."""

import copy
import math
from typing import Any

import pytest

from evidence.attainable import attainable
from evidence.recovery import recoveries
from evidence.report.recovery import recovery_table
from tests.unit.store_scenarios import BASE, played, scenario, story

MIGRATION: dict[str, Any] = {
    "store": "orders",
    "expand": "4s",
    "lock": "2s",
    "backfill": {"takes": "10s", "load": "50%"},
    "switch": "1s",
    "contract": "1s",
}
BAD = {"name": "bad", "probability": "100%", "bad_data": {"share": "30%", "symptom_after": "20s", "errors": "40%"}}
CANARY = {"canary": {"steps": [{"weight": "20%"}, {"bake": "60s"}]}}
GUARDRAIL = {"metric": "error-ratio", "of": "web", "version": "new", "above": "5%", "window": "5s", "minimum": 20}
RECONCILE = {"takes": "5s", "per_row": "10ms"}


def test_a_migration_is_played_around_the_rollout() -> None:
    measure, events = played(scenario(release={"migration": MIGRATION}))
    assert [(subject, time_s) for time_s, _, subject in story(events, "step-start")] == [
        ("expand orders", 10.0),
        ("backfill orders", 14.0),
        ("deploy v2 x2", 24.0),
        ("route 1 to new", 24.0),
        ("stop v1", 24.0),
        ("switch orders", 24.0),
        ("contract orders", 25.0),
    ]
    assert measure.outcome == "promoted"
    # The lock holds up all statements for its two seconds, and nothing else fails.
    assert measure.failed == pytest.approx(200, abs=60)


def test_a_backfill_takes_its_load_from_the_capacity() -> None:
    busy = {"connections": 1, "service_time": "6ms"}
    heavy = {**MIGRATION, "lock": "0s"}
    light = {**heavy, "backfill": {"takes": "10s", "load": "10%"}}
    # 100 statements a second of 6 ms each fill 60 % of the one connection; 12 ms each do not fit into it.
    assert played(scenario(busy, {"migration": heavy}))[0].rto_s > 5.0
    assert played(scenario(busy, {"migration": light}))[0].rto_s == 0.0


def test_after_the_contract_there_is_no_way_back() -> None:
    broken = {"name": "broken", "probability": "100%", "errors": "100%"}
    late = {"migration": MIGRATION, "defects": [broken], "rollback": ["redeploy", "route-back", "revert-migration"]}
    measure, events = played(scenario(release={**late, "guardrails": [{**GUARDRAIL, "minimum": 400, "window": "20s"}]}))
    assert measure.outcome == "failed"
    assert "contracted" in str([event.detail for event in events if event.detail.get("phase") == "failed"])
    assert not [event for event in events if event.kind == "error"]  # it is what the scenario asks about
    assert measure.rto_censored
    # Nobody can mend what is gone for good, and nobody tries.
    guarded = {**late, "guardrails": [{**GUARDRAIL, "minimum": 400, "window": "20s"}]}
    assert not story(played(scenario(release=guarded, operations={"repair": "1s"}))[1], "repair", "error")
    early = {**late, "guardrails": [{**GUARDRAIL, "window": "1s"}]}
    measure, _ = played(scenario(release={**early, "migration": {**MIGRATION, "switch": "20s"}}))
    assert measure.outcome == "failed"  # v2 still has its replicas
    assert not measure.rto_censored


@pytest.mark.parametrize("reverted", [True, False])
def test_a_schema_is_taken_back_in_its_own_time(reverted: bool) -> None:
    release: dict[str, Any] = {
        "migration": {"store": "orders", "expand": "4s", "revert": "7s"},
        "defects": [{"name": "half", "probability": "100%", "errors": "50%"}],
        "strategy": CANARY,
        "guardrails": [GUARDRAIL],
        "rollback": ["redeploy", "route-back", "retire", *(["revert-migration"] if reverted else []), "verify"],
    }
    measure, events = played(scenario(release=release))
    (began, _, _), (ended, _, _) = story(events, "rollback-start", "rollback-end")
    assert ended - began == pytest.approx(7.0 if reverted else 0.0)
    assert (measure.outcome, measure.rto_censored) == ("rolled-back", False)


def test_a_phase_that_is_interrupted_never_was() -> None:
    broken = {"name": "broken", "probability": "100%", "errors": "100%"}
    slow = {**MIGRATION, "contract": "20s"}
    release = {"migration": slow, "defects": [broken], "guardrails": [{**GUARDRAIL, "window": "2s", "minimum": 150}]}
    measure, events = played(scenario(release=release))
    assert ("contract orders" in [subject for _, _, subject in story(events, "step-start")]) is True
    assert measure.outcome == "rolled-back"
    assert not measure.rto_censored


def test_a_flag_that_is_off_needs_the_schema_of_the_version_that_stays() -> None:
    hidden = {"name": "hidden", "probability": "100%", "errors": "100%", "flag": True}
    release: dict[str, Any] = {
        "migration": {"store": "orders", "expand": "4s"},
        "defects": [hidden],
        "strategy": {"toggle": {"steps": [{"on": "50%"}, {"bake": "20s"}], "propagation": "1s"}},
        "guardrails": [GUARDRAIL],
    }
    dark, _ = played(scenario(release={**release, "rollback": ["kill-switch", "verify"]}))
    assert (dark.outcome, dark.rto_censored) == ("rolled-back", False)
    # The old version, which could not read the contracted schema, is not to come back.
    late = {**release, "migration": MIGRATION, "guardrails": [{**GUARDRAIL, "window": "30s", "minimum": 1600}]}
    contracted, events = played(scenario(release={**late, "rollback": ["kill-switch", "verify"]}))
    assert ("contract orders" in [subject for _, _, subject in story(events, "step-end")]) is True
    assert (contracted.outcome, contracted.rto_censored) == ("rolled-back", False)
    # The new one cannot read the old schema, which no flag hides, and which is no collapse.
    reverted, events = played(scenario(release={**release, "rollback": ["kill-switch", "revert-migration", "verify"]}))
    assert (reverted.outcome, reverted.rto_censored, reverted.collapsed) == ("failed", True, False)
    (told,) = [event.detail["differences"] for event in events if event.kind == "verify"]
    assert told == ["orders: schema is the one from before the release, must be one that the new version reads"]


@pytest.mark.parametrize("dual", [True, False])
def test_without_dual_writes_the_old_version_does_not_see_what_the_new_one_wrote(dual: bool) -> None:
    release: dict[str, Any] = {
        "migration": {"store": "orders", "dual_writes": dual},
        "defects": [{"name": "half", "probability": "100%", "errors": "50%"}],
        "strategy": CANARY,
        "guardrails": [GUARDRAIL],
    }
    measure, _ = played(scenario(release=release))
    assert (measure.lost_writes > 0) is not dual
    reconciled = {**release, "rollback": ["route-back", "retire", "reconcile"], "reconcile": RECONCILE}
    assert played(scenario(release=reconciled))[0].lost_writes == 0


def test_bad_data_outlives_the_code_that_wrote_it() -> None:
    release = {"defects": [BAD], "strategy": CANARY, "guardrails": [GUARDRAIL], "rollback": ["route-back", "retire"]}
    measure, events = played(scenario(release=release))
    (start,) = story(events, "bad-data")
    assert start[0] == pytest.approx(30.0, abs=0.5)  # 20 s after the first such row
    assert measure.outcome == "rolled-back"
    assert measure.rto_censored  # nobody puts it right
    assert measure.lost_writes > 0


def test_reconciling_in_the_rollback_ends_the_errors() -> None:
    release = {"defects": [BAD], "strategy": CANARY, "guardrails": [GUARDRAIL], "reconcile": RECONCILE}
    measure, events = played(scenario(release={**release, "rollback": ["route-back", "retire", "reconcile"]}))
    (began, _, _), (ended, _, _) = story(events, "reconcile")
    rows = next(event.detail["rows"] for event in events if event.kind == "reconcile")
    assert ended - began == pytest.approx(5.0 + 0.01 * rows)
    assert rows == pytest.approx(0.3 * 0.2 * 100 * (began - 10), rel=0.3)
    assert (measure.rto_censored, measure.lost_writes) == (False, 0)


def test_what_cannot_be_reconciled_is_lost() -> None:
    release = {"defects": [BAD], "strategy": CANARY, "guardrails": [GUARDRAIL]}
    release |= {"reconcile": {"leaves": "100%"}, "rollback": ["route-back", "retire", "reconcile"]}
    measure, events = played(scenario(release=release))
    rows = next(event.detail["rows"] for event in events if event.kind == "reconcile")
    assert measure.lost_writes == rows


def test_a_repair_answers_a_symptom_that_comes_after_the_rollback() -> None:
    """As on 2023-01-24 at Cloudflare: the code was long back when its rows began to fail."""
    crash = {"name": "crash", "probability": "100%", "errors": "60%"}
    release = {
        "defects": [crash, BAD],
        "strategy": CANARY,
        "guardrails": [GUARDRAIL],
        "rollback": ["route-back", "retire"],
        "reconcile": {"takes": "15s"},
        "repair": {"detect": "10s", "steps": ["reconcile"]},
    }
    measure, events = played(scenario(release=release))
    back_s = story(events, "rollback-end")[0][0]
    symptom_s = story(events, "bad-data")[0][0]
    assert back_s < symptom_s - 10
    assert measure.impact_start_s is not None
    assert measure.impact_start_s == pytest.approx(symptom_s, abs=1.0)
    assert measure.rto_s == pytest.approx(25.0, abs=1.0)
    assert measure.detect_s == pytest.approx(10.0, abs=1.0)
    assert measure.act_s == pytest.approx(15.0, abs=1.0)
    assert measure.lost_writes == 0


def test_who_finds_out_about_bad_data_shifts_no_draw_of_the_person_on_call() -> None:
    def decided_s(detect: object) -> float:
        release = {
            "defects": [BAD],
            "reconcile": {"takes": "15s"},
            "repair": {"detect": detect, "steps": ["reconcile"]},
        }
        times = {"acknowledge": {"exponential": {"mean": "10s"}}, "decide": {"exponential": {"mean": "5s"}}}
        _, events = played(scenario(release=release, operations={"on_call": times}))
        noticed_s, repaired_s = (story(events, kind)[0][0] for kind in ("noticed", "response-start"))
        return repaired_s - noticed_s

    assert decided_s("10s") == pytest.approx(decided_s({"uniform": {"low": "5s", "high": "20s"}}), abs=1e-6)


def test_a_restore_brings_back_the_state_before_the_release() -> None:
    store = {"size": "2GB", "backup": {"every": "1h", "restore": "200MB/s"}, "archive_every": "1s"}
    release = {"migration": MIGRATION, "defects": [BAD], "guardrails": [GUARDRAIL]}
    release |= {"rollback": ["redeploy", "route-back", "retire", "restore", "verify"]}
    measure, events = played(scenario(store, release))
    (restore,) = [event for event in events if event.kind == "restore"]
    assert restore.detail["kept_until_s"] == pytest.approx(10.0)  # the release began then
    assert measure.rpo_s == pytest.approx(restore.detail["failed_s"] - 10.0, abs=2.5)
    assert measure.outcome == "rolled-back"
    assert not measure.rto_censored


def test_a_planned_fail_over_loses_nothing() -> None:
    store = {"standbys": 1, "lag": "2s", "failover": {"detect": "1s", "promote": "3s"}}
    slow = {"name": "slow", "probability": "100%", "errors": "50%"}
    release = {
        "defects": [slow],
        "guardrails": [GUARDRAIL],
        "rollback": ["redeploy", "route-back", "retire", "fail-over"],
    }
    measure, events = played(scenario(store, release))
    (began, _, _), (ended, _, _) = story(events, "rollback-start", "fail-over")
    assert ended - began == pytest.approx(5.0)
    assert (measure.outcome, measure.lost_writes) == ("rolled-back", 0)


def test_wrong_rows_that_a_store_loses_cause_no_errors_any_more() -> None:
    store = {"size": "1GB", "backup": {"every": "1h", "age": "0s", "restore": "200MB/s"}}
    release = {"defects": [BAD], "strategy": {"canary": {"steps": [{"weight": "50%"}, {"bake": "5s"}]}}}
    release |= {"guardrails": [GUARDRAIL], "rollback": ["redeploy", "route-back", "retire", "verify"]}
    lost = [{"at": "70s", "for": "10s", "primary": {"of": "orders", "destroyed": True}}]
    measure, events = played(scenario(store, release, lost))
    # The guardrail sees the errors that begin 20 s after the first wrong row; by 70 s only old rows are wrong.
    assert [time_s for time_s, *_ in story(events, "bad-data")] == pytest.approx([30.0, 75.0], abs=0.3)
    assert measure.rto_s == pytest.approx(45.0, abs=1.0)
    assert measure.rpo_s == pytest.approx(70.0, abs=0.2)


def two_stores(backup: dict[str, Any]) -> dict[str, Any]:
    """The shop with a second store, which the new version writes to as well and which has no backup."""
    system = copy.deepcopy(BASE["system"])
    system["stores"]["orders"].update(backup)
    system["stores"]["notes"] = {"connections": 50, "service_time": "1ms"}
    system["calls"].append({"from": "web", "to": "notes", "timeout": "100ms", "writes": 1})
    return system


def test_a_restore_leaves_bad_data_where_there_is_no_backup() -> None:
    backup = {"size": "1GB", "backup": {"every": "1h", "restore": "500MB/s"}, "archive_every": "1s"}
    release = {"defects": [BAD], "guardrails": [GUARDRAIL], "rollback": ["redeploy", "route-back", "retire", "restore"]}
    both = two_stores(backup)
    del both["stores"]["notes"]
    both["calls"].pop()
    assert not played(scenario(release=release, system=both))[0].rto_censored
    measure, events = played(scenario(release=release, system=two_stores(backup)))
    assert [event.detail["phase"] for event in events if event.kind == "bad-data"] == ["start"]
    assert measure.rto_censored


def test_a_second_reconciliation_takes_no_time_for_rows_that_the_first_was_over() -> None:
    release = {
        "migration": {"store": "orders", "dual_writes": False},
        "defects": [{"name": "half", "probability": "100%", "errors": "50%"}],
        "strategy": CANARY,
        "guardrails": [GUARDRAIL],
        "rollback": ["route-back", "retire", "reconcile", "reconcile"],
        "reconcile": {**RECONCILE, "leaves": "30%"},
    }
    measure, events = played(scenario(release=release))
    rows = [event.detail["rows"] for event in events if event.kind == "reconcile" and event.detail["phase"] == "end"]
    assert rows[0] > 0
    assert rows[1] == 0
    assert 0 < measure.lost_writes < rows[0]  # what cannot be put right stays lost


def test_requests_under_way_at_the_rollback_do_not_date_the_loss_to_the_end() -> None:
    # The new version answers in 200 ms before it writes: what is routed to it before the rollback is written after it.
    release = {
        "migration": {"store": "orders", "dual_writes": False},
        "defects": [{"name": "half", "probability": "100%", "errors": "50%", "latency": "+200ms"}],
        "guardrails": [GUARDRAIL],
        "rollback": ["redeploy", "route-back", "retire"],
    }
    measure, events = played(scenario(release=release))
    (began, _, _), (ended, _, _) = story(events, "route", "rollback-end")[0], story(events, "rollback-end")[0]
    assert measure.lost_writes > 0
    assert measure.rpo_s is not None
    assert ended - began < measure.rpo_s + 0.3 < ended - began + 1.0


def test_data_that_is_gone_for_good_meets_no_rpo() -> None:
    destroyed = [{"at": "40s", "for": "30s", "primary": {"of": "orders", "destroyed": True}}]
    day = {"buy": {**BASE["functions"]["buy"], "rpo": "1d"}}
    measure, _ = played(scenario(faults=destroyed, functions=day))
    assert measure.acknowledged_writes > 0
    assert measure.met_rpo is None
    [recovery] = recoveries([measure])
    assert recovery.rpo_max_s == math.inf
    assert "at least 0 lost" in str(recovery_table([recovery]).rows)
    assert attainable("data", {"blue-green": [measure]}, {}).rows[0].rpo_s[0.95].value == math.inf
