"""The event loop. It allocates nothing, raises nothing, and returns a code when Python must step in.

Each pass of the loop takes one event. All that an event changes happens in the same pass: a job's answer may let its
caller make the next call or answer in turn, up to the client. Room for the most that one pass can use is checked before
the event is taken, so leaving and coming back loses nothing.

Events of one instant happen in this order: arrivals by function, then the rest by sequence number. An event due exactly
at the time limit stays pending.
"""

import functools
import hashlib
import math
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numba import config, float64, int64, typeof, types

from simulator import draws, layout
from simulator.compiling import Part, compiled, load
from simulator.draws import Stream, mix, nth, unit
from simulator.kernel import (
    balance,
    build,
    calling,
    count,
    ending,
    entry,
    guarded,
    heap,
    jobs,
    links,
    mechanics,
    place,
    variant,
)
from simulator.kernel.calling import fork, join, prepare_call
from simulator.kernel.count import cell_of, column, count_client, count_service
from simulator.kernel.ending import abandon, leave, vacate
from simulator.kernel.entry import send
from simulator.kernel.heap import close, earliest, push
from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.jobs import (
    answer_later,
    call_key,
    expire,
    release,
    take_seq,
    take_slot,
)
from simulator.kernel.links import hear, may_retry
from simulator.kernel.variant import MECHANICS, lean
from simulator.layout import (
    ANSWER,
    ARRIVED,
    BRANCH,
    BREAKER,
    BUDGET,
    CUT_OFF,
    DONE,
    ERROR,
    EVENT_BITS,
    EVENT_MASK,
    FROM_CLIENT,
    GROUPED,
    OK,
    REFUSED,
    RESUME,
    TIMEOUT,
    TIMER,
    WAITING,
    State,
)

_ARRIVAL, _REQUEST, _COHORT = int(Stream.ARRIVAL), int(Stream.REQUEST), int(Stream.COHORT)
_DEFECT, _BACKOFF, _WRITE = int(Stream.DEFECT), int(Stream.BACKOFF), int(Stream.WRITE)

NOTHING, CONCLUDE, DELIVER, ABANDON, CALL = 0, 1, 2, 3, 4
"""What an event leads to: no more; a job's work is over; its answer arrives; its caller gives up; it makes a call."""


class ExitReason(IntEnum):
    """Why the loop came back."""

    UNTIL = 0
    BUDGET = 1
    SLOTS_FULL = 2
    HEAP_FULL = 3
    RING_FULL = 4
    LOG_FULL = 5


_UNTIL, _BUDGET, _SLOTS = int(ExitReason.UNTIL), int(ExitReason.BUDGET), int(ExitReason.SLOTS_FULL)
_ROOM = -1
_HEAP, _RING, _LOG = int(ExitReason.HEAP_FULL), int(ExitReason.RING_FULL), int(ExitReason.LOG_FULL)


@inlined
def spend(s: State, index: int, gap: float) -> None:
    """Walk from the function's last arrival as far as a unit gap takes it at the rates passed."""
    function = s.functions[u(index)]
    t = function["next_arrival"]
    segment = function["segment"]
    while True:
        rate = s.rate[u(index), u(segment)]
        until = s.rate_until[u(index), u(segment)]
        if rate > 0:
            candidate = t + gap / rate
            if candidate < until:
                t = candidate
                break
            gap = max(0.0, gap - (until - t) * rate)
        t = until
        if until == math.inf:
            function["unspent"] = gap
            break
        segment += 1
    function["next_arrival"] = t
    function["segment"] = segment


@inlined
def draw_arrival(s: State, index: int) -> None:
    """Find when the function's next request comes: unit-rate gaps, stretched by the rate in force."""
    function = s.functions[u(index)]
    spend(s, index, -math.log(unit(nth(function["gap_key"], function["arrived"]))))


@inlined
def find_next_arrival(s: State) -> None:
    """Which function's request is the next."""
    clock = s.clock[0]
    first = 0
    for index in range(1, len(s.functions)):
        if s.functions[u(index)]["next_arrival"] < s.functions[u(first)]["next_arrival"]:
            first = index
    clock["next_function"] = first
    clock["next_arrival"] = s.functions[u(first)]["next_arrival"]


@outlined
def begin(s: State) -> None:
    """Draw what must be known before the first event."""
    for index in range(len(s.functions)):
        s.functions[u(index)]["gap_key"] = nth(s.keys[_ARRIVAL], index)
        s.functions[u(index)]["request_key"] = nth(s.keys[_REQUEST], index)
        draw_arrival(s, index)
    find_next_arrival(s)


@outlined
def refresh(s: State) -> None:
    """Find again when requests come whose rates changed: what is left of their gaps is spent at the new ones."""
    s.clock[0]["stale"] = 0
    for index in range(len(s.functions)):
        function = s.functions[u(index)]
        if function["unspent"] > 0 and function["next_arrival"] < math.inf:
            gap = function["unspent"]
            function["unspent"] = 0.0
            spend(s, index, gap)
    find_next_arrival(s)


