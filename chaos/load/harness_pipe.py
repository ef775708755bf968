"""A child's end of its pipes to the harness: the plan and the start come in by stdin, "ready" goes out by stdout."""

import json
import sys

import gevent.os

from chaos.load.plan import LoadPlan

__all__ = ["await_end", "read_plan", "read_start", "say_ready"]


def read_plan() -> LoadPlan:
    """The plan, which is the harness's first line. Raises PlanRefused."""
    gevent.os.make_nonblocking(0)
    return LoadPlan.from_json(_read_line().decode())


def say_ready() -> None:
    """Tell the harness that the load can start."""
    sys.stdout.write('{"ready":true}\n')
    sys.stdout.flush()


def read_start() -> float | None:
    """CLOCK_MONOTONIC of the load's time 0, which is the second line; None when the harness is gone."""
    start = _read_line()
    return float(json.loads(start)["start_at_s"]) if start else None


def await_end() -> None:
    """Return when stdin ends: whoever held it is gone, however it went."""
    gevent.os.make_nonblocking(0)
    while gevent.os.nb_read(0, 4096):
        pass


def _read_line() -> bytes:
    """The next line, waiting for it; empty when the pipe ended.

    The harness sends its second line only after "ready", so a read never runs past a line.
    """
    data = b""
    while not data.endswith(b"\n"):
        more = gevent.os.nb_read(0, 65536)
        if not more:
            return b""
        data += more
    return data
