"""Retries of what is played request by request, each kept until it comes: a heap by time."""

import math

from simulator.fluid.counts import draw_unit
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined


@inlined
def next_retry_s(s: State) -> float:
    """When the next one comes, infinite when none will."""
    return float(s.retries[0]["at_s"]) if s.clock[0]["kept"] > 0 else math.inf


@inlined
def waits_s(s: State, call: int, attempt: int) -> float:
    """How long a caller waits after an attempt, from 0, until it makes the next one."""
    wait_s = s.calls[call]["backoff_s"] * 2.0 ** min(attempt, 62)
    return float(wait_s * draw_unit(s.draw) if wait_s > 0.0 and s.calls[call]["jitter"] != 0 else wait_s)


@inlined
def _put(s: State, hole: int, at_s: float, node: int, cohort: int, attempt: int) -> None:
    retry = s.retries[hole]
    retry["at_s"], retry["node"], retry["cohort"], retry["attempt"] = at_s, node, cohort, attempt


@inlined
def _move(s: State, hole: int, other: int) -> None:
    retry = s.retries[other]
    _put(s, hole, retry["at_s"], retry["node"], retry["cohort"], retry["attempt"])


@inlined
def keep(s: State, at_s: float, node: int, cohort: int, attempt: int) -> None:
    """Keep a retry until then. Of more than there are places for none are made."""
    hole = s.clock[0]["kept"]
    if hole == len(s.retries):
        return
    s.clock[0]["kept"] = hole + 1
    while hole > 0 and s.retries[(hole - 1) // 2]["at_s"] > at_s:
        _move(s, hole, (hole - 1) // 2)
        hole = (hole - 1) // 2
    _put(s, hole, at_s, node, cohort, attempt)


@inlined
def take_first(s: State) -> tuple[int, int, int]:
    """Take out the one that comes first: its node, cohort and attempt."""
    node, cohort, attempt = s.retries[0]["node"], s.retries[0]["cohort"], s.retries[0]["attempt"]
    left = s.clock[0]["kept"] - 1
    s.clock[0]["kept"] = left
    at_s, hole = s.retries[left]["at_s"], 0
    while 2 * hole + 1 < left:
        below = 2 * hole + 1
        if below + 1 < left and s.retries[below + 1]["at_s"] < s.retries[below]["at_s"]:
            below += 1
        if s.retries[below]["at_s"] >= at_s:
            break
        _move(s, hole, below)
        hole = below
    _move(s, hole, left)
    return node, cohort, attempt
