"""The child process that sends the load: one Locust user that dispatches on a schedule.

The only module that imports locust and gevent, because importing them patches the process. It runs
as `python -m chaos.load.locustfile` and talks to the harness over three files: stdin carries the
plan, then the start time, and its end means that the harness is gone; stdout says "ready" once; the
file named on the command line receives the raw samples.

Locust's own users wait for an answer before they send again (closed loop), so a stalled target
lowers the load that is meant to show the stall. Here the user only spawns a greenlet at each
intended send time and never waits for one. A request is sent once: no retry, no redirect, no cookie.
"""

# isort: off
import locust  # patches the process; must come before whatever opens sockets
# isort: on
import errno
import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gevent
import gevent.event
import gevent.os
from gevent.pool import Group
from geventhttpclient.client import HTTPClient, HTTPClientPool
from locust.env import Environment
from locust.exception import StopUser

from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.raw import COLUMNS, SCHEMA
from chaos.load.schedule import draw, request_id, write_id
from chaos.load.target import resolve_loopback

__all__ = ["main"]

FLUSH_EVERY_S = 0.05
LOOK_UP_EVERY_S = 0.2  # how soon a stop is noticed between two distant sends
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
"""Errors that say this process or host ran out of something; they are not the target's answers."""

Meta = tuple[str, int, str, float, float, str]
"""function, index, cohort, intended_s, sent_s, request id of a request that is under way"""


class OneAttemptPool(HTTPClientPool):
    """Connections are kept alive and never the reason to send a request twice.

    geventhttpclient sends a GET again, up to `pool.size + 1` times, when its connection closes
    before the answer. That would hide exactly the failures a drill is after.
    """

    def get_client(self, url: Any) -> HTTPClient:
        """The client of a URL's host and port, with no attempts left after the first."""
        client = super().get_client(url)
        client._connection_pool.size = -1  # noqa: SLF001 - there is no public switch
        return client


