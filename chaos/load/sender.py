"""Sends one share of a load's schedule: one Locust user that dispatches, and a greenlet for each request.

Locust's own users wait for an answer before they send again (closed loop), so a stalled target
lowers the load that is meant to show the stall. Here the user only spawns a greenlet at each
intended send time and never waits for one. A request is sent once: no retry, no redirect, no cookie.

Requests go through geventhttpclient, the client inside Locust's FastHttpUser, without the layers
that FastHttpUser puts around it: they follow redirects by shared state, keep cookies, turn errors
into answers and sum up in coarse buckets, and they cost more than half of each request's time, which
shows as late sends when a stalled target answers a thousand requests at once.
"""

# isort: off
import locust  # patches the process; must come before whatever opens sockets

# isort: on
import errno
import gc
import resource
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.pool import Group
from geventhttpclient.client import HTTPClient
from geventhttpclient.response import HTTPParseError
from locust.exception import StopUser

from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.schedule import draw, request_id, write_id
from chaos.load.target import Target, resolve_target

__all__ = ["Load", "Output", "Row", "dispatching", "freeze", "play", "raise_file_limit"]

LOOK_UP_EVERY_S = 0.2  # how soon a stop is noticed between two distant sends
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
"""Errors that say this process or host ran out of something; they are not the target's answers."""

Meta = tuple[str, int, str, float, float, str]
"""function, index, cohort, intended_s, sent_s, request id of a request that is under way"""


def one_attempt_client(target: Target, requests: int, ceiling_s: float) -> HTTPClient:
    """A client that keeps connections alive and sends every request once.

    requests: how many there are to send; with a place for each, none waits for a connection.
    ceiling_s: timeout of requests whose function has none.
    """
    client = HTTPClient(
        target.address, target.port, concurrency=requests + 1,
        network_timeout=ceiling_s, connection_timeout=ceiling_s,
    )  # fmt: skip
    # It would send a GET again, up to `size + 1` times, when its connection closes before the
    # answer, and so hide exactly the failures that a drill is after. There is no public switch.
    client._connection_pool.size = -1  # noqa: SLF001
    return client


Row = list[str | int | float | None]
"""One request, in the order of `chaos.load.raw.COLUMNS`."""


class Output(Protocol):
    """Where rows of raw samples go; it must not block."""

    def line(self, entry: Row) -> None:
        """Queue one row."""


