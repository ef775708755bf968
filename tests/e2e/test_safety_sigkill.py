"""The harness is killed with SIGKILL while it holds faults: nothing of them is left a moment later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.safety.undo import heal
from chaos.safety.watchdog import LOG_NAME
from chaos.staging.config import SERVICES
from chaos.staging.embedded import Staging
from tests.e2e.drills import until

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]

HARNESS = """
import subprocess, sys, time
from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.safety.guard import guarded
from chaos.staging.embedded import Staging
from pathlib import Path
from scenarios.models import Fault
staging = Staging.attach(Path(sys.argv[1]))
context = PlanContext("drill-dies", "checkout", "2.3", "2.4")
with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-dies", 120.0, lease_s=float(sys.argv[2])) as guard:
    load = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    guard.lease.guard(load.pid)
    guard.protect_release("checkout")
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.3": 0.5, "2.4": 0.5})
    for effect in (
        {"latency": {"on": "checkout -> payments", "add": "200ms"}},
        {"cut": {"on": "edge -> catalogue"}},
        {"error": {"on": "payments", "share": "10%"}},
        {"kill": {"of": "checkout", "version": "old"}},
    ):
        guard.inject(Fault.model_validate({"at": "1s", "for": "60s", **effect}), context)
    print(load.pid, guard.lease.process.pid, flush=True)
    time.sleep(120)
"""


def snapshot(staging: Staging) -> dict[str, Any]:
    """Everything that a drill can change, as the staging itself tells it."""
    return {
        "proxies": staging.toxiproxy.proxies(),
        "shares": {service: staging.envoy.abort_share(service) for service in SERVICES},
        "replicas": {service: staging.replicas(service) for service in SERVICES},
        "ordered": {service: staging.ordered(service) for service in SERVICES},
        "routes": {service: staging.routes(service) for service in SERVICES},
    }


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def start_harness(staging: Staging) -> Iterator[Callable[[float], tuple[subprocess.Popen[bytes], int, int]]]:
    """Start a harness that holds a release and four faults; its process, its load's pid, its watchdog's pid."""
    started: list[subprocess.Popen[bytes]] = []
    helpers: list[psutil.Process] = []

    def start(lease_s: float) -> tuple[subprocess.Popen[bytes], int, int]:
        process = subprocess.Popen(
            [sys.executable, "-c", HARNESS, str(staging.state_dir), str(lease_s)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        assert process.stdout is not None
        load, watchdog = map(int, process.stdout.readline().split())
        helpers.extend([psutil.Process(load), psutil.Process(watchdog)])
        return process, load, watchdog

    yield start
    for process in started:
        assert process.stdout is not None
        process.stdout.close()
        process.kill()
        process.wait(5)
    for helper in helpers:
        if helper.is_running():
            helper.kill()
    assert heal(staging.state_dir).clean


@pytest.mark.parametrize(("number", "lease_s"), [(signal.SIGKILL, 60.0), (signal.SIGSTOP, 3.0)])
def test_the_watchdog_heals_for_a_harness_that_dies_or_hangs(
    staging: Staging,
    start_harness: Callable[[float], tuple[subprocess.Popen[bytes], int, int]],
    number: signal.Signals,
    lease_s: float,
) -> None:
    before = snapshot(staging)
    harness, load, watchdog = start_harness(lease_s)
    assert len(read_journal(staging.state_dir / JOURNAL_NAME).open_entries) == 5
    during = snapshot(staging)
    assert all(during[part] != before[part] for part in ("proxies", "shares", "replicas", "routes"))

    harness.send_signal(number)
    until(lambda: gone(watchdog))

    assert harness.wait(5) == -signal.SIGKILL
    assert gone(load)
    assert snapshot(staging) == before
    assert read_journal(staging.state_dir / JOURNAL_NAME).open_entries == ()
    log = [json.loads(line) for line in (staging.state_dir / LOG_NAME).read_text().splitlines()]
    last = log[[row["event"] for row in log].index("acting", len(log) - 9) :]
    assert [row["kind"] for row in last if row["event"] == "undo"] == ["kill", "error", "cut", "latency", "release"]
    assert last[-1]["event"] == "clean"


def test_undo_heals_when_the_watchdog_died_too(
    staging: Staging, start_harness: Callable[[float], tuple[subprocess.Popen[bytes], int, int]]
) -> None:
    before = snapshot(staging)
    harness, load, watchdog = start_harness(60.0)
    psutil.Process(watchdog).kill()
    harness.kill()
    harness.wait(5)
    until(lambda: gone(watchdog))
    assert snapshot(staging) != before
    report = heal(staging.state_dir)
    assert report.clean
    assert len(report.results) == 5
    assert snapshot(staging) == before
    assert heal(staging.state_dir).results == ()
    assert not gone(load)  # guarded by the watchdog, which is dead; the load itself ends with its parent's pipe


def test_a_harness_told_to_stop_heals_by_itself(staging: Staging) -> None:
    before = snapshot(staging)
    script = (
        HARNESS.replace("time.sleep(120)\n", "").replace(
            "    print(load.pid",
            "    load.kill(); load.wait(5)\n    print(load.pid",
        )
        + "    raise KeyboardInterrupt\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(staging.state_dir), "30"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert b"KeyboardInterrupt" in result.stderr
    assert snapshot(staging) == before
    assert read_journal(staging.state_dir / JOURNAL_NAME).open_entries == ()
