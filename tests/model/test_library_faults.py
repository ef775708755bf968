"""The library's bad days that no release has made, and its release train: what their numbers say must come out."""

import numpy as np
import pytest

from tests.model.test_library_process import measures

SILENCE = ("  suppression: {during: release}\n", "")
WEDNESDAY = 'start: "2026-11-25 14:00"'


def test_a_standby_that_is_away_stops_all_writes_and_a_primary_that_is_cut_off_loses_none() -> None:
    one = measures("sync-replication", replications=20)
    # 45 s of waiting, of which the last second's statements are answered in time; then 20..30 s and 5..12 s of refusal.
    assert {row.rto_s for row in one} <= {44.0, 44.5, 45.0}
    assert np.mean([row.failed for row in one]) == pytest.approx(20 * (44 + 25 + 8.5), abs=4 * 20 * 3.5 / np.sqrt(20))
    assert {(row.lost_writes, row.rpo_s) for row in one} == {(0, 0.0)}
    two = measures("sync-replication", ("standbys: 1", "standbys: 2"), replications=20)
    assert all(25 - 0.5 <= row.rto_s <= 42 + 0.5 for row in two)
    assert np.mean([row.failed for row in two]) == pytest.approx(20 * (25 + 8.5), abs=4 * 20 * 3.5 / np.sqrt(20))
    behind = ("replication: sync", "lag: 2s")
    loses = measures("sync-replication", behind, replications=5)
    assert all(1.0 < (row.rpo_s or 0.0) <= 2.0 and row.lost_writes > 0 for row in loses)
    assert all(row.rto_s <= 42 + 0.5 for row in loses)  # and does not wait for its standby


def test_a_limit_blames_the_release_for_what_the_old_version_suffers_too() -> None:
    good = measures("blamed-release", defects=[], replications=8)
    assert {row.outcome for row in good} == {"promoted"}
    # All orders fail while a link is cut or the provider is out: 15 a second for 90 s and for 120 s.
    assert np.mean([row.failed for row in good]) == pytest.approx(15 * 210, abs=4 * np.sqrt(15 * 210 / 8))
    assert {row.rto_s for row in good} <= {119.0, 120.0, 121.0, 122.0}
    decides = measures("blamed-release", ("action: note", "action: rollback"), defects=[], replications=8)
    assert {row.outcome for row in decides} == {"rolled-back"}
    # At the cut, whose second second holds more failures than 5 % of the minute before.
    assert all(540 < row.trip_after_s < 560 for row in decides if row.trip_after_s is not None)
    bad = measures("blamed-release", defects=["rejects-vouchers"], replications=8)
    assert {row.outcome for row in bad} == {"rolled-back"}
    assert all(row.release_duration_s is not None and row.release_duration_s < 3 * 60 for row in bad)


def test_a_train_leaves_by_the_calendar_or_not_at_all() -> None:
    late = measures("release-train", (WEDNESDAY, 'start: "2026-11-27 14:00"'), replications=5)
    assert {(row.outcome, row.release_duration_s) for row in late} == {("skipped", None)}
    morning = measures("release-train", (WEDNESDAY, 'start: "2026-11-27 10:00"'), defects=[], replications=5)
    assert {row.outcome for row in morning} == {"promoted"}


def test_who_goes_slowly_is_in_the_dark_for_longer() -> None:
    def heard(*changes: tuple[str, str]) -> tuple[list[float], float]:
        """After how long the guardrail tripped, in each bad release, and how many requests failed on average."""
        rows = measures("release-train", *changes, defects=["empty-answers"], replications=8)
        return [row.trip_after_s or 0.0 for row in rows], float(np.mean([row.failed for row in rows]))

    # Six batches of 10 s to start and a pause; the guardrail looks every 10 s.
    silent, failed = heard()
    assert all(420 <= after_s <= 430 for after_s in silent)
    slower, failed_slower = heard(("pause: 1m", "pause: 3m"))
    assert all(1140 <= after_s <= 1150 for after_s in slower)
    loud, failed_loud = heard(SILENCE)
    assert all(after_s < 180 for after_s in loud)
    assert failed_loud < failed < failed_slower
