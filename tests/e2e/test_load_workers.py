"""Several workers share one schedule: nothing is sent twice, nothing is lost, and a worker that dies is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from chaos.load.errors import LoadFailed
from chaos.load.run import LoadRun
from chaos.load.workers import Address, Workers
from chaos.staging.ports import free_ports
from tests.e2e.drills import until, windtunnel
from tests.e2e.load_server import ROOT, Server, await_gone, load, plan

pytestmark = pytest.mark.e2e


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.thread.start()
    assert server.started.wait(10)
    yield server
    server.close()


def workers_of(run: LoadRun) -> list[psutil.Process]:
    """The workers that the load's master started."""
    return [each for each in psutil.Process(run.pid).children() if "chaos.load.worker" in each.cmdline()]


def test_workers_that_join_send_every_request_of_the_schedule_once(server: Server, tmp_path: Path) -> None:
    """Both are started first and wait for the load, as they would on other machines."""
    address = Address("127.0.0.1", free_ports(1)[0])
    command = windtunnel("load", "worker", "--master", str(address))
    joined = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    functions = (load("/ok", 100.0), load("/error", 33.0))
    try:
        with LoadRun.start(plan(server.port, *functions), tmp_path, workers=Workers(2, address)) as run:
            run.wait()
            raw = run.samples()
        for each in joined:
            _, err = each.communicate(timeout=20)
            assert each.returncode == 0, err
    finally:
        for each in joined:
            each.kill()
            each.communicate()
    assert run.problems(30.0) == []
    sent = sorted(zip(raw.function, raw.index, strict=True))
    assert sent == [*(("error", index) for index in range(33)), *(("ok", index) for index in range(100))]
    assert server.seen == {"/ok": 100, "/error": 33}
    assert Counter(raw.kind) == {"ok": 100, "error": 33}
    told = run.summary()["workers"]
    assert [each["dispatched"] for each in told] == [67, 66]
    assert {each["name"].rpartition(":")[2] for each in told} == {str(each.pid) for each in joined}
    assert run.clock_error_s > 0


def test_a_worker_goes_only_where_it_may_itself(server: Server, tmp_path: Path) -> None:
    address = Address("127.0.0.1", free_ports(1)[0])
    command = windtunnel("load", "worker", "--master", str(address), "--allow", "192.0.2.0/24")
    worker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        with pytest.raises(
            LoadFailed, match=r"ended before it was ready: .* refuses: .* load goes to 192.0.2.0/24 only"
        ):
            LoadRun.start(plan(server.port, load("/ok")), tmp_path, workers=Workers(1, address))
        _, err = worker.communicate(timeout=20)
    finally:
        worker.kill()
        worker.communicate()
    assert worker.returncode == 4
    assert "load goes to 192.0.2.0/24 only" in err
    assert not server.seen


def test_a_worker_that_would_send_something_else_takes_no_part(server: Server, tmp_path: Path) -> None:
    """One of another version, whose requests would be taken for those of the plan; and at an address of its own."""
    draws = "import numpy.random as r; drawn = r.default_rng; r.default_rng = lambda _: drawn(7)"
    (tmp_path / "sitecustomize.py").write_text(draws)
    address = Address("127.0.0.2", free_ports(1)[0])
    command = [sys.executable, "-m", "chaos.load.worker", str(address)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    worker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        with pytest.raises(LoadFailed, match=r"load worker 1 of 1 \(.*\) draws another schedule: it needs the same"):
            LoadRun.start(
                replace(plan(server.port, load("/ok")), arrivals="poisson"), tmp_path, workers=Workers(1, address)
            )
        worker.communicate(timeout=20)
    finally:
        worker.kill()
        worker.communicate()
    assert not server.seen


def test_a_taken_address_to_join_at_is_told(server: Server, tmp_path: Path) -> None:
    taken = Address("127.0.0.1", server.port)
    with pytest.raises(LoadFailed, match=rf"--load-master\(={taken}\) must be an address of this machine, and free"):
        LoadRun.start(plan(server.port, load("/ok")), tmp_path, workers=Workers(1, taken))


def test_a_killed_worker_ends_the_load_and_is_named(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=60.0), tmp_path, workers=Workers(2)) as run:
        while server.seen["/ok"] < 10:
            time.sleep(0.01)
        started = workers_of(run)
        assert len(started) == 2
        started[0].kill()
        until(lambda: not run.running)
        raw = run.samples()
    assert f":{started[0].pid}) was lost at" in run.ended_because
    assert f"the load ended early: {run.ended_because}" in run.problems(60.0)
    # What was due by then is there once, also what the lost one could not tell any more.
    assert len(raw) >= server.seen["/ok"]
    assert len(set(zip(raw.function, raw.index, strict=True))) == len(raw)
    (lost,) = [each["lost_at_s"] for each in run.summary()["workers"] if each["lost_at_s"] is not None]
    assert set(np.flatnonzero(run.schedule.intended_s <= lost)) <= set(raw.index)
    assert all(await_gone(each.pid) for each in started)


def test_no_worker_outlives_a_killed_master(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=60.0), tmp_path, workers=Workers(2)) as run:
        started = workers_of(run)
        run.kill()
        assert len(started) == 2
        assert all(await_gone(each.pid) for each in started)
    assert run.problems(1.0) == ["the load child ended without its end line"]


def test_a_stop_ends_all_workers_and_keeps_what_they_sent(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=60.0), tmp_path, workers=Workers(2)) as run:
        while server.seen["/ok"] < 10:
            time.sleep(0.01)
        run.stop()
        raw = run.samples()
    assert run.ended_because == "terminated"
    assert len(raw) == server.seen["/ok"] == run.summary()["dispatched"]
    assert set(raw.kind) == {"ok"}
