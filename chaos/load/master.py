"""The child process that has workers send the load: a Locust master, which sends nothing itself.

    python -m chaos.load.master FILE COUNT [--join-at HOST:PORT]

To the harness it is what `chaos.load.locustfile` is: the plan and the start by stdin, "ready" by stdout, raw samples in
the file. It starts the workers on this machine, or waits for those that join; each sends every COUNT-th request of
the one schedule. With the first worker that is lost the load is not the plan's any more: it ends, and says whose.

Of Locust it takes the nodes, their messages and their heartbeats. Users are spawned by each worker on the order to go
and not by Locust's own spread of users, which would give a lost worker's user to another, and send its share twice.
"""

# isort: off
import locust  # noqa: F401  # patches the process; must come before whatever opens sockets

# isort: on
import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_MISSING, MasterRunner

from chaos.load.errors import LoadFailed
from chaos.load.harness_pipe import await_end, read_plan, read_start, say_ready
from chaos.load.messages import CLOCK, ENDED, GO, HELLO, PLAN, PLANNED, REFUSED, ROWS, STOP, home
from chaos.load.plan import LoadPlan
from chaos.load.raw_file import RawFile
from chaos.load.schedule import draw
from chaos.load.workers import Address

__all__ = ["main"]

LOOPBACK = "127.0.0.1"
LOOK_EVERY_S = 0.05
GONE_WITHIN_S = 2.0


@dataclass
class Member:
    """A worker that takes part.

    share: which one of the schedule it sends. rows: how many it has reported. lost_at_s: when it was no longer there.
    """

    node_id: str
    name: str
    share: int
    process: subprocess.Popen[bytes] | None
    planned: bool = False
    refusal: str = ""
    clock_error_s: float = 0.0
    rows: int = 0
    lost_at_s: float | None = None
    summary: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes from it."""
        return self.summary is not None or self.lost_at_s is not None

    def told(self) -> dict[str, Any]:
        """Its part of the end line."""
        summary = self.summary or {"dispatched": self.rows, "clock_error_s": self.clock_error_s}
        keys = ("end", "scheduled", "dispatched", "in_flight_max", "generator_faults", "clock_error_s")
        return {"name": self.name, "lost_at_s": self.lost_at_s, **{key: summary.get(key) for key in keys}}


@dataclass
class Master:
    """One load by several workers."""

    plan: LoadPlan
    count: int
    output: RawFile
    runner: MasterRunner
    processes: dict[int, subprocess.Popen[bytes]]
    members: dict[str, Member] = field(default_factory=dict)
    start_at_s: float = 0.0
    stopping: str = ""

    def __post_init__(self) -> None:
        self._schedule = draw(self.plan)
        hear: dict[str, Callable[[str, Any], None]] = {
            CLOCK: lambda node, data: self._say(CLOCK, {"n": data["n"], "at_s": time.monotonic()}, node),
            HELLO: self._hello,
            PLANNED: self._planned,
            REFUSED: self._refused,
            ROWS: self._rows,
            ENDED: self._ended,
        }
        for name, heard in hear.items():
            self.runner.register_message(name, lambda environment, msg, heard=heard: heard(msg.node_id, msg.data))  # noqa: ARG005

    def now_s(self) -> float:
        """Seconds since the load's start."""
        return time.monotonic() - self.start_at_s

    def gather(self, harness_gone: gevent.Greenlet) -> None:
        """Wait until all workers have the plan. Raises LoadFailed when one refuses it or is lost before."""
        while True:
            if harness_gone.ready():
                raise LoadFailed("harness gone")
            for member in self.members.values():
                if member.refusal:
                    raise LoadFailed(f"{self._called(member)} {member.refusal}")
                if self._gone(member):
                    raise LoadFailed(f"{self._called(member)} was lost before the load began")
            for process in self.processes.values():
                if process.poll() is not None:
                    raise LoadFailed(f"load worker {process.pid} ended with {process.returncode} before the load began")
            if sum(member.planned for member in self.members.values()) == self.count:
                return
            gevent.sleep(LOOK_EVERY_S)

    def play(self, start_at_s: float) -> dict[str, Any]:
        """Have all begin, and return the end line when all are over."""
        self.start_at_s = start_at_s
        for member in self.members.values():
            self._say(GO, {"start_at_s": start_at_s}, member.node_id)
        while not all(member.over for member in self.members.values()):
            for member in self.members.values():
                if not member.over and self._gone(member):
                    member.lost_at_s = max(0.0, self.now_s())
                    self.stop(f"{self._called(member)} was lost at {member.lost_at_s:.1f} s", abort=True)
            gevent.sleep(LOOK_EVERY_S)
        return self._summary()

    def stop(self, reason: str, *, abort: bool = False) -> None:
        """Have all send nothing more; with abort, or when asked again, do not wait for answers either."""
        abort = abort or bool(self.stopping)
        self.stopping = self.stopping or reason
        for member in self.members.values():
            if not member.over:
                self._say(STOP, {"reason": reason, "abort": abort}, member.node_id)

    def _summary(self) -> dict[str, Any]:
        told = [member.told() for member in sorted(self.members.values(), key=lambda each: each.share)]
        summaries = [member.summary for member in self.members.values() if member.summary is not None]
        return {
            "end": self.stopping or "schedule",
            "stopped_at_s": max([each["stopped_at_s"] for each in summaries], default=round(max(0.0, self.now_s()), 6)),
            **{key: sum(each[key] or 0 for each in told) for key in ("scheduled", "dispatched", "generator_faults")},
            "in_flight_max": sum(each["in_flight_max"] or 0 for each in told),  # at most: each had its own moment
            "workers": told,
        }

    def _called(self, member: Member) -> str:
        return f"load worker {member.share + 1} of {self.count} ({member.name})"

    def _gone(self, member: Member) -> bool:
        if member.process is not None and member.process.poll() is not None:
            return True
        client = self.runner.clients.get(member.node_id)
        return client is None or client.state == STATE_MISSING

    def _say(self, name: str, data: dict[str, Any], node_id: str) -> None:
        self.runner.send_message(name, data, node_id)

    def _hello(self, node_id: str, data: dict[str, Any]) -> None:
        """One more takes part; one that is not meant to is sent away."""
        process = self.processes.get(int(data["pid"]))
        if len(self.members) == self.count or (self.processes and process is None):
            self._say(REFUSED, {"why": f"all {self.count} workers of this load are there already"}, node_id)
            return
        member = self.members[node_id] = Member(node_id, str(data["name"]), len(self.members), process)
        told = {"plan": self.plan.to_json(), "share": member.share, "of": self.count, "home": home()}
        self._say(PLAN, told, node_id)

    def _planned(self, node_id: str, data: dict[str, Any]) -> None:
        """It draws the schedule by itself: other versions of us, or of NumPy, may draw another one."""
        member = self.members[node_id]
        member.planned, member.clock_error_s = True, float(data["clock_error_s"])
        if data.get("schedule") != self._schedule.share(member.share, self.count).digest():
            member.refusal = "draws another schedule: it needs the same versions of Windtunnel and NumPy as here"

    def _refused(self, node_id: str, data: dict[str, Any]) -> None:
        self.members[node_id].refusal = f"refuses: {data['why']}"

    def _rows(self, node_id: str, data: dict[str, Any]) -> None:
        self.members[node_id].rows += int(data["count"])
        self.output.text(str(data["lines"]))

    def _ended(self, node_id: str, data: dict[str, Any]) -> None:
        member = self.members[node_id]
        member.summary = data
        if data["end"] != "schedule" and not self.stopping:
            self.stop(f"{self._called(member)} ended early: {data['end']}", abort=True)


