"""The process that heals when the harness cannot: `python -m chaos.safety.watchdog`.

It runs in its own session, so a Ctrl-C at the terminal or a SIGKILL of the harness's group does not
reach it. It waits at the harness's socket (lease.py). A `release` ends it with nothing done. The end
of the socket, no beat for the lease's length, or the deadline mean that the harness is dead or as
good as dead: then it kills the harness if that still runs (a harness that wakes up later must not
inject again), kills the guarded children, heals from the journal, ends the staging that the harness
was bringing up for itself, and logs what it did to watchdog.log. Everything that healing needs is
imported before it says `ready`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

from chaos.safety.undo import HealReport, end_orphan, heal_for_the_dead
from chaos.staging.processes import ProcessId, stop

LOG_NAME = "watchdog.log"
_KILL = ((signal.SIGKILL, 5.0),)
_EXIT_UNCLEAN = 5
# As many as the kernel lets through at once.
_LOCKS_MAX = 253

__all__ = ["LOG_NAME", "main"]


@dataclass
class Watch:
    """What the watchdog knows of its drill. Times are monotonic seconds."""

    state_dir: Path
    drill_id: str
    lease_s: float
    deadline_at_s: float
    harness: ProcessId
    guarded: list[ProcessId] = field(default_factory=list)
    locks: list[int] = field(default_factory=list)
    released: bool = False

    def take(self, message: dict[str, Any]) -> str | None:
        """Act on one line of the harness; the answer to send, if any."""
        if "guard" in message:
            self.guarded.append(ProcessId(**message["guard"]))
            return "guarding"
        if "hold" in message:
            return f"holding {len(self.locks)}"  # they came with it
        if "let_go" in message:
            while self.locks:
                os.close(self.locks.pop())
            return "let go"
        if "release" in message:
            self.released = True
            return "released"
        return None  # a beat: that a line came is all it says


def wait_for_end(watch: Watch, harness: socket.socket) -> str | None:
    """Listen until the lease ends: None when it was released, else why the watchdog must act."""
    pending = b""
    beat_at_s = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(harness, selectors.EVENT_READ)
        while True:
            expires_s = min(beat_at_s + watch.lease_s, watch.deadline_at_s)
            if not selector.select(max(0.0, expires_s - time.monotonic())):
                if time.monotonic() >= watch.deadline_at_s:
                    return "the drill's deadline passed"
                return f"no heartbeat for {watch.lease_s:g} s"
            data = _received(watch, harness)
            if not data:
                return "the harness closed the socket"
            beat_at_s = time.monotonic()
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                _answer(harness, watch.take(json.loads(line)))
            if watch.released:
                return None
            if beat_at_s >= watch.deadline_at_s:
                return "the drill's deadline passed"


def _received(watch: Watch, harness: socket.socket) -> bytes:
    """The next bytes, and the locks that come with them; nothing when the harness is gone."""
    try:
        data, locks, _, _ = socket.recv_fds(harness, 65536, _LOCKS_MAX, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:  # it died without hearing an answer
        return b""
    watch.locks += locks
    return data


def _answer(harness: socket.socket, text: str | None) -> None:
    if text is not None:
        with contextlib.suppress(ConnectionError):  # it died after asking; the end of its socket says so next
            harness.sendall(text.encode() + b"\n")


def act(watch: Watch, reason: str, log: FileIO) -> int:
    """Kill what must not go on, heal, and log; the exit code."""
    _log(log, "acting", drill=watch.drill_id, reason=reason)
    for role, process in [
        ("harness", watch.harness),
        *(("guarded", child) for child in watch.guarded),
    ]:
        _log(log, "killed", role=role, pid=process.pid, gone=not stop([process], ladder=_KILL))
    try:
        report = heal_for_the_dead(watch.state_dir)
        ended = end_orphan(watch.state_dir) if report.clean else None
    except Exception as error:  # noqa: BLE001 - nobody else is left to tell
        _log(log, "unclean", error=f"{type(error).__name__}: {error}")
        return _EXIT_UNCLEAN
    _log_report(log, report if ended is None else replace(report, results=(*report.results, ended)))
    return 0 if report.clean else _EXIT_UNCLEAN


def _log_report(log: FileIO, report: HealReport) -> None:
    for result in report.results:
        _log(log, "undo", **asdict(result))
    _log(
        log,
        "clean" if report.clean else "unclean",
        torn=report.torn,
        damaged=report.damaged,
    )


def _log(log: FileIO, event: str, **detail: Any) -> None:
    """One line, on disk. A full disk costs the log, not the healing."""
    with contextlib.suppress(OSError):
        log.write(json.dumps({"at": time.time(), "event": event, **detail}).encode() + b"\n")
        os.fsync(log.fileno())


def main(argv: list[str] | None = None) -> int:
    """Watch one drill; exit code 0 when released or healed, 5 when the staging is left unclean."""
    parser = argparse.ArgumentParser(prog="python -m chaos.safety.watchdog", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--drill", required=True)
    parser.add_argument("--lease-s", type=float, required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    parser.add_argument("--harness-pid", type=int, required=True)
    parser.add_argument("--harness-started", required=True)
    given = parser.parse_args(argv)
    watch = Watch(
        given.state_dir,
        given.drill,
        given.lease_s,
        time.monotonic() + given.deadline_s,
        ProcessId(given.harness_pid, given.harness_started),
    )
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    with (watch.state_dir / LOG_NAME).open("ab", buffering=0) as log, socket.socket(fileno=0) as harness:
        _answer(harness, "ready")
        try:
            reason = wait_for_end(watch, harness)
        except Exception as error:  # noqa: BLE001 - a watchdog that cannot watch must act, not vanish
            reason = f"the watchdog cannot listen: {type(error).__name__}: {error}"
        return 0 if reason is None else act(watch, reason, log)


if __name__ == "__main__":
    sys.exit(main())
