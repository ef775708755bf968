"""The load as the harness sees it: a child process that is started, followed and always stopped.

    with LoadRun.start(plan, folder) as run:
        while run.running:
            live.add(run.poll())
        raw = run.samples()

The child dies with the harness: its stdin is a pipe that only the harness holds, and its end means
stop at once. It also dies on its own at the end of its plan, whatever the harness does.
"""

import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import chaos
from chaos.load.errors import LoadFailed
from chaos.load.plan import LoadPlan
from chaos.load.raw import RawReader, RawSamples, never_reported
from chaos.load.schedule import Schedule, draw
from chaos.load.target import resolve_target
from chaos.load.workers import ALONE, Workers

__all__ = ["RAW_FILE", "LoadRun", "child_environment"]

RAW_FILE = "load.jsonl"
LOG_FILE = "load.log"
READY_WITHIN_S = 60.0  # a busy machine takes seconds to import what a worker needs, and people to start one
LEAD_S = 0.25  # from the order to start until the first possible send
GRACE_S = 5.0  # beyond its plan, before a child is killed


class LoadRun:
    """One running or finished load. Times are seconds since its start, `start_at_s`.

    For one thread at a time: polling moves the place up to which samples have been read.

    start_at_s: CLOCK_MONOTONIC at which the load's time is 0; the same clock in every process.
    """

    def __init__(self, plan: LoadPlan, folder: Path, schedule: Schedule, workers: Workers) -> None:
        self.plan = plan
        self.workers = workers
        self.path = folder / RAW_FILE
        self.log_path = folder / LOG_FILE
        self.schedule = schedule
        self.start_at_s = 0.0
        self._reader = RawReader(self.path)
        self._parts: list[RawSamples] = []
        self._ended_at_s: float | None = None
        with self.log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", *_child(self.path, workers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C is for the harness, which then stops its load
            )

    @classmethod
    def start(
        cls,
        plan: LoadPlan,
        folder: Path,
        start_at_s: float | None = None,
        workers: Workers = ALONE,
        guard: Callable[[int], None] | None = None,
    ) -> Self:
        """Start the child, wait until it is ready, and let it go.

        folder must exist and hold no load yet; it receives the raw samples and the child's log.
        start_at_s: monotonic time of the load's time 0; soon after the child is ready if None.
        workers: who sends it; those that join from elsewhere must do so within a minute.
        guard: told the child's process id before that does anything.
        Raises TargetRefused before anything is started, LoadFailed when the child is not ready.
        """
        resolve_target(plan.base_url, plan.networks)
        if (folder / RAW_FILE).exists():
            raise LoadFailed(f"{folder / RAW_FILE}: there is a load in this folder already")
        run = cls(plan, folder, draw(plan), workers)
        try:
            if guard is not None:
                guard(run.pid)
            run._await_ready()
            run._go(start_at_s)
        except BaseException:
            run.kill()
            raise
        return run

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child still sends or drains."""
        return self._child.poll() is None

    def now_s(self) -> float:
        """Seconds since the load's start; negative before it."""
        return time.monotonic() - self.start_at_s

    def poll(self) -> RawSamples:
        """Requests that ended since the last poll (late by up to 0.1 s)."""
        new = self._reader.read_new()
        if len(new):
            self._parts.append(new)
        return new

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the child's own end; by default as long as its plan can take.

        Raises LoadFailed when it does not end in time (it is killed) or ended badly.
        """
        if timeout_s is None:
            planned_s = self.plan.duration_s + self.plan.drain_s + GRACE_S
            timeout_s = max(0.0, planned_s - self.now_s())
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LoadFailed(f"load child {self.pid} did not end within {timeout_s:.1f} s") from None
        self._close()
        if code != 0:
            raise LoadFailed(f"load child {self.pid} ended with {code}: {self._log_tail()}")

    def stop(self) -> None:
        """Send nothing more, wait for what is under way, keep everything. Idempotent."""
        if self.running:
            self._signal(signal.SIGTERM)
        try:
            self._child.wait(self.plan.drain_s + GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End the child at once; what it has written is kept. Idempotent."""
        if self.running:
            self._signal(signal.SIGKILL)
        self._child.wait(GRACE_S)
        self._close()

    def samples(self) -> RawSamples:
        """Every request that was meant to be sent before the end, in order of its end.

        Call it when the child has ended. Requests that the child did not report (it was killed)
        are of kind "unfinished".
        """
        if self.running:
            raise LoadFailed(f"load child {self.pid} still runs; wait() or stop() it first")
        self.poll()
        seen = RawSamples.join(self._parts)
        names = tuple(function.name for function in self.plan.functions)
        missing = never_reported(self.schedule, names, seen, self._due(), self.plan.token)
        return RawSamples.join([seen, missing])

    def _due(self) -> NDArray[np.int64]:
        """Positions in the schedule of the requests that were meant to be sent before the end."""
        end = self._reader.end
        if end is None:
            return np.flatnonzero(self.schedule.intended_s <= self.ended_at_s)
        shares = end.get("workers", [end])
        due = [
            np.arange(number, len(self.schedule), len(shares))[: self._due_of(share, number, len(shares))]
            for number, share in enumerate(shares)
        ]
        return np.sort(np.concatenate(due))

    def _due_of(self, told: dict[str, Any], number: int, of: int) -> int:
        """How many of its share a worker was to send before the end; one that is lost cannot tell."""
        if told.get("lost_at_s") is None:
            return int(told["dispatched"])
        return int(np.searchsorted(self.schedule.share(number, of).intended_s, told["lost_at_s"], side="right"))

    @property
    def ended_at_s(self) -> float:
        """When sending ended, in seconds since the start: by plan, by order or by the child's death."""
        self.poll()
        if self._reader.end is not None:
            return float(self._reader.end["stopped_at_s"])
        return min(self._ended_at_s or 0.0, self.plan.duration_s)

    @property
    def lateness_p99_s(self) -> float:
        """99th percentile of actual minus intended send time, in seconds; NaN when nothing was sent."""
        self.poll()
        lateness_s = RawSamples.join(self._parts).lateness_s
        lateness_s = lateness_s[np.isfinite(lateness_s)]
        return float(np.quantile(lateness_s, 0.99)) if len(lateness_s) else float("nan")

    @property
    def clock_error_s(self) -> float:
        """By how much the clock of a worker may have been off at most, in seconds; 0 without workers."""
        return max((float(each["clock_error_s"]) for each in self.summary().get("workers", [])), default=0.0)

    @property
    def ended_because(self) -> str:
        """Why the ended load ended: "schedule", "terminated", or what went wrong; empty when it left no word."""
        return str(self.summary().get("end", ""))

    def problems(self, bound_s: float) -> list[str]:
        """Why the finished load must not be judged; empty when it may be.

        bound_s: the highest 99th percentile of dispatch lateness that counts as on time.
        """
        self.poll()
        end = self._reader.end
        if end is None:
            return ["the load child ended without its end line"]
        found = []
        late_s, unsure_s = self.lateness_p99_s, self.clock_error_s
        if math.isnan(late_s):
            found.append("nothing was sent")
        elif late_s + unsure_s > bound_s:
            unsure = f" (+- {unsure_s * 1e3:.1f} ms of clock)" if unsure_s else ""
            found.append(f"dispatch lateness p99 {late_s * 1e3:.1f} ms{unsure} > {bound_s * 1e3:g} ms")
        if end["generator_faults"]:
            found.append(f"{end['generator_faults']} requests failed for reasons of the generator")
        if end["end"] not in ("schedule", "terminated"):
            found.append(f"the load ended early: {end['end']}")
        reported = sum(len(part) for part in self._parts)
        if reported != end["dispatched"]:
            found.append(f"{end['dispatched']} requests dispatched, {reported} reported")
        return found

    def valid(self, bound_s: float) -> bool:
        """Whether the finished load was sent as planned."""
        return not self.problems(bound_s)

    def summary(self) -> dict[str, Any]:
        """The child's end line: dispatched, in_flight_max, generator_faults, end, workers; empty without one."""
        self.poll()
        return dict(self._reader.end or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await_ready(self) -> None:
        self._write(self.plan.to_json())
        assert self._child.stdout is not None
        readable, _, _ = select.select([self._child.stdout], [], [], READY_WITHIN_S)
        line = self._child.stdout.readline() if readable else b""
        if line.strip() != b'{"ready":true}':
            self.kill()
            what = "ended before it was ready" if readable else f"was not ready within {READY_WITHIN_S:g} s"
            raise LoadFailed(f"load child {self.pid} {what}: {self._log_tail()}")

    def _go(self, start_at_s: float | None) -> None:
        now_s = time.monotonic()
        if start_at_s is not None and start_at_s < now_s:
            raise LoadFailed(
                f"start_at_s(={start_at_s:.3f}) must not be past when the load is ready (monotonic {now_s:.3f})"
            )
        self.start_at_s = now_s + LEAD_S if start_at_s is None else start_at_s
        self._write(json.dumps({"start_at_s": self.start_at_s}))

    def _write(self, line: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line.encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            self.kill()
            raise LoadFailed(f"load child {self.pid} died: {self._log_tail()}") from None

    def _signal(self, number: signal.Signals) -> None:
        # Popen holds the child unreaped until it is waited for, so the pid cannot be another's.
        self._child.send_signal(number)

    def _close(self) -> None:
        if self._ended_at_s is None:
            self._ended_at_s = self.now_s()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def _log_tail(self) -> str:
        tail = self.log_path.read_text(errors="replace").strip()[-600:]
        if tail:
            return tail
        full = os.statvfs(self.log_path.parent).f_bavail == 0
        return f"the disk of {self.log_path.parent} is full" if full else "its log is empty"


def _child(path: Path, workers: Workers) -> list[str]:
    """The module that sends the load, or has it sent, and its arguments."""
    if workers.alone:
        return ["chaos.load.locustfile", str(path)]
    join = [] if workers.join_at is None else ["--join-at", str(workers.join_at)]
    return ["chaos.load.master", str(path), str(workers.count), *join]


def child_environment() -> dict[str, str]:
    """The child's environment: this project's packages first, and none of Locust's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    root = str(Path(chaos.__file__).resolve().parent.parent)
    # The target is a numeric address by then; the default resolver takes a thread for each look-up.
    kept["GEVENT_RESOLVER"] = "block"
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH", "")]))
    return kept