class Output:
    """Lines for the file of raw samples, written together every FLUSH_EVERY_S seconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._lines: list[str] = []

    def line(self, entry: object) -> None:
        """Queue one line."""
        self._lines.append(json.dumps(entry, separators=(",", ":")))

    def flush(self) -> None:
        """Write what is queued; the kernel keeps it even if this process is killed right after."""
        if self._lines:
            data = "\n".join(self._lines) + "\n"
            self._lines.clear()
            self._file.write(data.encode())

    def flush_for_ever(self) -> None:
        """Body of the flushing greenlet."""
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class Load:
    """One run of a plan: when to stop, what is under way, and what ended."""

    def __init__(self, plan: LoadPlan, output: Output) -> None:
        self.plan = plan
        self.output = output
        self.schedule = draw(plan)
        self.start_at_s = 0.0
        self.stopping = ""  # why sending stopped early, "" while it has not
        self.aborted = False  # stop at once, without waiting for answers
        self.dispatched = 0
        self.generator_faults = 0
        self.in_flight_max = 0
        self.requests = Group()
        self.under_way: dict[str, Meta] = {}

    def now_s(self) -> float:
        """Seconds since the load's start."""
        return time.monotonic() - self.start_at_s

    def stop(self, reason: str, *, abort: bool = False) -> None:
        """Send nothing more; with abort, do not wait for answers either."""
        self.aborted = self.aborted or abort or bool(self.stopping)
        self.stopping = self.stopping or reason

    def dispatch(self, user: "OpenLoopUser") -> None:
        """Spawn one greenlet at each intended send time; never wait for any of them."""
        schedule, functions = self.schedule, self.plan.functions
        rows = zip(schedule.intended_s.tolist(), schedule.function.tolist(),
                   schedule.index.tolist(), schedule.cohort.tolist(), strict=True)  # fmt: skip
        for intended_s, function, index, cohort in rows:
            while (wait_s := intended_s - self.now_s()) > 0 and not self.stopping:
                gevent.sleep(min(wait_s, LOOK_UP_EVERY_S))
            if self.stopping:
                return
            sender = self.requests.spawn(
                self.send, user, functions[function], index, cohort, intended_s
            )
            sender.link_exception(self.sender_died)
            self.dispatched += 1

    def sender_died(self, _sender: gevent.Greenlet) -> None:
        """Our own bug, not the target's doing; gevent has printed the traceback."""
        self.generator_faults += 1

    def send(
        self, user: "OpenLoopUser", load: FunctionLoad, index: int, cohort: str, intended_s: float
    ) -> None:
        """Send one request and record how it ended."""
        request = request_id(self.plan.token, load.name, index)
        headers, body = _fill(load, cohort, request)
        sent_s = self.now_s()
        self.under_way[request] = (load.name, index, cohort, intended_s, sent_s, request)
        self.in_flight_max = max(self.in_flight_max, len(self.under_way))
        patience = gevent.Timeout(load.timeout_s) if load.timeout_s is not None else None
        status, version, fault = 0, "", None
        try:
            if patience is not None:
                patience.start()
            with user.client.request(
                load.method, load.path, name=load.name, data=body, headers=headers,
                catch_response=True,
            ) as response:  # fmt: skip
                # A body that breaks off is reported here only; the status code alone looks fine.
                fault = response.request_meta["exception"] or getattr(response, "error", None)
                status = 0 if fault is not None else int(response.status_code)
                version = _header(response, "x-version")
                response.success()
        except gevent.Timeout as timeout:
            if timeout is not patience:
                raise
            status, fault = 0, timeout
        finally:
            if patience is not None:
                patience.close()
        self.finish(request, status, version, fault)

    def finish(
        self, request: str, status: int, version: str, fault: BaseException | None
    ) -> None:
        """Write the row of a request that ended, unless it was given up before."""
        finished_s = self.now_s()
        meta = self.under_way.pop(request, None)
        if meta is None:
            return
        # The client wraps a timeout into "retries exceeded" and keeps the cause aside.
        fault = getattr(fault, "original", None) or fault
        if isinstance(fault, OSError) and fault.errno in EXHAUSTED:
            self.generator_faults += 1
        kind, text = _outcome(status, fault)
        self.row(meta, finished_s, status, kind, version, text)

    def row(
        self, meta: Meta, finished_s: float | None, status: int, kind: str, version: str, error: str
    ) -> None:
        """One row of raw samples, in the order of COLUMNS."""
        name, index, cohort, intended_s, sent_s, request = meta
        finished = None if finished_s is None else round(finished_s, 6)
        self.output.line([name, index, cohort, round(intended_s, 6), round(sent_s, 6), finished,
                          status, kind, version, request, error])  # fmt: skip

    def drain(self) -> None:
        """Wait for answers as long as the plan says, then record the rest as unfinished."""
        deadline_s = time.monotonic() + self.plan.drain_s
        while self.under_way and not self.aborted and time.monotonic() < deadline_s:
            self.requests.join(timeout=min(LOOK_UP_EVERY_S, self.plan.drain_s))
        for meta in list(self.under_way.values()):
            self.row(meta, None, 0, "unfinished", "", "unfinished at the end")
        self.under_way.clear()

    def summary(self, stopped_at_s: float) -> dict[str, Any]:
        """The end line."""
        return {
            "end": self.stopping or "schedule",
            "stopped_at_s": round(stopped_at_s, 6),
            "scheduled": len(self.schedule),
            "dispatched": self.dispatched,
            "in_flight_max": self.in_flight_max,
            "generator_faults": self.generator_faults,
        }


def _fill(load: FunctionLoad, cohort: str, request: str) -> tuple[dict[str, str], bytes | None]:
    """Headers and body of one request; its id is its trace id and the id of its write."""
    headers = {
        "traceparent": f"00-{request}-{request[:16]}-01",
        "x-cohort": cohort,
        "accept-encoding": "identity",
    }
    if load.body is None:
        return headers, None
    headers["content-type"] = "application/json"
    body = load.body.replace("$id", write_id(request)).replace("$cohort", cohort)
    return headers, body.replace("$function", load.name).encode()


def _header(response: Any, name: str) -> str:
    value = response.headers.get(name) if response.headers is not None else None
    return ",".join(value) if isinstance(value, list) else value or ""


