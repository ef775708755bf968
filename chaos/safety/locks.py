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

__all__ = ["DRILL_LOCK", "HEAL_LOCK", "held", "hold"]


@contextmanager
def hold(state_dir: Path, name: str, timeout_s: float = 0.0, *, keep: bool = True) -> Iterator[int]:
    """Hold the lock `name` of the staging; wait for it at most `timeout_s`. Its file is deleted after, unless `keep`.

    Yields the lock's descriptor: another process that is given it holds the lock as well, for as long as it lives.
    Raises StagingBusy, naming the holder's pid, when it stays taken.
    """
    path, deadline_s = state_dir / name, time.monotonic() + timeout_s
    fd = _locked(path, deadline_s)
    while not _names(path, fd):  # whoever held it before has just deleted it
        os.close(fd)
        fd = _locked(path, deadline_s)
    try:
        with contextlib.suppress(
            OSError
        ):  # only for the message of StagingBusy: a full disk must not keep from healing
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield fd
    finally:
        if not keep:
            path.unlink(missing_ok=True)
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


def _names(path: Path, fd: int) -> bool:
    """Whether the path leads to this open file, still."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


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


def _holder(fd: int) -> str:
    """Who wrote its pid there; when that is dead, whoever it gave the lock to."""
    pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    if not pid.isdecimal():
        return "pid unknown"
    if psutil.pid_exists(int(pid)):
        return f"pid {pid}"
    return f"the watchdog of pid {pid}, which is dead, until what that did is undone"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
