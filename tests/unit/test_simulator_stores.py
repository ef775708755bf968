"""Stores over time: failover, restore, lag, sync replication; RTO and RPO against their closed forms."""

import math
from typing import Any

import pytest

from tests.unit.store_scenarios import played, scenario, story

RATE_PER_S = 100.0
# The oldest lost write was acknowledged this much after the moment kept, at most (once in 22,000 times it is later).
GAP_S = 10 / RATE_PER_S
ASYNC = {"standbys": 1, "lag": "5s", "failover": {"detect": "2s", "promote": "3s"}}
LOST = [{"at": "40s", "for": "30s", "primary": {"of": "orders"}}]
DESTROYED = [{"at": "40s", "for": "30s", "primary": {"of": "orders", "destroyed": True}}]
BACKUP = {"every": "20s", "restore": "200MB/s", "copy": "600MB/s", "start": "3s"}


def within(value: float, expected: float) -> bool:
    """Up to `expected`, and less by no more than the gap between writes."""
    return expected - GAP_S <= value <= expected


def test_an_async_failover_loses_what_was_acknowledged_within_the_lag() -> None:
    measure, events = played(scenario(ASYNC, faults=LOST))
    assert story(events, "store-failure", "noticed", "response-start", "fail-over", "fault-end") == [
        (40.0, "store-failure", "orders"),
        (42.0, "noticed", "orders"),
        (42.0, "response-start", "orders"),
        (45.0, "fail-over", "orders"),
        (70.0, "fault-end", "primary on orders"),
    ]
    assert (measure.rto_s, measure.detect_s, measure.act_s) == (5.0, 2.0, 3.0)
    assert within(measure.rpo_s or 0.0, 5.0)
    assert measure.lost_writes == pytest.approx(RATE_PER_S * 5.0, abs=4 * math.sqrt(RATE_PER_S * 5.0))


def test_without_detect_only_a_rollback_promotes() -> None:
    paused = {**ASYNC, "failover": {"promote": "3s"}}
    measure, _ = played(scenario(paused, faults=LOST))
    assert (measure.rto_s, measure.lost_writes) == (30.0, 0)
    watched = {"metric": "error-ratio", "of": "web", "above": "75%", "window": "2s", "minimum": 10, "every": "1s"}
    back = {"guardrails": [watched], "rollback": ["fail-over", "redeploy", "route-back", "retire", "verify"]}
    measure, _ = played(scenario(paused, back, faults=LOST))
    # After a second half of the window is bad, after the second all of it.
    assert (measure.rto_s, measure.detect_s, measure.decide_s, measure.act_s) == (5.0, 2.0, 0.0, 3.0)
    assert within(measure.rpo_s or 0.0, 5.0)


def test_lag_that_a_fault_adds_is_lost_too() -> None:
    behind = {"at": "30s", "for": "60s", "lag": {"of": "orders", "add": "10s"}}
    measure, _ = played(scenario(ASYNC, faults=[behind, *LOST]))
    assert within(measure.rpo_s or 0.0, 15.0)


def test_sync_replication_loses_nothing_and_waits_for_its_standby() -> None:
    sync = {**ASYNC, "replication": "sync"}
    del sync["lag"]
    measure, _ = played(scenario(sync, faults=LOST))
    assert (measure.rto_s, measure.rpo_s, measure.lost_writes) == (5.0, 0.0, 0)
    measure, _ = played(scenario(sync, faults=[{"at": "40s", "for": "6s", "standby": {"of": "orders"}}]))
    assert measure.rto_s == pytest.approx(6.0, abs=0.5)
    assert measure.lost_writes == 0


def test_a_crashed_primary_comes_back_with_all_it_acknowledged() -> None:
    measure, _ = played(scenario(faults=LOST))
    assert (measure.rto_s, measure.lost_writes, measure.rpo_s) == (30.0, 0, 0.0)


