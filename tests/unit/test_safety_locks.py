"""One drill and one undo at a time, and no stale lock after a SIGKILL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.safety.errors import SafetyError, StagingBusy
from chaos.safety.locks import DRILL_LOCK, HEAL_LOCK, hold

HOLDER = """
import sys, time
from pathlib import Path
from chaos.safety.locks import hold
with hold(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_holders_are_refused_naming_the_pid_and_sigkill_frees(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), DRILL_LOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with (
                pytest.raises(StagingBusy, match=rf"drill.lock is held by pid {holder.pid}"),
                hold(tmp_path, DRILL_LOCK),
            ):
                pass
            with hold(tmp_path, HEAL_LOCK):
                pass  # the other lock is free: the watchdog can heal under a hung harness
        finally:
            holder.kill()
            holder.wait(5)
    with hold(tmp_path, DRILL_LOCK):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(SafetyError, match=r"missing: heal.lock cannot be opened"),
        hold(tmp_path / "missing", HEAL_LOCK),
    ):
        pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), hold(tmp_path, HEAL_LOCK):
        raise ValueError("inside")
    with hold(tmp_path, HEAL_LOCK):
        pass
