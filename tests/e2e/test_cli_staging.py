"""The command line on the real embedded staging: up, looked at, refused twice, down, all in order."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.drills import runs
from windtunnel.cli.exits import ExitCode

pytestmark = pytest.mark.e2e
TIMEOUT_S = 90.0


def windtunnel(state: Path, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON document of a command line, run as a user would."""
    result = subprocess.run(
        [sys.executable, "-m", "windtunnel", *arguments, "--state", str(state), "--json"],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    return result.returncode, json.loads(result.stdout)


def test_up_status_down(tmp_path: Path) -> None:
    state = tmp_path / "staging"
    try:
        code, up = windtunnel(state, "staging", "up")
        assert code == 0
        assert up["state_dir"] == str(state)
        code, status = windtunnel(state, "staging", "status")
        assert code == 0
        assert status["flag_source"] == "none"  # it is of a release without one
        pids = [component["pid"] for component in status["components"]]
        assert all(runs(pid) for pid in pids)
        code, refused = windtunnel(state, "staging", "up")
        assert code == ExitCode.USAGE
        assert refused["error"]["kind"] == "StagingAlreadyUp"
    finally:
        code, down = windtunnel(state, "staging", "down")
    assert code == 0
    assert set(pids) <= set(down["stopped"])
    assert not any(runs(pid) for pid in pids)
    assert windtunnel(state, "staging", "status")[0] == ExitCode.USAGE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda each: each.name)
def test_interrupted_drill_takes_its_staging_down(number: signal.Signals, tmp_path: Path) -> None:
    """Two signals while the staging comes up, before the drill's own handling of them, leave nothing."""
    state = tmp_path / "staging"
    command = [sys.executable, "-m", "windtunnel", "drill", "shop-release", "--state", str(state)]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "runs")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as drill:  # fmt: skip
        assert drill.stderr is not None
        try:
            for line in drill.stderr:
                if "ready" in line or "started" in line:
                    break
            drill.send_signal(number)
            time.sleep(0.1)  # any time: it is at its end then, or on the way there
            drill.send_signal(number)
            _, error = drill.communicate(timeout=TIMEOUT_S)
        finally:
            if drill.poll() is None:
                drill.kill()
    assert drill.returncode == 128 + number, error
    assert "Traceback" not in error
    assert windtunnel(state, "staging", "status")[0] == ExitCode.USAGE
    assert [each for each in psutil.process_iter(["cmdline"]) if _mentions(each, state)] == []


def _mentions(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in word for word in process.info["cmdline"] or ())