def test_a_primary_that_is_cut_off_comes_back_or_is_replaced_as_one_that_has_died() -> None:
    cut_off = [{"at": "40s", "for": "30s", "primary": {"of": "orders", "partitioned": True}}]
    measure, _ = played(scenario(faults=cut_off))
    assert (measure.rto_s, measure.lost_writes, measure.rpo_s) == (30.0, 0, 0.0)
    measure, events = played(scenario(ASYNC, faults=cut_off))
    assert story(events, "fail-over") == [(45.0, "fail-over", "orders")]
    # Nothing that it acknowledged beyond the lag is missed: where nobody reaches it, it acknowledges nothing.
    assert measure.rto_s == 5.0
    assert within(measure.rpo_s or 0.0, 5.0)


def test_a_primary_that_is_back_before_anybody_notices_stays() -> None:
    measure, events = played(scenario(ASYNC, faults=[{"at": "40s", "for": "1s", "primary": {"of": "orders"}}]))
    assert story(events, "fail-over", "noticed") == []
    assert (measure.rto_s, measure.rpo_s) == (1.0, 0.0)


def test_a_destroyed_store_without_a_backup_stays_gone() -> None:
    measure, _ = played(scenario(faults=DESTROYED))
    assert measure.rto_censored
    assert measure.met_rpo is None
    assert measure.lost_writes == 0
    assert measure.rpo_high_s == pytest.approx(40.0, abs=GAP_S)


@pytest.mark.parametrize("replication", range(4))
def test_a_restore_takes_size_over_throughput_and_loses_what_came_after_the_backup(replication: int) -> None:
    store = {"size": "6GB", "backup": BACKUP}
    measure, events = played(scenario(store, faults=DESTROYED), replication=replication)
    (restore,) = [event for event in events if event.kind == "restore"]
    assert restore.time_s == pytest.approx(40 + 3 + 6000 / 600 + 6000 / 200)
    age_s = restore.detail["backup_age_s"]
    assert 0 <= age_s <= 20
    assert within(measure.rpo_s or 0.0, age_s)
    assert measure.rto_s == pytest.approx(43.0, abs=0.25)


def test_a_backup_that_is_there_already_is_not_copied() -> None:
    store = {"size": "6GB", "backup": {**BACKUP, "prepositioned": True}}
    _, events = played(scenario(store, faults=DESTROYED))
    assert [time_s for time_s, *_ in story(events, "restore")] == pytest.approx([40 + 3 + 6000 / 200])


def test_backups_are_as_old_as_chance_has_it() -> None:
    store = {"size": "6GB", "backup": {**BACKUP, "every": "6h", "prepositioned": True}}
    ages_s = [played(scenario(store, faults=DESTROYED), replication=number)[0].rpo_s or 0.0 for number in range(60)]
    # Uniform over the interval: mean 3 h, standard error 6 h / sqrt(12 * 60); also those of before the load count.
    assert sum(ages_s) / 60 == pytest.approx(3 * 3600, abs=4 * 6 * 3600 / math.sqrt(12 * 60))
    assert max(ages_s) <= 6 * 3600


def test_an_archive_bounds_the_loss_whatever_the_backup() -> None:
    store: dict[str, Any] = {"size": "2GB", "backup": {**BACKUP, "every": "6h", "tested": "50%"}, "archive_every": "4s"}
    results = [played(scenario(store, faults=DESTROYED), replication=number) for number in range(12)]
    assert all((measure.rpo_s or 0.0) <= 4.0 for measure, _ in results)
    tries = [len([event for event in events if event.kind == "restore"]) for _, events in results]
    assert max(tries) > 1


def test_rto_and_rpo_do_not_hang_together() -> None:
    fast_old = {"size": "1GB", "backup": {"every": "6h", "restore": "1GB/s"}}
    slow_new = {"size": "60GB", "backup": {"every": "6h", "restore": "1GB/s"}, "archive_every": "1s"}
    quick, _ = played(scenario(fast_old, faults=DESTROYED))
    long, _ = played(scenario(slow_new, faults=DESTROYED))
    assert quick.rto_s < 2 < 59 < long.rto_s
    assert (long.rpo_s or 0.0) <= 1.0 < 40.0 < (quick.rpo_s or 0.0)