def _start_workers(count: int, address: Address, plan: LoadPlan) -> dict[int, subprocess.Popen[bytes]]:
    """Workers of this machine, which end with us: their stdin is a pipe that only we hold."""
    command = [sys.executable, "-m", "chaos.load.worker", str(address), "--with-stdin"]
    command += [text for network in plan.networks for text in ("--allow", network)]
    started = (subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr) for _ in range(count))
    return {process.pid: process for process in started}


def _end_workers(processes: dict[int, subprocess.Popen[bytes]]) -> None:
    for process in processes.values():
        if process.stdin is not None:
            process.stdin.close()
    for process in processes.values():
        try:
            process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(GONE_WITHIN_S)


def _watch_harness(master: Master) -> None:
    await_end()
    master.stop("harness gone", abort=True)


def _run(master: Master) -> None:
    gevent.signal_handler(signal.SIGTERM, master.stop, "terminated")
    flusher = gevent.spawn(master.output.flush_for_ever)
    gone = gevent.spawn(await_end)
    master.gather(gone)
    gone.kill()  # what stdin carries next is the start
    say_ready()
    start_at_s = read_start()
    if start_at_s is None:
        return
    master.output.header(master.plan, start_at_s)
    watcher = gevent.spawn(_watch_harness, master)
    summary = master.play(start_at_s)
    flusher.kill()
    watcher.kill()
    master.output.line(summary)
    master.output.flush()


def main(arguments: list[str]) -> int:
    """Run the plan that stdin carries."""
    parser = argparse.ArgumentParser(prog="python -m chaos.load.master")
    parser.add_argument("file", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--join-at")
    given = parser.parse_args(arguments)
    join_at = None if given.join_at is None else Address.parse(given.join_at, "join-at")
    plan = read_plan()
    try:
        where = (LOOPBACK, 0) if join_at is None else (join_at.host, join_at.port)
        runner = Environment().create_master_runner(*where)
    except RPCError as error:
        sys.stderr.write(f"--load-master(={join_at}) must be an address of this machine, and free: {error}\n")
        return 1
    processes: dict[int, subprocess.Popen[bytes]] = {}
    try:
        if join_at is None:
            processes = _start_workers(given.count, Address(LOOPBACK, runner.server.port), plan)
        with RawFile(given.file) as output:
            _run(Master(plan, given.count, output, runner, processes))
    except LoadFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        runner.quit()  # and have the workers quit
        _end_workers(processes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
