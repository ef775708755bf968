"""The real child against a server that misbehaves on order: what was sent, and what is said of it."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from chaos.load.errors import LoadFailed, TargetRefused
from chaos.load.plan import LoadPlan
from chaos.load.run import RAW_FILE, LoadRun
from chaos.load.schedule import write_id
from chaos.safety.errors import WatchdogError
from tests.e2e.load_server import ROOT, Server, await_gone, load, plan

pytestmark = pytest.mark.e2e


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.thread.start()
    assert server.started.wait(10)
    yield server
    server.close()


def test_a_stall_is_seen_by_every_request_that_was_meant_to_be_sent_in_it(server: Server, tmp_path: Path) -> None:
    stall_s = 2.0
    with LoadRun.start(plan(server.port, load("/ok", 200.0), duration_s=3.5), tmp_path) as run:
        while run.now_s() < 0.5:
            time.sleep(0.01)
        server.stall(stall_s)
        run.wait()
        raw = run.samples()
    assert len(raw) == 700 == server.seen["/ok"]
    assert set(raw.kind) == {"ok"}
    # Four in seven of the requests were meant to be sent in the stall, evenly spread over it. A closed
    # loop would report one slow request a user. A busy machine may make more of them slow, and never fewer.
    assert (raw.latency_s > stall_s / 2).sum() >= 180
    assert np.quantile(raw.latency_s, 0.99) > 0.9 * stall_s


def test_every_ending_has_its_kind_and_is_tried_once(server: Server, tmp_path: Path) -> None:
    paths = ("/ok", "/error", "/redirect", "/close", "/broken", "/never")
    functions = [load(path, timeout_s=0.5 if path == "/never" else 10.0) for path in paths]
    with LoadRun.start(plan(server.port, *functions), tmp_path) as run:
        run.wait()
        raw = run.samples()
    kinds = {name: set(raw.kind[raw.function == name]) for name in set(raw.function)}
    assert kinds == {
        "ok": {"ok"}, "error": {"error"}, "redirect": {"error"}, "close": {"error"},
        "broken": {"error"}, "never": {"timeout"},
    }  # fmt: skip
    assert {path: server.seen[path] for path in server.seen} == dict.fromkeys(paths, 40)
    assert set(raw.status[raw.function == "redirect"]) == {302}
    assert set(raw.version[raw.function == "error"]) == {"edge=1,checkout=2.4"}
    timed_out = raw.where(raw.function == "never")
    assert (timed_out.finished_s - timed_out.sent_s).min() >= 0.49
    assert run.summary()["generator_faults"] == 0


def test_nothing_listening_is_refused(server: Server, tmp_path: Path) -> None:
    port = server.port
    server.close()
    with LoadRun.start(plan(port, load("/ok")), tmp_path) as run:
        run.wait()
        assert Counter(run.samples().kind) == {"refused": 40}


def test_what_is_open_at_the_end_is_recorded_as_unfinished(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/never"), drain_s=0.3), tmp_path) as run:
        run.wait()
        raw = run.samples()
        assert run.summary()["end"] == "schedule"
    assert Counter(raw.kind) == {"unfinished": 40}
    assert np.isnan(raw.finished_s).all()


def test_a_request_carries_its_ids_cohort_and_body(server: Server, tmp_path: Path) -> None:
    order = load("/order", method="POST", body='{"id": "$id", "cohort": "$cohort"}', cohorts={"beta": 0.5},
                 store="orders")  # fmt: skip
    with LoadRun.start(plan(server.port, order), tmp_path) as run:
        run.wait()
        raw = run.samples()
    sent = {json.loads(body)["id"]: (headers, json.loads(body)) for headers, body in server.requests}
    assert set(sent) == {write_id(request) for request in raw.request_id}
    for request, cohort in zip(raw.request_id, raw.cohort, strict=True):
        headers, body = sent[write_id(request)]
        assert headers["traceparent"].split("-")[1] == request
        assert headers["x-cohort"] == body["cohort"] == cohort
        assert headers["x-function"] == "order"
    assert set(raw.cohort) == {"default", "beta"}
    assert set(raw.status) == {201}


def test_samples_come_while_the_load_runs(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=30.0), tmp_path) as run:
        seen = 0
        while seen < 20 and run.running:
            seen += len(run.poll())
            time.sleep(0.02)
        assert run.running


def test_a_stop_ends_sending_waits_for_answers_and_keeps_them(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=60.0), tmp_path) as run:
        while server.seen["/ok"] < 10:
            time.sleep(0.01)
        run.stop()
        run.stop()
        raw = run.samples()
        assert run.summary()["end"] == "terminated"
        assert len(raw) == server.seen["/ok"] == run.summary()["dispatched"]
        assert set(raw.kind) == {"ok"}
        assert run.ended_at_s < 60.0
    assert await_gone(run.pid)


def test_a_killed_child_leaves_no_request_uncounted(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/never"), duration_s=60.0), tmp_path) as run:
        while server.seen["/never"] < 10:
            time.sleep(0.01)
        run.kill()
        raw = run.samples()
    due = int((run.schedule.intended_s <= run.ended_at_s).sum())
    assert len(raw) == due >= server.seen["/never"]
    assert set(raw.kind) == {"unfinished"}
    assert run.problems(1.0) == ["the load child ended without its end line"]


def test_a_load_that_was_held_up_is_not_valid(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/ok"), duration_s=1.5), tmp_path) as run:
        while server.seen["/ok"] < 10:
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(run.pid, signal.SIGCONT)
        run.wait()
        raw = run.samples()
        assert not run.valid(0.1)
        assert "dispatch lateness p99" in run.problems(0.1)[0]
    # Late, but sent; and the time spent waiting to be sent is part of the latency.
    assert Counter(raw.kind) == {"ok": 60}
    assert raw.latency_s.max() >= raw.lateness_s.max() > 0.3


def test_what_the_generator_runs_out_of_is_not_blamed_on_the_target(server: Server, tmp_path: Path) -> None:
    with LoadRun.start(plan(server.port, load("/never", 100.0), drain_s=0.3), tmp_path) as run:
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (40, 40))
        run.wait()
        raw = run.samples()
        faults = run.summary()["generator_faults"]
        assert f"{faults} requests failed for reasons of the generator" in run.problems(1.0)
    assert len(raw) == 100
    assert Counter(raw.kind) == {"error": faults, "unfinished": server.seen["/never"]}
    assert 100 > server.seen["/never"] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_no_load_outlives_a_killed_harness(workers: int, server: Server, tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.run import LoadRun
from chaos.load.workers import Workers
plan = LoadPlan("http://127.0.0.1:{server.port}", (FunctionLoad("ok", ((0.0, 50.0),)),), 120.0)
run = LoadRun.start(plan, Path({str(tmp_path)!r}), workers=Workers({workers}))
print(run.pid, flush=True)
time.sleep(120)
"""
    harness = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert harness.stdout is not None
        child = int(harness.stdout.readline())
        while server.seen["/"] < 10 and harness.poll() is None:
            time.sleep(0.01)
        senders = [child, *(each.pid for each in psutil.Process(child).children())]
    finally:
        harness.send_signal(signal.SIGKILL)
        harness.communicate(timeout=10)
    assert len(senders) == (1 if workers == 1 else 1 + workers)
    assert all(await_gone(each) for each in senders)
    ends = [json.loads(line) for line in (tmp_path / RAW_FILE).read_text().splitlines()]
    assert ends[-1]["end"] == "harness gone"
    assert ends[-1]["dispatched"] == len(ends) - 2