def test_two_failures_are_two_losses() -> None:
    again = {"at": "90s", "for": "10s", "primary": {"of": "orders"}}
    measure, _ = played(scenario(ASYNC, faults=[{**LOST[0], "for": "20s"}, again]))
    assert within(measure.rpo_s or 0.0, 5.0)
    assert measure.lost_writes == pytest.approx(2 * RATE_PER_S * 5.0, abs=4 * math.sqrt(2 * RATE_PER_S * 5.0))


def test_a_person_who_fails_over_takes_their_time() -> None:
    by_hand = {**ASYNC, "failover": {**ASYNC["failover"], "by": "on-call"}}  # type: ignore[dict-item]
    what = scenario(by_hand, faults=LOST, operations={"on_call": {"acknowledge": "10s", "decide": "4s"}})
    measure, _ = played(what)
    assert (measure.rto_s, measure.detect_s, measure.decide_s, measure.act_s) == (19.0, 2.0, 14.0, 3.0)


def test_two_failovers_by_a_person_take_their_own_time() -> None:
    by_hand = {**ASYNC, "failover": {**ASYNC["failover"], "by": "on-call"}}  # type: ignore[dict-item]
    faults = [{**LOST[0], "for": "20s"}, {"at": "90s", "for": "10s", "primary": {"of": "orders"}}]
    on_call = {"acknowledge": {"uniform": {"low": "1s", "high": "9s"}}, "decide": "1s"}
    _, events = played(scenario(by_hand, faults=faults, operations={"on_call": on_call}))
    pages, answers = story(events, "page"), story(events, "acknowledge")
    first, second = (answer[0] - page[0] for page, answer in zip(pages, answers, strict=True))
    assert first != second


def test_hours_fit_into_a_coarse_resolution() -> None:
    store = {"size": "10TB", "backup": {"every": "24h", "restore": "10MB/s"}, "archive_every": "5m"}
    what = scenario(
        store,
        {"at": "1h"},
        [{"at": "2d", "for": "1h", "primary": {"of": "orders", "destroyed": True}}],
        duration="20d",
        measure={"resolution": "10m", "window": "30m", "consecutive": 2},
        functions={"buy": {"path": ["web"], "rate": "2/m", "rto": "1d", "rpo": "5m", "good": {"success": ">= 90%"}}},
    )
    measure, _ = played(what)
    assert measure.rto_s == pytest.approx(1e7 / 10, abs=1200)
    assert (measure.rpo_s or 0.0) <= 300.0
    assert (measure.met_rto, measure.met_rpo) == (False, True)


@pytest.mark.parametrize("restore", ["200MB/s", "1TB/s"])
def test_what_an_old_snapshot_does_not_hold_is_lost_however_fast_it_is_restored(restore: str) -> None:
    """GitLab, 2017-01-31: a snapshot of 370 minutes before."""
    store = {"size": "1GB", "backup": {"every": "24h", "age": "0s", "restore": restore}}
    what = scenario(
        store,
        {"at": "1h"},
        [{"at": "370m", "for": "1m", "primary": {"of": "orders", "destroyed": True}}],
        duration="400m",
        measure={"resolution": "1m", "window": "5m", "consecutive": 3},
        functions={"buy": {"path": ["web"], "rate": "6/m", "rto": "1d", "rpo": "24h", "good": {"success": ">= 90%"}}},
    )
    measure, _ = played(what, replication=1)
    assert measure.rpo_s == pytest.approx(370 * 60, abs=60)
    assert measure.lost_writes == pytest.approx(370 * 6, abs=4 * math.sqrt(370 * 6))


def test_a_store_that_is_gone_is_no_collapse() -> None:
    measure, _ = played(scenario(faults=DESTROYED))
    assert measure.rto_censored
    assert not measure.collapsed
