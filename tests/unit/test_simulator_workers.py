"""Workers end when their parent is interrupted, and when it is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0

# Far more work than the test waits for.
ENDLESS = """
from scenarios.loading import load
from simulator.replications import simulate
scenario, source = load("shop-release")
def tell(done, _):
    if done == 3:
        print("working", flush=True)
simulate(scenario, source.text, replications=1_000_000, processes=2, progress=tell)
"""


@pytest.fixture
def simulation() -> subprocess.Popen[str]:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def until(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("whom", ["parent", "group"])
def test_an_interrupt_ends_everything(simulation: subprocess.Popen[str], whom: str) -> None:
    workers = psutil.Process(simulation.pid).children()
    assert len(workers) == 2
    (os.kill if whom == "parent" else os.killpg)(simulation.pid, signal.SIGINT)
    _, errors = simulation.communicate(timeout=DEADLINE_S)
    assert simulation.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "ForkProcess" not in errors
    assert not any(worker.is_running() for worker in workers)


def test_workers_do_not_outlive_a_killed_parent(simulation: subprocess.Popen[str]) -> None:
    workers = psutil.Process(simulation.pid).children()
    assert len(workers) == 2
    simulation.kill()
    simulation.wait(DEADLINE_S)
    gone = (psutil.STATUS_ZOMBIE,)  # nobody reaps orphans in a container without an init
    assert until(lambda: all(not worker.is_running() or worker.status() in gone for worker in workers))
