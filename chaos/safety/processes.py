"""Processes by pid and start time, so that a reused pid is never killed."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

# psutil computes start times from the boot time, which can move by a tick when the clock is set.
_START_TOLERANCE_S = 0.05

__all__ = ["ProcessIdentity", "identify", "kill", "running"]


@dataclass(frozen=True)
class ProcessIdentity:
    """A process: its pid and when it started (seconds since the epoch)."""

    pid: int
    started_s: float


def identify(pid: int) -> ProcessIdentity:
    """The identity of a living process; raises psutil.NoSuchProcess."""
    return ProcessIdentity(pid, psutil.Process(pid).create_time())


def running(identity: ProcessIdentity) -> bool:
    """Whether this very process still runs. A zombie does not."""
    return _find(identity) is not None


def kill(identity: ProcessIdentity, timeout_s: float) -> bool:
    """SIGKILL the process, if it is still that one; True when it is gone within `timeout_s`."""
    process = _find(identity)
    if process is None:
        return True
    try:
        process.kill()
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return not running(identity)
    return True


def _find(identity: ProcessIdentity) -> psutil.Process | None:
    try:
        process = psutil.Process(identity.pid)
        same = abs(process.create_time() - identity.started_s) <= _START_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