class Load:
    """One run of a share of a plan: when to stop, what is under way, and what ended."""

    def __init__(self, plan: LoadPlan, output: Output, share: int = 0, of: int = 1) -> None:
        """Draw every `of`-th request of the plan's schedule, from the one numbered `share` on.

        Raises TargetRefused when the plan's target does not lie in its networks.
        """
        self.plan = plan
        self.output = output
        self.schedule = draw(plan).share(share, of)
        self.client = one_attempt_client(
            resolve_target(plan.base_url, plan.networks),
            len(self.schedule),
            plan.duration_s + plan.drain_s + 10.0,
        )
        self.start_at_s = 0.0
        self.stopping = ""  # why sending stopped early, "" while it has not
        self.aborted = False  # stop at once, without waiting for answers
        self.dispatched = 0
        self.generator_faults = 0
        self.in_flight_max = 0
        self.done = Event()  # nothing more is sent
        self.requests = Group()
        self.under_way: dict[str, Meta] = {}

    def now_s(self) -> float:
        """Seconds since the load's start."""
        return time.monotonic() - self.start_at_s

    def stop(self, reason: str, *, abort: bool = False) -> None:
        """Send nothing more; with abort, do not wait for answers either."""
        self.aborted = self.aborted or abort or bool(self.stopping)
        self.stopping = self.stopping or reason

    def dispatch(self) -> None:
        """Spawn one greenlet at each intended send time; never wait for any of them."""
        schedule, functions = self.schedule, self.plan.functions
        rows = zip(schedule.intended_s.tolist(), schedule.function.tolist(),
                   schedule.index.tolist(), schedule.cohort.tolist(), strict=True)  # fmt: skip
        for intended_s, function, index, cohort in rows:
            while (wait_s := intended_s - self.now_s()) > 0 and not self.stopping:
                gevent.sleep(min(wait_s, LOOK_UP_EVERY_S))
            if self.stopping:
                return
            sender = self.requests.spawn(self.send, functions[function], index, cohort, intended_s)
            sender.link_exception(self.sender_died)
            self.dispatched += 1

    def sender_died(self, _sender: gevent.Greenlet) -> None:
        """Our own bug, not the target's doing; gevent has printed the traceback."""
        self.generator_faults += 1

    def send(self, load: FunctionLoad, index: int, cohort: str, intended_s: float) -> None:
        """Send one request and record how it ended."""
        request = request_id(self.plan.token, load.name, index)
        headers, body = _fill(load, cohort, request)
        sent_s = self.now_s()
        self.under_way[request] = (load.name, index, cohort, intended_s, sent_s, request)
        self.in_flight_max = max(self.in_flight_max, len(self.under_way))
        status, version, fault = 0, "", None
        patience = gevent.Timeout(load.timeout_s)
        patience.start()
        try:
            with self.client.request(load.method, load.path, body, headers) as response:
                response.read()
                status, version = response.get_code(), _text(response.get("x-version"))
        except gevent.Timeout as timeout:
            if timeout is not patience:
                raise
            fault = timeout
        except (OSError, HTTPParseError) as error:
            fault = error
        finally:
            patience.close()
        self.finish(request, status, version, fault)

    def finish(self, request: str, status: int, version: str, fault: BaseException | None) -> None:
        """Write the row of a request that ended, unless it was given up before."""
        finished_s = self.now_s()
        meta = self.under_way.pop(request, None)
        if meta is None:
            return
        if isinstance(fault, OSError) and fault.errno in EXHAUSTED:
            self.generator_faults += 1
        kind, text = _outcome(status, fault)
        self.row(meta, finished_s, status, kind, version, text)

    def row(self, meta: Meta, finished_s: float | None, status: int, kind: str, version: str, error: str) -> None:
        """One row of raw samples, in the order of COLUMNS."""
        name, index, cohort, intended_s, sent_s, request = meta
        finished = None if finished_s is None else round(finished_s, 6)
        self.output.line([name, index, cohort, round(intended_s, 6), round(sent_s, 6), finished,
                          status, kind, version, request, error])  # fmt: skip

    def drain(self) -> None:
        """Wait for answers as long as the plan says, then record the rest as unfinished."""
        deadline_s = time.monotonic() + self.plan.drain_s
        while len(self.requests) and not self.aborted and time.monotonic() < deadline_s:
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
        **load.headers,
        "traceparent": f"00-{request}-{request[:16]}-01",
        "x-cohort": cohort,
        "x-function": load.name,
        "accept-encoding": "identity",
    }
    if load.body is None:
        return headers, None
    headers["content-type"] = "application/json"
    body = load.body.replace("$id", write_id(request)).replace("$cohort", cohort)
    return headers, body.replace("$function", load.name).encode()


def _text(header: str | list[str] | None) -> str:
    return ",".join(header) if isinstance(header, list) else header or ""


def _outcome(status: int, fault: BaseException | None) -> tuple[str, str]:
    """Kind and error text of a request that ended."""
    if isinstance(fault, gevent.Timeout | TimeoutError):
        return "timeout", ""
    if isinstance(fault, ConnectionRefusedError):
        return "refused", "connection refused"
    if fault is not None:
        return "error", f"{type(fault).__name__}: {fault}"[:200]
    return ("ok", "") if 200 <= status < 300 else ("error", f"status {status}")


class Dispatcher(locust.User):
    """The one user, which sends the whole share."""

    abstract = True
    load: Load

    @locust.task
    def run_schedule(self) -> None:
        """Send everything, once."""
        try:
            self.load.dispatch()
        except Exception as error:
            self.load.stop(f"dispatcher failed: {error!r}", abort=True)
            raise
        finally:
            self.load.done.set()
        raise StopUser


def dispatching(load: Load) -> type[Dispatcher]:
    """The user class that sends this load."""
    return type("Dispatching", (Dispatcher,), {"abstract": False, "load": load})


def play(load: Load, spawn: Callable[[], None]) -> dict[str, Any]:
    """Spawn the user, wait until its load is over and answered, and return the load's summary."""
    spawn()
    load.done.wait()
    while not load.stopping and (left_s := load.plan.duration_s - load.now_s()) > 0:
        gevent.sleep(min(left_s, LOOK_UP_EVERY_S))
    stopped_at_s = min(max(0.0, load.now_s()), load.plan.duration_s)
    load.drain()
    return load.summary(stopped_at_s)


def freeze() -> None:
    """Call it once all is made: it lives as long as the process, and without this a full collection walks all of it."""
    gc.collect()
    gc.freeze()


def raise_file_limit() -> None:
    """Every request under way holds a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
