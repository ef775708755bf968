"""The library's scenarios of data against what their numbers say must come out."""

import numpy as np
import pytest

from evidence.measures import FunctionMeasure
from scenarios.catalogue import library_file
from scenarios.loading import load, load_text
from simulator.replication import Player
from tests.model.test_library_process import measures as changed


def measures(name: str, replications: int) -> list[FunctionMeasure]:
    scenario, _ = load(library_file(name))
    player = Player(scenario, scenario.release.strategy, 1)
    return [player.measures(number)[0] for number in range(replications)]


def test_a_failover_takes_noticing_and_promoting_and_loses_the_lag() -> None:
    found = measures("failover-async", 60)
    rto_s = np.array([each.rto_s for each in found])
    # Uniform 20..30 and 3..8, to the resolution of half a second.
    assert rto_s.min() >= 22.5
    assert rto_s.max() <= 38.5
    assert abs(rto_s.mean() - 30.5) < 4 * np.sqrt((10**2 + 5**2) / 12 / 60) + 0.5
    lost = np.array([each.lost_writes for each in found])
    rpo_s = np.array([each.rpo_s for each in found])
    assert abs(np.median(rpo_s) - 0.3) < 0.3
    assert np.corrcoef(lost, rpo_s)[0, 1] > 0.95  # rate times lag
    assert abs(np.corrcoef(rto_s, rpo_s)[0, 1]) < 4 / np.sqrt(60)  # one says nothing about the other


def test_a_paused_failover_waits_for_the_rollback_and_loses_the_lag_as_ever() -> None:
    found = measures("failover-by-rollback", 60)
    # Every 5 s the guardrail looks back over 30 s of steady traffic: 17 % failed at the first look, 33 % at the second.
    assert {round(each.detect_s or 0.0) for each in found} <= {9, 10}
    assert {each.outcome for each in found} == {"rolled-back"}
    waited = [each for each in found if each.rto_s < 1200]
    # Uniform 10..30, and a minute more in one of five; to the resolution of a second.
    acts_s = np.array([each.act_s for each in waited])
    replayed = acts_s > 60
    assert (acts_s - 60 * replayed).min() >= 9
    assert (acts_s - 60 * replayed).max() <= 31
    assert abs(replayed.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / len(waited))
    assert abs((acts_s - 60 * replayed).mean() - 20) < 4 * 20 / np.sqrt(12 * len(waited))
    for each in waited:
        assert each.rto_s == pytest.approx((each.detect_s or 0.0) + (each.decide_s or 0.0) + (each.act_s or 0.0))
    assert abs(np.median([each.rpo_s or 0.0 for each in waited]) - 0.3) < 0.3
    # Whoever decides when the host is back switches over without loss.
    assert all(each.lost_writes == 0 for each in found if each.rto_s >= 1200)


def test_a_failover_left_on_needs_nobody_and_loses_the_same() -> None:
    paused = measures("failover-by-rollback", 20)
    file = library_file("failover-by-rollback")
    assert file is not None
    text = file.read_text(encoding="utf-8").replace("failover: {promote", "failover: {detect: 25s, promote")
    scenario = load_text(text, "failover-by-rollback")
    player = Player(scenario, scenario.release.strategy, 1)
    on = [player.measures(number)[0] for number in range(20)]
    assert all(25 + 9 <= each.rto_s <= 25 + 31 for each in on)
    assert [each.lost_writes for each in on] == [each.lost_writes for each in paused]
    # The rollback finds no standby left to go to.
    assert "failed" in {each.outcome for each in on}


def test_cloudflare_2023_01_24_is_predicted_although_the_code_was_long_back() -> None:
    found = measures("bad-data", 12)
    assert all(each.outcome == "rolled-back" and each.rpo_s == 0 for each in found)
    impact_s, rto_s = (np.array([getattr(each, name) for each in found]) for name in ("impact_start_s", "rto_s"))
    assert np.abs(impact_s - (10 + 55) * 60).max() < 120
    assert abs(np.median(rto_s) - 121 * 60) < 4 * 60
    assert all(each.rollback_duration_s is not None and each.impact_start_s > 25 * 60 for each in found)


def test_each_dump_that_does_not_restore_costs_an_attempt_and_a_day() -> None:
    found = measures("untested-backup", 40)
    attempt_h = 310e9 / 7.5e6 / 3600 + 310e9 / 50e6 / 3600
    for each in found:
        days = np.floor((each.rpo_s or 0.0) / 86400)
        assert each.rto_s / 3600 > 1 + (days + 1) * attempt_h - 0.5
    first = sum((each.rpo_s or 0.0) <= 86400 for each in found) / 40
    assert abs(first - 0.67) < 4 * np.sqrt(0.67 * 0.33 / 40)


def test_a_restore_loses_all_since_the_release_and_a_reconciliation_what_it_leaves() -> None:
    steps = "rollback: [redeploy, route-back, retire, {}, verify]\n"
    instead = (steps.format("restore"), steps.format("reconcile"))
    restored, reconciled = (
        changed("restore-or-reconcile", *edits, defects=["wrong-amounts"], replications=8) for edits in ([], [instead])
    )
    assert {row.outcome for row in restored + reconciled} == {"rolled-back"}
    # 24 GB at 200 MB/s, through which all of 10 orders a second fail.
    failed = [float(np.mean([row.failed for row in rows])) for rows in (restored, reconciled)]
    assert failed[0] - failed[1] == pytest.approx(10 * 120, abs=4 * np.sqrt(10 * 120 / 8))
    # Nine in ten and more of the orders between the release and the restore were acknowledged.
    lost = sum(row.lost_writes for row in restored)
    assert 9 < lost / sum(row.rpo_s or 0.0 for row in restored) < 10
    wrong = sum(row.lost_writes + (row.reconciled_rows or 0) for row in reconciled)
    left = sum(row.lost_writes for row in reconciled)
    assert left == pytest.approx(0.02 * wrong, abs=4 * np.sqrt(0.02 * wrong))
    assert 0 < left < lost / 100
    assert all(row.met_rto for row in reconciled)
    assert not any(row.met_rto for row in restored)
