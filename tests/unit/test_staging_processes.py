"""Processes are known by pid and start, ended by it, and found by their token."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from chaos.errors import ComponentFailed, StagingError, StagingNotUp
from chaos.staging import ports, processes
from chaos.staging.config import StagingConfig
from chaos.staging.locks import FileLock
from chaos.staging.processes import ProcessId
from chaos.staging.state import Replica, State, StateFile
from tests.e2e.drills import until

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER

WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}])"


def start(folder: Path, code: str, token: str = "t") -> ProcessId:
    log = folder / "log"
    started = processes.spawn([sys.executable, "-c", code], log=log, environment={}, token=token, cwd=folder)
    until(lambda: log.exists() and "up" in log.read_text())
    return started


def test_a_process_is_stopped_and_reaped(tmp_path: Path) -> None:
    started = start(tmp_path, SLEEPER)
    assert processes.alive(started)
    assert os.getsid(started.pid) == started.pid
    assert processes.stop([started]) == []
    assert not processes.alive(started)
    assert not Path(f"/proc/{started.pid}").exists()
    assert processes.stop([started]) == []


def test_strays_are_recorded_nowhere_and_started_by_nobody_who_is(tmp_path: Path) -> None:
    """Only of this staging, and at work below the folder."""
    inside, outside = tmp_path / "data", tmp_path / "other"
    started = {}
    for name, folder, token, code in (
        ("recorded", inside, "t", WITH_CHILD),
        ("stray", inside, "t", SLEEPER),
        ("elsewhere", outside, "t", SLEEPER),
        ("another's", inside, "u", SLEEPER),
    ):
        folder.mkdir(exist_ok=True)
        (folder / "log").unlink(missing_ok=True)
        started[name] = start(folder, code, token)
    try:
        assert processes.strays("t", [started["recorded"]], inside) == [started["stray"]]
        assert processes.strays("t", [started["recorded"], started["stray"]], inside) == []
    finally:
        assert processes.stop([*processes.with_token("t"), *processes.with_token("u")]) == []


def test_one_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    started = start(tmp_path, DEAF)
    assert processes.stop([started], ladder=((signal.SIGTERM, 0.1),)) == [started]
    assert processes.stop([started], ladder=((signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0))) == []


def test_a_pid_that_now_is_another_process_is_left_alone(tmp_path: Path) -> None:
    started = start(tmp_path, SLEEPER)
    ticks, boot = started.started.split(" of ")
    try:
        assert not processes._find(replace(started, started=f"{int(ticks) - 1} of {boot}"))
        assert not processes._find(replace(started, started=f"{ticks} of another-boot"))
        assert processes._find(started)
    finally:
        processes.stop([started])
    with pytest.raises(ProcessLookupError, match=f"process {started.pid} does not run"):
        processes.identify(started.pid)


def test_a_process_is_the_same_after_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = start(tmp_path, SLEEPER)
    before_s = psutil.Process(started.pid).create_time()
    booted_s = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted_s - 3600.0)
    try:
        assert psutil.Process(started.pid).create_time() < before_s - 3599.0  # what others go by
        assert processes.alive(started)
    finally:
        assert processes.stop([started]) == []


def test_a_process_whose_name_looks_like_fields_is_told_apart(tmp_path: Path) -> None:
    """The kernel puts the name in brackets, as it is."""
    program = tmp_path / "a) S 1 (b"
    program.symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen([program, "60"]) as child:
        try:
            until(lambda: "a) S 1" in Path(f"/proc/{child.pid}/stat").read_text())
            ticks = int(processes.identify(child.pid).started.split()[0])
            assert 0.0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK") < 60.0
        finally:
            child.kill()


def test_processes_are_found_by_their_token(tmp_path: Path) -> None:
    token = os.urandom(8).hex()
    started = start(tmp_path, SLEEPER, token)
    assert processes.with_token(token) == [started]
    processes.stop([started])
    assert processes.with_token(token) == []


def test_a_process_that_is_just_being_loaded_is_told_by_its_environment(tmp_path: Path) -> None:
    """One in forty has an empty one when its start returns: of 200 at least one, but in one of a hundred runs."""
    for _ in range(200):
        with subprocess.Popen(["sleep", "60"], env={**os.environ, "A": "token"}) as child:
            try:
                assert processes.environment_of(psutil.Process(child.pid))["A"] == "token"
            finally:
                child.kill()


def test_a_process_without_any_environment_is_told_so() -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as child:
        try:
            assert processes.environment_of(psutil.Process(child.pid)) == {}
        finally:
            child.kill()


def test_what_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(ComponentFailed, match="/no/such could not be started"):
        processes.spawn(["/no/such"], log=tmp_path / "log", environment={}, token="t", cwd=tmp_path)


def test_the_log_tail_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "no log" in processes.log_tail(log)
    log.write_text("one\ntwo\nthree\n")
    assert processes.log_tail(log, 2) == "    two\n    three"


def test_ports_are_free_and_different() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    with ports.listening_socket(found) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.getsockname()[1] not in found


def test_a_promised_port_is_nobody_elses_and_its_server_may_listen() -> None:
    with ports.promised_ports(2) as promised, socket.socket() as server, socket.socket() as other:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((ports.LOOPBACK, promised[0]))
        server.listen()
        for port in promised:
            with pytest.raises(OSError, match="in use"):
                other.bind((ports.LOOPBACK, port))


def test_a_port_is_held_as_long_as_the_child_lives_that_inherited_it() -> None:
    (port,) = ports.free_ports(1)
    with ports.held([port]) as descriptors:
        child = subprocess.Popen(["sleep", "60"], pass_fds=descriptors)
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((ports.LOOPBACK, port))
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((ports.LOOPBACK, port))
            server.listen()
            with pytest.raises(StagingError, match=rf"port {port}: Address already in use"), ports.held([port]):
                pass
    finally:
        child.kill()
        child.wait(10.0)
    with socket.socket() as other:
        other.bind((ports.LOOPBACK, port))


def test_ports_lie_outside_the_range_of_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "range"
    monkeypatch.setattr(ports, "EPHEMERAL_FILE", file)
    for text, span in (
        ("32768 60999", (10_000, 32_767)),
        ("10000 40000", (40_001, 65_535)),
        ("10000 65535", (10_000, 65_535)),
        ("rubbish", (10_000, 32_767)),
    ):
        file.write_text(text)
        assert ports._span() == span


def test_the_state_is_the_same_after_a_trip_to_disk(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    with pytest.raises(StagingNotUp, match="staging up"):
        file.read()
    replica = Replica("edge", "1.0", 3, 2001, ProcessId(7, "15 of b"))
    state = State(
        "token", "secret", StagingConfig(), {"admin": 1}, components={"envoy": ProcessId(5, "25 of b")},
        replicas=(replica,), ordered={"edge": {"1.0": 1}},
    )  # fmt: skip
    file.write(state)
    assert file.read() == state
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.change(phase="up").phase == file.read().phase == "up"
    file.path.write_text('{"schema": "other"}')
    with pytest.raises(StagingError, match=r"schema\(=other\) must be"):
        file.read()
    file.path.write_text("{")
    with pytest.raises(StagingError, match="is not JSON"):
        file.read()


def test_a_lock_is_reentrant_and_excludes_other_threads(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    seen = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with other:  # another descriptor, as another process would have
            seen.append("second")

    with lock, lock:
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait(5)
        seen.append("first")
    thread.join(5)
    assert seen == ["first", "second"]