@inlined
def arrive(s: State, now: float) -> int:
    """A request comes. Returns the slot of its first call, filled in for `send`."""
    index = s.clock[0]["next_function"]
    function = s.functions[u(index)]
    request = function["arrived"]
    function["arrived"] = request + 1
    draw_arrival(s, index)
    find_next_arrival(s)
    key = nth(function["request_key"], request)
    cohorts = s.cohort_upto.shape[1]
    cohort = 0
    if cohorts > 1:
        share = unit(mix(key + s.keys[_COHORT]))
        while cohort < cohorts - 1 and share >= s.cohort_upto[u(index), u(cohort)]:
            cohort += 1
    s.client[u(cell_of(s, now)), u(index * cohorts + cohort), ARRIVED] += 1
    slot = take_slot(s)
    job = s.jobs[u(slot)]
    job["key"] = key
    job["parent"] = FROM_CLIENT
    job["caller_row"] = -1
    job["cohort"] = cohort
    job["request"] = request
    job["node"] = function["root"]
    job["attempt"] = 0
    if MECHANICS:
        job["mirrored"] = 0
    return slot


@inlined
def finish_work(s: State, slot: int, now: float) -> tuple[int, int]:
    """The job's own work is done. Returns what then, and the outcome."""
    job = s.jobs[u(slot)]
    node = s.nodes[u(job["node"])]
    if s.stations[u(node["station"])]["holds_worker"] == 0:
        release(s, job["replica"], now)
    job["state"] = WAITING
    effect = s.effects[u(job["version_row"]), u(job["cohort"])]
    if effect["error"] > 0 and unit(mix(job["key"] + s.keys[_DEFECT])) < effect["error"]:
        return CONCLUDE, ERROR
    if node["writes"] != 0:
        job["stored"] = 1 - job["mirrored"]
        if job["caller_row"] >= 0:
            lost = s.effects[u(job["caller_row"]), u(job["cohort"])]["lost"]
            if lost > 0 and unit(mix(job["key"] + s.keys[_WRITE])) < lost:
                job["stored"] = 0
    return (CALL if calls_next(s, slot, node["child"]) else CONCLUDE), OK


@inlined
def resume_later(s: State, slot: int, now: float) -> bool:
    """Whether the retry waits; if so it is scheduled."""
    job = s.jobs[u(slot)]
    node_index = job["call_node"]
    attempt = job["call_attempt"]
    call = s.calls[u(s.nodes[u(node_index)]["call"])]
    wait_s = call["backoff_s"]
    if wait_s <= 0:
        return False
    wait_s *= np.float64(np.int64(1) << min(np.int64(attempt - 1), np.int64(62)))
    if call["jitter"] != 0:
        wait_s *= unit(mix(call_key(job, node_index, attempt) + s.keys[_BACKOFF]))
    seq = take_seq(s)
    job["event_seq"] = seq
    push(s, now + wait_s, seq, (slot << EVENT_BITS) | RESUME)
    return True


@inlined
def calls_next(s: State, slot: int, node_index: int) -> bool:
    """Whether there is such a node (-1 is none); if so the job makes that call next."""
    if node_index < 0:
        return False
    job = s.jobs[u(slot)]
    job["call_node"] = node_index
    job["call_attempt"] = 0
    return True


@inlined
def settle(s: State, then: int, slot: int, outcome: int, now: float) -> int:
    """Carry an outcome upward until somebody waits or makes a call.

    Returns the slot of the job that makes a call now, -1 for none.
    """
    while then != NOTHING:
        job = s.jobs[u(slot)]
        found = -1
        if then == CONCLUDE:
            found = leave(s, slot, outcome, now)
            call = s.calls[u(s.nodes[u(job["node"])]["call"])]
            if call["latency_s"] + call["latency_jitter_s"] > 0 and job["parent"] >= FROM_CLIENT:
                answer_later(s, slot, outcome, now)
                break
        caller = job["parent"]
        node_index = job["node"]
        attempt = job["attempt"]
        if then == ABANDON:
            abandon(s, slot, outcome, now)
        if caller == FROM_CLIENT:
            count_client(s, job, found if found >= 0 else column(s, outcome, now - job["sent_s"]))
        if then != ABANDON:
            vacate(s, slot, outcome, now)
        if caller < 0:
            break
        call_index = s.nodes[u(node_index)]["call"]
        features = s.calls[u(call_index)]["features"]
        if MECHANICS and features & BREAKER:
            hear(s, call_index, job["sent_s"], outcome, now)
        s.jobs[u(caller)]["child"] = -1
        slot = caller
        then = CONCLUDE
        if outcome != OK:
            if attempt < s.calls[u(call_index)]["retries"] and (
                not MECHANICS or features & (BREAKER | BUDGET) == 0 or may_retry(s, call_index, outcome, now)
            ):
                s.jobs[u(slot)]["call_attempt"] = attempt + 1
                if resume_later(s, slot, now):
                    break
                return slot
            outcome = ERROR
        if MECHANICS and features & GROUPED and s.jobs[u(slot)]["state"] == BRANCH:
            slot = join(s, slot, outcome)
            if slot < 0:
                break
            outcome = ERROR if s.jobs[u(slot)]["broken"] != 0 else OK
            if outcome == OK and calls_next(s, slot, s.nodes[u(node_index)]["after"]):
                return slot
        elif outcome == OK and calls_next(s, slot, s.nodes[u(node_index)]["sibling"]):
            return slot
    return -1


