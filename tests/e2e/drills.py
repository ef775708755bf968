"""Drills for tests: the shop's release with short bakes, run as a user runs it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from evidence.record import RunRecord
from scenarios.loading import read

DRILL_TIMEOUT_S = 300.0
# For what must come, and comes at once where nobody else is at work: no promise, and never waited out by a test that
# passes.
PATIENCE_S = 180.0

_SHORT = {
    "duration: 36s": "duration: 20s",
    "window: 3s, consecutive: 12": "window: 2s, consecutive: 4",
    "at: 10s\n": "at: 6s\n",
    "{weight: 20%}, {bake: 8s}, {weight: 60%}, {bake: 8s}": "{weight: 50%}, {bake: 4s}",
    "{at: 12s, for: 6s,": "{at: 7s, for: 4s,",
}

# For drills that end in an error: slow answers, beside other drills, are no sick baseline, and few disturb those.
QUIET = {
    "rate: 50/s": "rate: 10/s",
    "rate: 40/s": "rate: 10/s",
    ', p99: "<= 600ms"': "",
    ', p99: "<= 500ms"': "",
}


def short_shop(folder: Path, **changes: str) -> Path:
    """A file with the shop's release made short; `changes` are further texts to replace."""
    text = read("shop-release").text
    for old, new in {**_SHORT, **{key: value for key, value in changes.items() if key in text}}.items():
        assert old in text, f"the shop's release no longer says {old!r}"
        text = text.replace(old, new)
    path = folder / "short-shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def windtunnel(*arguments: str) -> list[str]:
    """A command line of the project."""
    return [sys.executable, "-m", "windtunnel", *arguments]


def start_drill(scenario: Path, state: Path, runs: Path, *arguments: str) -> subprocess.Popen[str]:
    """A drill in a process group of its own, with JSON on its standard output."""
    command = windtunnel("drill", str(scenario), "--state", str(state), "--out", str(runs), "--json", *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def only_record(runs: Path) -> RunRecord:
    """The one record in a folder of runs."""
    folders = [path for path in runs.iterdir() if path.is_dir()]
    assert len(folders) == 1, folders
    return RunRecord.open(folders[0])


def wait_for(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Poll until the condition holds; its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)


def until(condition: Callable[[], Any]) -> None:
    """Poll until the condition holds."""
    wait_for(condition, PATIENCE_S, "the condition")


def kinds_so_far(runs: Path) -> list[str]:
    """Kinds of the events that the run in progress has written."""
    if not runs.is_dir() or not any((path / "run.json").exists() for path in runs.iterdir()):
        return []
    return [str(event.kind) for event in only_record(runs).events()]


def await_event(drill: subprocess.Popen[str], runs: Path, kind: str) -> None:
    """Until the drill's record has an event of this kind; what it says instead, when it ends before that."""

    def there() -> bool:
        over = drill.poll() is not None
        if kind in kinds_so_far(runs):
            return True
        assert not over, (drill.returncode, *drill.communicate())
        return False

    wait_for(there, DRILL_TIMEOUT_S, f"an event {kind}")


def processes_naming(*paths: Path) -> list[psutil.Process]:
    """Processes whose command line names one of the paths, or that run in one of them."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join([*process.cmdline(), process.cwd()])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if any(str(path) in words for path in paths):
            found.append(process)
    return found


def runs(pid: int) -> bool:
    """Whether a process runs; one that only waits for init to reap it does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
