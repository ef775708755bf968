"""Retries and what else is to come to services that are played request by request, until it does: a heap by time."""

import math

from simulator.fluid.counts import draw_unit
from simulator.fluid.layout import CALL_COMES, State
from simulator.kernel.inline import inlined, outlined


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
def _move(s: State, hole: int, other: int) -> None:
    into, retry = s.retries[hole], s.retries[other]
    into["at_s"], into["what"], into["node"], into["job"] = retry["at_s"], retry["what"], retry["node"], retry["job"]
    into["cohort"], into["attempt"], into["number"] = retry["cohort"], retry["attempt"], retry["number"]


@outlined
def keep(s: State, at_s: float, what: int, node: int, cohort: int, attempt: int, job: int) -> None:
    """Keep what is to come until then. Of the calls that flows make again, no more than half of the places hold."""
    hole = s.clock[0]["kept"]
    if hole == len(s.retries) or (what == CALL_COMES and job < 0 and 2 * hole >= len(s.retries)):
        return
    s.clock[0]["kept"] = hole + 1
    while hole > 0 and s.retries[(hole - 1) // 2]["at_s"] > at_s:
        _move(s, hole, (hole - 1) // 2)
        hole = (hole - 1) // 2
    kept = s.retries[hole]
    kept["at_s"], kept["what"], kept["node"], kept["cohort"], kept["attempt"] = at_s, what, node, cohort, attempt
    kept["job"], kept["number"] = job, s.jobs[job]["number"] if job >= 0 else 0


@inlined
def take_first(s: State) -> tuple[int, int, int, int, int, bool]:
    """Take out what comes first: what it is, its node, cohort, attempt and job, and whether that has ended before."""
    what, job = s.retries[0]["what"], s.retries[0]["job"]
    node, cohort, attempt = s.retries[0]["node"], s.retries[0]["cohort"], s.retries[0]["attempt"]
    ended = job >= 0 and s.jobs[job]["number"] != s.retries[0]["number"]
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
    return what, node, cohort, attempt, job, ended
