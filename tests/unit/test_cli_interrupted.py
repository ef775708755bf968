"""`windtunnel rare` and `compare --control-variate` ended by a signal: what was played is told, or told to be lost."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.unit.test_cli_rare import CALM
from windtunnel.cli.exits import ExitCode

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0

Started = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Starts a command line in an empty folder; who still runs in the end is killed."""
    processes: list[subprocess.Popen[str]] = []
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "empty"
    folder.mkdir()

    def start(*arguments: str) -> subprocess.Popen[str]:
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "windtunnel", *arguments],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
    assert list(folder.iterdir()) == []


@pytest.fixture
def calm(tmp_path: Path) -> str:
    """Nothing collapses, and trajectories are short."""
    file = tmp_path / "calm.yaml"
    short = CALM.replace("warmup: auto", "warmup: 0s").replace("duration: 12s", "duration: 4s")
    file.write_text(short.replace("at: 10s", "at: 2s"))
    return str(file)


def ended(process: subprocess.Popen[str], at: str, number: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Signalled once stderr says `at`; what it wrote to stdout, and to stderr since then."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(at):
            break
    else:
        raise AssertionError(f"it ended without {at!r}")
    process.send_signal(number)
    return process.communicate(timeout=TIMEOUT_S)


def line_of(text: str, pattern: str) -> re.Match[str]:
    """The line that is as the pattern says; an AssertionError with all of them where none is."""
    found = re.search(rf"(?m)^{pattern}$", text)
    assert found is not None, text
    return found


def test_runs_of_the_splitting_that_were_done_are_told(started: Started, calm: str) -> None:
    process = started("rare", calm, "--effort", "400", "--processes", "2")
    out, err = ended(process, "runs: 4 of 16")
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, "")
    told = line_of(
        err,
        r"windtunnel: the (\d+) of 16 runs that were done tell a probability of 0 \[0, (\S+)\] \(95 %\); "
        r"the others are lost, as part of a run tells nothing",
    )
    assert 4 <= int(told[1]) < 16
    # So many plain replications without a collapse leave this open (-log(0.025) over n).
    assert float(told[2]) == pytest.approx(3.689 / (int(told[1]) * 400), rel=0.01)


def test_a_search_for_levels_is_lost_and_sigterm_is_told_in_the_document(started: Started, calm: str) -> None:
    Path(calm).write_text(Path(calm).read_text().replace("duration: 4s", "duration: 20m"))
    process = started("rare", calm, "--processes", "2", "--json")
    deadline_s = time.monotonic() + TIMEOUT_S
    while not psutil.Process(process.pid).children():  # the workers of the first pilot
        assert time.monotonic() < deadline_s
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    out, err = process.communicate(timeout=TIMEOUT_S)
    lost = "it was still looking for its levels: what was played is lost, as it tells no probability"
    assert err == f"windtunnel: terminated\nwindtunnel: {lost}\n"
    assert process.returncode == ExitCode.TERMINATED
    assert json.loads(out) == {
        "error": {"kind": "Terminated", "message": f"terminated\n{lost}"},
        "exit_code": ExitCode.TERMINATED,
    }


def test_a_comparison_by_control_variate_tells_what_its_pairs_tell_or_that_they_are_too_few(started: Started) -> None:
    arguments = (
        "compare", "shop-release", "--strategies", "canary,recreate",
        "--control-variate", "4", "-n", "400", "--processes", "1",
    )  # fmt: skip
    early, late = started(*arguments), started(*arguments)
    out, err = ended(early, "replications: 202 of 808")
    assert (early.returncode, out) == (ExitCode.INTERRUPTED, "")
    line_of(
        err,
        r"windtunnel: \d+ of 400 replications as flows, [123] of 4 of them request by request too were played "
        r"under each strategy, and are lost: an estimate takes more of the latter",
    )
    out, err = ended(late, "replications: 404 of 808")
    assert (late.returncode, out) == (ExitCode.INTERRUPTED, "")
    told = line_of(
        err,
        r"windtunnel: (\d+) of 400 replications as flows, 4 of 4 of them request by request too were played under "
        r"each strategy, and tell:",
    )
    assert 198 <= int(told[1]) < 400
    assert "Means, flows corrected request by request" in err
    assert f"{told[1]} replications as flows, 4 of them request by request as well" in err
    assert re.search(r"(?m)^checkout  canary  +\S+ %", err)
