"""The watchdog and its lease, with real processes and an empty journal: who dies, and who does not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from chaos.safety.errors import TargetBusy, WatchdogError
from chaos.safety.lease import Lease
from chaos.safety.locks import HEAL_LOCK, hold
from chaos.safety.target_lock import hold_target
from chaos.safety.watchdog import LOG_NAME
from chaos.staging.processes import identify
from tests.e2e.drills import until

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]

HARNESS = """
import subprocess, sys, time
from pathlib import Path
from chaos.safety.lease import Lease
lease = Lease(Path(sys.argv[1]), "drill-1", float(sys.argv[2]), float(sys.argv[3]))
load = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
lease.guard(load.pid)
print(load.pid, lease.process.pid, flush=True)
time.sleep(60)
"""


def events(state_dir: Path) -> list[dict[str, object]]:
    path = state_dir / LOG_NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Harness:
    """A harness in a process of its own, with a load child and a watchdog."""

    def __init__(self, state_dir: Path, lease_s: float = 30.0, deadline_s: float = 60.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HARNESS, str(state_dir), str(lease_s), str(deadline_s)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        self.load, self.watchdog = map(int, self.process.stdout.readline().split())
        self._identities = [psutil.Process(pid) for pid in (self.load, self.watchdog)]

    def end(self) -> None:
        """Whatever the test did, nothing stays."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.kill()
        self.process.wait(5)
        for process in self._identities:
            if process.is_running():
                process.kill()


@pytest.fixture
def harness_in(tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    started: list[Harness] = []

    def start(**options: float) -> Harness:
        started.append(Harness(tmp_path, **options))
        return started[-1]

    yield start
    for harness in started:
        harness.end()


def test_a_release_ends_the_watchdog_with_nothing_done(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as child:
        with Lease(tmp_path, "drill-1", lease_s=30.0, deadline_s=60.0) as lease:
            lease.guard(child.pid)
            assert lease.lost() is None
            assert os.getsid(lease.process.pid) != os.getsid(0)
        assert lease.process.returncode == 0
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()
    assert events(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_harness_dies_its_load_is_killed(
    tmp_path: Path, harness_in: Callable[..., Harness], number: int
) -> None:
    harness = harness_in()
    harness.process.send_signal(number)
    harness.process.wait(5)
    until(lambda: gone(harness.load) and gone(harness.watchdog))
    log = events(tmp_path)
    assert log[0]["reason"] == "the harness closed the socket"
    assert [row["event"] for row in log] == ["acting", "killed", "killed", "clean"]


def test_a_full_disk_costs_the_log_and_not_the_healing(tmp_path: Path, harness_in: Callable[..., Harness]) -> None:
    (tmp_path / LOG_NAME).symlink_to("/dev/full")
    harness = harness_in()
    harness.process.kill()
    harness.process.wait(5)
    until(lambda: gone(harness.load) and gone(harness.watchdog))
    assert b"Error" not in (tmp_path / "watchdog.err").read_bytes()


def test_a_harness_that_hangs_is_killed_after_its_lease(tmp_path: Path, harness_in: Callable[..., Harness]) -> None:
    harness = harness_in(lease_s=0.5)
    os.kill(harness.process.pid, signal.SIGSTOP)
    until(lambda: gone(harness.load) and gone(harness.watchdog))
    assert harness.process.wait(5) == -signal.SIGKILL
    assert events(tmp_path)[0]["reason"] == "no heartbeat for 0.5 s"


def test_a_drill_beyond_its_deadline_is_ended_though_it_beats(
    tmp_path: Path, harness_in: Callable[..., Harness]
) -> None:
    harness = harness_in(deadline_s=1.0)
    until(lambda: gone(harness.load) and gone(harness.watchdog))
    assert harness.process.wait(5) == -signal.SIGKILL
    assert events(tmp_path)[0]["reason"] == "the drill's deadline passed"


def test_a_living_harness_keeps_its_lease_by_beating(tmp_path: Path) -> None:
    # long enough for a busy machine: the harness that would be killed is this process
    with Lease(tmp_path, "drill-1", lease_s=2.0, deadline_s=60.0) as lease:
        time.sleep(3.0)
        assert lease.lost() is None
    assert events(tmp_path) == []


def test_a_dead_watchdog_is_noticed_and_nothing_may_be_injected(tmp_path: Path) -> None:
    with Lease(tmp_path, "drill-1", lease_s=30.0, deadline_s=60.0) as lease:
        lease.require()
        lease.process.kill()
        until(lambda: lease.lost() is not None)
        with pytest.raises(WatchdogError, match="ended with code -9; nothing may be injected"):
            lease.require()
        with pytest.raises(WatchdogError):
            lease.guard(os.getpid())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"guard": {"pid": %d, "started": "%s"}}\n', "the harness closed the socket"),
        ("nonsense\n", "the watchdog cannot listen: JSONDecodeError"),
    ],
)
def test_a_harness_that_dies_while_it_talks_is_still_healed_for(tmp_path: Path, said: str, reason: str) -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as harness:
        started = identify(harness.pid).started
        arguments = {
            "--state-dir": tmp_path,
            "--drill": "drill-1",
            "--lease-s": 30,
            "--deadline-s": 60,
            "--harness-pid": harness.pid,
            "--harness-started": started,
        }
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "chaos.safety.watchdog"]
            command += [str(text) for pair in arguments.items() for text in pair]
            watchdog = subprocess.Popen(command, stdin=theirs, stdout=theirs, cwd=ROOT)
        with watchdog:
            with ours, ours.makefile("r") as answers:
                assert answers.readline() == "ready\n"
                ours.sendall((said % (harness.pid, started) if "%" in said else said).encode())
                # nobody hears the answer
            assert watchdog.wait(15) == 0
        assert harness.wait(5) == -signal.SIGKILL
    log = events(tmp_path)
    assert str(log[0]["reason"]).startswith(reason)
    assert log[-1]["event"] == "clean"


