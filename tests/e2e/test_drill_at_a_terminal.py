"""A drill watched at a terminal: what the view shows, its abort key, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from pathlib import Path

import pytest

from chaos.staging.embedded import EmbeddedStaging
from tests.e2e.drills import DRILL_TIMEOUT_S, QUIET, only_record, processes_naming, short_shop, windtunnel

pytestmark = pytest.mark.e2e


def read_until(master: int, screen: bytearray, wanted: bytes | None, timeout_s: float) -> None:
    """Read what the drill draws until `wanted` is there; None: until it ends."""
    deadline_s = time.monotonic() + timeout_s
    while wanted is None or wanted not in screen:
        left_s = deadline_s - time.monotonic()
        assert left_s > 0, screen.decode(errors="replace")[-3000:]
        if select.select([master], [], [], min(left_s, 0.5))[0]:
            try:
                data = os.read(master, 65536)
            except OSError:  # Linux's end of a terminal whose last process is gone
                data = b""
            if not data:
                assert wanted is None, screen.decode(errors="replace")[-3000:]
                return
            screen += data


def test_the_view_shows_health_and_its_key_aborts(tmp_path: Path) -> None:
    state, runs = tmp_path / "state", tmp_path / "runs"
    scenario = short_shop(tmp_path, **QUIET)
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    command = windtunnel("drill", str(scenario), "--state", str(state), "--out", str(runs))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
    drill = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
    screen = bytearray()
    try:
        read_until(master, screen, b"fault-start", DRILL_TIMEOUT_S)  # the release runs, and a fault is in force
        read_until(master, screen, b"since", 10)
        os.write(master, b"xq")  # any other key does nothing
        read_until(master, screen, b"stop asked for: key q", 30)
        after_s = time.monotonic() + DRILL_TIMEOUT_S
        while drill.poll() is None:
            assert time.monotonic() < after_s
            if select.select([master], [], [], 0.2)[0]:
                screen += os.read(master, 65536)
        assert termios.tcgetattr(slave) == before
        os.close(slave)
        slave = -1
        read_until(master, screen, None, 10)
    finally:
        drill.kill()
        drill.wait(10)
        os.close(master)
        if slave >= 0:
            os.close(slave)
        EmbeddedStaging.down(state)
    assert drill.returncode == 4
    text = screen.decode(errors="replace")
    for shown in ("DOWN OF RTO", "checkout", "2.3", "2.4", "good", "faults in force", "[q] abort and undo"):
        assert shown in text, text[-3000:]
    events = only_record(runs).events()
    assert [event.subject for event in events if str(event.kind) == "stop"] == ["abort"]
    assert {event.detail["kind"] for event in events if str(event.kind) == "undo"} == {"latency", "release"}
    assert not processes_naming(state, runs)