def _outcome(status: int, fault: BaseException | None) -> tuple[str, str]:
    """Kind and error text of a request that ended."""
    if isinstance(fault, gevent.Timeout | TimeoutError):
        return "timeout", ""
    if isinstance(fault, ConnectionRefusedError):
        return "refused", "connection refused"
    if fault is not None:
        return "error", f"{type(fault).__name__}: {fault}"[:200]
    return ("ok", "") if 200 <= status < 300 else ("error", f"status {status}")


class OpenLoopUser(locust.FastHttpUser):
    """The dispatcher. One is spawned; it sends the whole schedule."""

    abstract = True
    fixed_count = 1
    load: Load
    done: gevent.event.Event

    def on_start(self) -> None:
        """Make the shared client send once and believe every status code it is given."""
        agent = self.client.client
        # Per-request switches of FastHttpSession restore shared state and race with one another.
        agent.redirect_response_codes = frozenset()
        agent.valid_response_codes = frozenset(range(100, 1000))
        agent.cookiejar = None

    @locust.task
    def run_schedule(self) -> None:
        """Send everything, once."""
        try:
            self.load.dispatch(self)
        except Exception as error:
            self.load.stop(f"dispatcher failed: {error!r}", abort=True)
            raise
        finally:
            self.done.set()
        raise StopUser


def _read_line(fd: int) -> bytes:
    """The line that the harness sends next, waiting for it; empty when the pipe ended.

    The harness sends its second line only after "ready", so a read never runs past a line.
    """
    data = b""
    while not data.endswith(b"\n"):
        more = gevent.os.nb_read(fd, 65536)
        if not more:
            return b""
        data += more
    return data


def _watch_harness(load: Load) -> None:
    """Stop at once when stdin ends: the harness is gone, however it went."""
    while gevent.os.nb_read(0, 4096):
        pass
    load.stop("harness gone", abort=True)


def _raise_file_limit() -> None:
    """Every request under way holds a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _prepare(load: Load) -> tuple[Environment, gevent.event.Event]:
    target = resolve_loopback(load.plan.base_url)
    ceiling_s = load.plan.duration_s + load.plan.drain_s + 10.0
    done = gevent.event.Event()
    user = type("Dispatcher", (OpenLoopUser,), {
        "abstract": False, "host": target.url, "load": load, "done": done,
        # One place for every request of the plan: no request ever waits for a connection.
        "client_pool": OneAttemptPool(concurrency=len(load.schedule) + 1,
                                      network_timeout=ceiling_s, connection_timeout=ceiling_s),
    })  # fmt: skip
    # A dispatcher that fails must end; Locust's habit is to log the error and run the task again.
    return Environment(user_classes=[user], host=target.url, catch_exceptions=False), done


def _run(load: Load) -> None:
    environment, done = _prepare(load)
    runner = environment.create_local_runner()
    flusher = gevent.spawn(load.output.flush_for_ever)
    # What exists now lives as long as the process; without this a full collection walks all of it.
    gc.collect()
    gc.freeze()
    sys.stdout.write('{"ready":true}\n')
    sys.stdout.flush()
    start = _read_line(0)
    if not start:
        return
    load.start_at_s = float(json.loads(start)["start_at_s"])
    load.output.line({"schema": SCHEMA, "columns": COLUMNS, "start_at_s": load.start_at_s,
                      "plan": json.loads(load.plan.to_json())})  # fmt: skip
    load.output.flush()
    watcher = gevent.spawn(_watch_harness, load)
    runner.start(1, spawn_rate=100)
    done.wait()
    while not load.stopping and (left_s := load.plan.duration_s - load.now_s()) > 0:
        gevent.sleep(min(left_s, LOOK_UP_EVERY_S))
    stopped_at_s = min(load.now_s(), load.plan.duration_s)
    load.drain()
    flusher.kill()
    watcher.kill()
    load.output.line(load.summary(stopped_at_s))
    load.output.flush()
    runner.quit()


def main(path: Path) -> int:
    """Run the plan that stdin carries, writing raw samples to `path`."""
    _raise_file_limit()
    gevent.os.make_nonblocking(0)
    plan = LoadPlan.from_json(_read_line(0).decode())
    with Output(path) as output:
        load = Load(plan, output)
        gevent.signal_handler(signal.SIGTERM, load.stop, "terminated")
        _run(load)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