HOLDER = """
import sys, time
from pathlib import Path
from chaos.safety.guard import guarded, watched
from chaos.safety.target_lock import hold_target
from tests.faults_memory_surface import MemorySurface
state_dir, token = Path(sys.argv[1]), sys.argv[3]
surface = MemorySurface()
def play(lease):
    with hold_target(token) as lock, guarded(surface, state_dir, "d", 60.0, lease=lease, locks=[lock]) as guard:
        print(guard.lease.process.pid, flush=True)
        time.sleep(60)
if sys.argv[2] == "own staging":
    with watched(state_dir, "d", 60.0) as lease:  # while the staging is brought up, there is no target yet
        play(lease)
play(None)
"""


@pytest.mark.parametrize("on", ["own staging", "running staging"])
def test_a_target_stays_taken_until_the_watchdog_of_a_dead_harness_has_healed(tmp_path: Path, on: str) -> None:
    """Whoever holds the heal lock keeps the watchdog from healing."""
    state_dir, token = tmp_path / "state", uuid.uuid4().hex
    state_dir.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state_dir), on, token],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as harness:
        assert harness.stdout is not None
        watchdog = int(harness.stdout.readline())
        with hold(state_dir, HEAL_LOCK):
            harness.kill()
            harness.wait(5)
            until(lambda: [row["event"] for row in events(state_dir)] == ["acting", "killed"])
            why = f"another drill is at the target: the watchdog of pid {harness.pid}, which is dead, until"
            with pytest.raises(TargetBusy, match=why), hold_target(token):
                pass
        until(lambda: gone(watchdog))
    assert events(state_dir)[-1]["event"] == "clean"
    with hold_target(token):
        pass


def test_locks_are_let_go_with_the_part_of_the_drill_that_has_them(
    tmp_path: Path,
) -> None:
    """As a check of the contract before the drill has: the same target, under one watchdog."""
    token = uuid.uuid4().hex
    with Lease(tmp_path, "drill-1", lease_s=30.0, deadline_s=60.0) as lease:
        for _ in range(2):
            with hold_target(token) as lock, lease.holding([lock]):
                pass
        with hold_target(token) as lock, lease.holding([lock]):
            lease.process.kill()  # what is dead holds nothing, and has nothing to let go
        with hold_target(token):
            pass


def test_a_child_that_does_not_run_cannot_be_guarded(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait(10)
    with (
        Lease(tmp_path, "drill-1", lease_s=30.0, deadline_s=60.0) as lease,
        pytest.raises(WatchdogError, match="does not run"),
    ):
        lease.guard(child.pid)


def test_a_watchdog_that_does_not_come_up_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WatchdogError, match="ended with code 1 instead of saying 'ready'"):
        Lease(tmp_path, "drill-1", lease_s=30.0, deadline_s=60.0)