def test_a_target_elsewhere_is_refused_by_the_harness_and_by_the_child(tmp_path: Path) -> None:
    elsewhere = LoadPlan("http://192.0.2.1", (load("/ok"),), 1.0)
    with pytest.raises(TargetRefused, match="loopback only"):
        LoadRun.start(elsewhere, tmp_path)
    assert list(tmp_path.iterdir()) == []
    child = subprocess.run(
        [sys.executable, "-m", "chaos.load.locustfile", str(tmp_path / RAW_FILE)],
        input=elsewhere.to_json() + "\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert child.returncode != 0
    assert "loopback only" in child.stderr
    assert child.stdout == ""


def test_a_folder_takes_one_load(server: Server, tmp_path: Path) -> None:
    (tmp_path / RAW_FILE).write_text("")
    with pytest.raises(LoadFailed, match="there is a load in this folder already"):
        LoadRun.start(plan(server.port, load("/ok")), tmp_path)


def test_a_load_that_nobody_guards_does_not_begin(server: Server, tmp_path: Path) -> None:
    told: list[int] = []

    def refuse(pid: int) -> None:
        told.append(pid)
        raise WatchdogError("the watchdog is gone")

    with pytest.raises(WatchdogError):
        LoadRun.start(plan(server.port, load("/ok")), tmp_path, guard=refuse)
    assert await_gone(told[0])
    assert not server.seen
