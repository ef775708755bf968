"""Two drills never share a staging, and two undos never run at once.

Both are flocks on files in the staging's state directory: the kernel drops them when their holder
dies, SIGKILL included, so none is ever stale. They are two, because the watchdog must be able to
heal (heal lock) while a harness that hangs still holds the staging (drill lock).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from chaos.safety.errors import SafetyError, StagingBusy

DRILL_LOCK = "drill.lock"
HEAL_LOCK = "heal.lock"
_POLL_S = 0.02

__all__ = ["DRILL_LOCK", "HEAL_LOCK", "held", "hold", "holder", "require_no_drill"]


@contextmanager
def hold(state_dir: Path, name: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` of the staging; wait for it at most `timeout_s`.

    Raises StagingBusy, naming the holder's pid, when it stays taken.
    """
    fd = _locked(state_dir / name, time.monotonic() + timeout_s)
    try:
        with contextlib.suppress(
            OSError
        ):  # only for the message of StagingBusy: a full disk must not keep from healing
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _locked(path: Path, deadline_s: float) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SafetyError(f"staging {path.parent}: {path.name} cannot be opened: {error}") from error
    try:
        while not _try_lock(fd):
            if time.monotonic() >= deadline_s:
                raise StagingBusy(
                    f"staging {path.parent}: {path.name} is held by {_holder(fd)}; "
                    "one drill and one undo at a time may use a staging"
                )
            time.sleep(_POLL_S)
    except BaseException:
        os.close(fd)
        raise
    return fd


def held(state_dir: Path, name: str) -> bool:
    """Whether somebody holds the lock `name` of the staging now."""
    try:
        fd = os.open(state_dir / name, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(fd)
    finally:
        os.close(fd)


def require_no_drill(state_dir: Path) -> None:
    """Raise StagingBusy, naming who drills on the staging of this folder, while somebody does."""
    if held(state_dir, DRILL_LOCK):
        with hold(state_dir, DRILL_LOCK):
            pass


def _holder(fd: int) -> str:
    """Who wrote its pid there."""
    pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return holder(int(pid)) if pid.isdecimal() else "pid unknown"


def holder(pid: int) -> str:
    """Who took a lock; when that is dead, whoever it gave the lock to."""
    if psutil.pid_exists(pid):
        return f"pid {pid}"
    return f"the watchdog of pid {pid}, which is dead, until what that did is undone"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
