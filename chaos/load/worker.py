"""A process that sends its share of a load, as a worker of a Locust master (`chaos.load.master`).

    python -m chaos.load.worker HOST:PORT [--allow NETWORK]... [--with-stdin]

It waits for the master for some minutes, serves one load and ends. It holds the target to the plan's networks
and to those that it is allowed itself (loopback). It never outlives its master: it ends at once when it hears no
heartbeat for 4 s, or, with --with-stdin, when its stdin ends.
"""

# isort: off
from chaos.load.sender import Load, dispatching, freeze, play, raise_file_limit  # imports locust: must come first

# isort: on
import argparse
import os
import signal
import socket
import sys
import time
from typing import Any, NoReturn

import gevent
from gevent.event import AsyncResult
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from chaos.load.clock import Clock, clock_between, error_over
from chaos.load.errors import LoadError, PlanRefused, TargetRefused
from chaos.load.harness_pipe import await_end
from chaos.load.messages import CLOCK, ENDED, GO, HELLO, PLAN, PLANNED, REFUSED, ROWS, SILENT_S, STOP, home
from chaos.load.plan import LoadPlan
from chaos.load.raw_file import Lines
from chaos.load.target import LOOPBACK, is_loopback, resolve_target
from chaos.load.workers import Address

__all__ = ["main"]

CLOCK_ASKED = 20
CLOCK_PATIENCE_S = 2.0
FAILED_CODE = 4


class Rows(Lines):
    """Rows of raw samples, which go to the master."""

    def __init__(self, runner: WorkerRunner) -> None:
        super().__init__()
        self._runner = runner

    def _hand_on(self, lines: list[str]) -> None:
        self._runner.send_message(ROWS, {"count": len(lines), "lines": "\n".join(lines)})


class Worker:
    """One load's worker, from its master's plan to its own last row."""

    def __init__(self, environment: Environment, runner: WorkerRunner, allowed: tuple[str, ...]) -> None:
        self._environment = environment
        self._runner = runner
        self._allowed = allowed
        self._load: Load | None = None
        self._heard_s = time.monotonic()
        self._told: dict[str, AsyncResult[dict[str, Any]]] = {name: AsyncResult() for name in (PLAN, GO, CLOCK)}
        for name in self._told:
            runner.register_message(name, self._hear)
        runner.register_message(STOP, self._stop)
        runner.register_message(REFUSED, self._refused)
        environment.events.heartbeat_received.add_listener(self._heartbeat)  # type: ignore[no-untyped-call]

    def serve(self) -> bool:
        """Take one load and see it through; whether all of it was sent. Raises LoadError when it is refused."""
        gevent.spawn(self._watch_master)
        clock = self._clock()
        self._runner.send_message(HELLO, {"name": f"{socket.gethostname()}:{os.getpid()}", "pid": os.getpid()})
        told = self._told[PLAN].get()
        rows = Rows(self._runner)
        try:
            load = self._load = self._accepted(told, rows)
        except LoadError as error:
            self._runner.send_message(REFUSED, {"why": str(error)})
            self._runner.greenlet.join(timeout=SILENT_S)  # until the master has heard, and says quit
            raise
        self._environment.user_classes = [dispatching(load)]
        freeze()
        self._runner.send_message(PLANNED, {"clock_error_s": clock.error_s, "schedule": load.schedule.digest()})
        load.start_at_s = self._told[GO].get()["start_at_s"] - clock.ahead_s
        flusher = gevent.spawn(rows.flush_for_ever)
        summary = play(load, lambda: self._runner.start_worker({"Dispatching": 1}))
        flusher.kill()
        rows.flush()
        clock_error_s = error_over(clock, self._clock())
        self._runner.send_message(ENDED, {**summary, "clock_error_s": clock_error_s})
        self._runner.greenlet.join()  # until the master says quit
        return bool(summary["end"] == "schedule")

    def stop(self, reason: str) -> None:
        """Send nothing more, and end; at once when no load has begun."""
        if self._load is None:
            _die(reason)
        self._load.stop(reason)

    def _accepted(self, told: dict[str, Any], rows: Rows) -> Load:
        plan = LoadPlan.from_json(told["plan"])
        target = resolve_target(plan.base_url, self._allowed)
        if is_loopback(target.address) and told["home"] != home():
            raise TargetRefused(f"base_url(={plan.base_url}): the loopback of the master is not the one of this worker")
        return Load(plan, rows, told["share"], told["of"])

    def _clock(self) -> Clock:
        """The master's clock beside ours."""
        asked = []
        for number in range(CLOCK_ASKED):
            self._told[CLOCK] = AsyncResult()
            asked_s = time.monotonic()
            self._runner.send_message(CLOCK, {"n": number})
            try:
                answer = self._told[CLOCK].get(timeout=CLOCK_PATIENCE_S)
            except gevent.Timeout:
                continue
            if answer["n"] == number:  # and not one that was given up before
                asked.append((asked_s, float(answer["at_s"]), time.monotonic()))
        if not asked:
            _die(f"the master did not tell its time, asked {CLOCK_ASKED} times")
        return clock_between(asked)

    def _hear(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        self._told[msg.type].set(msg.data)

    def _stop(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        if self._load is None:
            _die(str(msg.data["reason"]))
        self._load.stop(str(msg.data["reason"]), abort=bool(msg.data["abort"]))

    def _refused(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        _die(str(msg.data["why"]))

    def _heartbeat(self, **_told: object) -> None:
        self._heard_s = time.monotonic()

    def _watch_master(self) -> None:
        while (silent_s := time.monotonic() - self._heard_s) < SILENT_S:
            gevent.sleep(SILENT_S - silent_s)
        _die(f"no heartbeat of the master for {SILENT_S:g} s")


def _die(reason: str) -> NoReturn:
    """End now, and every connection with us: there is nobody left to tell of what is under way."""
    sys.stderr.write(f"load worker: {reason}\n")
    sys.stderr.flush()
    os._exit(FAILED_CODE)


def _die_with_stdin() -> None:
    await_end()
    _die("stdin ended: whoever started this worker is gone")


def main(arguments: list[str]) -> int:
    """Serve one load."""
    parser = argparse.ArgumentParser(prog="python -m chaos.load.worker")
    parser.add_argument("master")
    parser.add_argument("--allow", action="append")
    parser.add_argument("--with-stdin", action="store_true")
    given = parser.parse_args(arguments)
    raise_file_limit()
    if given.with_stdin:
        gevent.spawn(_die_with_stdin)
    try:
        master = Address.parse(given.master, "master")
    except PlanRefused as error:
        parser.error(str(error))
    environment = Environment(user_classes=[], catch_exceptions=False)
    try:
        runner = environment.create_worker_runner(master.host, master.port)
    except ConnectionError:
        _die(f"there is no master at {master}")
    worker = Worker(environment, runner, tuple(given.allow or LOOPBACK))
    gevent.signal_handler(signal.SIGTERM, worker.stop, "terminated")
    gevent.signal_handler(signal.SIGINT, worker.stop, "interrupted")
    try:
        sent = worker.serve()
    except LoadError as error:
        _die(str(error))
    runner.client.close(linger=0)  # type: ignore[no-untyped-call]
    return 0 if sent else FAILED_CODE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
