"""The healthy-baseline gate and the stop conditions, signals included."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.safety import guard
from chaos.safety.baseline import require_healthy
from chaos.safety.errors import BaselineUnhealthy, DrillStopped, NoDrill, SafetyError
from chaos.safety.locks import DRILL_LOCK, hold
from chaos.safety.stop import ABORT_FILE, Abort, StopConditions, abort_asked, abort_on_signals, ask_to_abort


def conditions(tmp_path: Path, lost: str | None = None, abort: Abort | None = None) -> StopConditions:
    return StopConditions(60.0, 10.0, tmp_path / ABORT_FILE, lambda: lost, abort=abort or Abort())


def test_a_good_baseline_passes_on_its_last_windows() -> None:
    require_healthy({"checkout": [False, True, True, True]}, consecutive=3)


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ({}, "no business function was observed"),
        ({"checkout": []}, "checkout had 0 windows whose requests had all ended, of the 3 needed"),
        ({"checkout": [True, True]}, "checkout had 2 windows whose requests had all ended"),
        ({"browse": [True] * 3, "checkout": [True, False, True]}, "checkout had 2 good"),
    ],
)
def test_an_unhealthy_or_unobserved_baseline_is_refused(windows: dict[str, list[bool]], reason: str) -> None:
    with pytest.raises(BaselineUnhealthy, match=reason):
        require_healthy(windows, consecutive=3)


def test_no_condition_holds(tmp_path: Path) -> None:
    conditions(tmp_path).check(60.0, {"checkout": 10.0}, {"checkout": 3})


def test_each_condition_stops_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DrillStopped, match=r"60.5 s > 60 s") as deadline:
        conditions(tmp_path).check(60.5, {}, {})
    with pytest.raises(DrillStopped, match=r"checkout has been down for 10.5 s > 10 s") as down:
        conditions(tmp_path).check(1.0, {"browse": 0.0, "checkout": 10.5}, {})
    with pytest.raises(DrillStopped, match="ended with code -9") as lost:
        conditions(tmp_path, lost="watchdog 7 ended with code -9").check(1.0, {}, {})
    with pytest.raises(DrillStopped, match=r"browse has 4 failed requests > 3.5 of its error budget") as budget:
        replace(conditions(tmp_path), failures_allowed={"checkout": 0.0, "browse": 3.5}).check(1.0, {}, {"browse": 4})
    with pytest.raises(DrillStopped, match="safety lever is on: month end") as lever:
        replace(conditions(tmp_path), lever=lambda: "month end").check(1.0, {}, {})
    (tmp_path / ABORT_FILE).touch()
    with pytest.raises(DrillStopped, match=r"no reason was given \(the file") as abort:
        conditions(tmp_path).check(1.0, {}, {})
    names = [stop.value.condition for stop in (deadline, down, lost, budget, lever, abort)]
    assert names == ["deadline", "down-too-long", "watchdog-lost", "error-budget", "lever", "abort"]


def test_an_abort_needs_a_drill_and_carries_its_reason(tmp_path: Path) -> None:
    with pytest.raises(NoDrill, match="no drill runs here"):
        ask_to_abort(tmp_path, "too late")
    assert not (tmp_path / ABORT_FILE).exists()
    with hold(tmp_path, DRILL_LOCK):
        ask_to_abort(tmp_path, "customers call")
    with pytest.raises(DrillStopped, match="stop asked for: customers call"):
        conditions(tmp_path).check(1.0, {}, {})


def test_an_abort_that_cannot_be_read_or_given_is_told(tmp_path: Path) -> None:
    """As one of another user, whose drill or word it is."""
    (tmp_path / ABORT_FILE).mkdir()
    with pytest.raises(DrillStopped, match="stop asked for: the reason cannot be read: Is a directory"):
        conditions(tmp_path).check(1.0, {}, {})
    with hold(tmp_path, DRILL_LOCK), pytest.raises(SafetyError, match="its drill cannot be aborted: Is a directory"):
        ask_to_abort(tmp_path, "customers call")
    (tmp_path / ABORT_FILE).rmdir()
    before = os.umask(0o077)  # of somebody who lets nobody read what he writes
    try:
        with hold(tmp_path, DRILL_LOCK):
            ask_to_abort(tmp_path, "customers call")
    finally:
        os.umask(before)
    assert (tmp_path / ABORT_FILE).stat().st_mode & 0o444 == 0o444


def test_whoever_aborts_while_the_watchdog_starts_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ABORT_FILE).write_text("meant for the last drill")

    class StartingLease(nullcontext[None]):
        def __init__(self, state_dir: Path, *_: object) -> None:
            super().__init__()
            assert abort_asked(state_dir / ABORT_FILE) is None
            ask_to_abort(state_dir, "at once")

    monkeypatch.setattr(guard, "Lease", StartingLease)
    with guard.watched(tmp_path, "drill-1", 60.0):
        assert abort_asked(tmp_path / ABORT_FILE) == "at once"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_orderly_stop_and_handlers_come_back(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    abort = Abort()
    with abort_on_signals(abort):
        os.kill(os.getpid(), number)
        assert abort.wait(5.0)
        os.kill(os.getpid(), number)  # an impatient second one does not break the undo
    assert signal.getsignal(number) == before
    with pytest.raises(DrillStopped, match=number.name):
        conditions(tmp_path, abort=abort).check(1.0, {}, {})


def test_an_ignored_hangup_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        abort = Abort()
        with abort_on_signals(abort):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert abort.reason is None
    finally:
        signal.signal(signal.SIGHUP, before)