@inlined
def react(s: State, what: int, seq: int, now: float) -> tuple[int, int, int]:
    """What an event leads to: (then, slot, outcome)."""
    kind = what & EVENT_MASK
    slot = what >> EVENT_BITS
    if kind == TIMER:
        slot = expire(s, slot)
        return (ABANDON if slot >= 0 else NOTHING), slot, TIMEOUT
    job = s.jobs[u(slot)]
    if kind == CUT_OFF:
        return (ABANDON if job["timer_seq"] == seq else NOTHING), slot, REFUSED
    if job["event_seq"] != seq:
        return NOTHING, slot, OK
    if kind == DONE:
        then, outcome = finish_work(s, slot, now)
        return then, slot, outcome
    if kind == ANSWER:
        outcome = job["outcome"]
        if job["counted"] == 0:
            count_service(s, job, outcome, now)
        return DELIVER, slot, outcome
    return CALL, slot, OK


@inlined
def check_room(s: State) -> int:
    """ROOM when one more event surely fits, else what is full."""
    clock = s.clock[0]
    if clock["free_n"] < clock["slots_min"]:
        return _SLOTS
    if clock["ring_full"] != 0:
        return _RING
    if clock["heap_n"] + 4 * len(s.nodes) + 8 > len(s.heap):
        return _HEAP
    if clock["log_n"] + len(s.nodes) + 2 > len(s.log):
        return _LOG
    return _ROOM


@inlined
def _loop(s: State, until_s: float, budget: int) -> tuple[int, int]:
    clock = s.clock[0]
    if clock["seq"] == 1:
        clock["seq"] = 2
        begin(s)
    if clock["stale"] != 0:
        refresh(s)
    events = s.heap
    while True:
        now = earliest(s)
        arrival = clock["next_arrival"] <= now
        if arrival:  # it may fill the vacancy that the last event left
            now = clock["next_arrival"]
        else:
            close(s)
        reason = _UNTIL if now >= until_s else _BUDGET if budget <= 0 else check_room(s)
        if reason != _ROOM:
            close(s)
            if reason == _UNTIL:
                clock["now"] = until_s
            return reason, budget
        budget -= 1
        clock["now"] = now
        if arrival:
            slot = arrive(s, now)
        else:
            clock["vacant"] = 1
            then, caller, outcome = react(s, events[0]["what"], events[0]["seq"], now)
            if then != CALL:
                caller = settle(s, then, caller, outcome, now)
            if caller < 0:
                continue
            job = s.jobs[u(caller)]
            if MECHANICS and s.nodes[u(job["call_node"])]["width"] > 1 and job["state"] != BRANCH:
                fork(s, caller, now)
                continue
            slot = prepare_call(s, caller)
        send(s, slot, now)


_SOURCES = (
    draws,
    layout,
    build,
    mechanics,
    heap,
    count,
    jobs,
    place,
    balance,
    guarded,
    links,
    calling,
    ending,
    entry,
    variant,
)


def _source_number() -> int:
    """A number that changes with any source that goes into the kernel."""
    digest = hashlib.sha256()
    for module in _SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


_SIGNATURE = types.UniTuple(int64, 2)(typeof(layout.empty_state()), float64, int64)


@functools.cache
def kernel(*, mechanics: bool) -> Callable[[State, float, int], tuple[int, int]]:
    """The compiled entry point, full or lean (see `variant`): compiled, or loaded, when it is first asked for."""
    load([PARTS[mechanics]])
    only = _only(mechanics=mechanics)
    # Draws are taken modulo 2**64, of which numpy warns where the loop is not compiled.
    return np.errstate(over="ignore")(only) if config.DISABLE_JIT else only


@functools.cache
def _only(*, mechanics: bool) -> Any:
    """Numba's disk cache notices changes of this file only, and of values that the function closes over.

    So that a changed helper is never run in its old form, the entry closes over a digest of all of them.
    """
    source_number = _source_number()

    def run(s: State, until_s: float, budget: int) -> tuple[int, int]:
        """Advance to `until_s` or by `budget` events: (ExitReason, budget left)."""
        if budget < 0:
            return source_number, budget
        return _loop(s, until_s, budget)

    function = run if mechanics else lean(run)
    # Numba names the files of its cache after this. Variants in one file would overwrite each other's code when two
    # processes compile at the same time.
    function.__qualname__ = "run_full" if mechanics else "run_lean"
    return compiled(function, _SIGNATURE)


PARTS: dict[bool, Part] = {mechanics: functools.partial(_only, mechanics=mechanics) for mechanics in (True, False)}
"""The full kernel and the lean one: 14 and 8 s to compile."""
