"""A job at its station: started, its worker given back, its answer sent, its caller's timer."""

from typing import Any

import numpy as np

from simulator.draws import Stream, duration, mix, nth, unit
from simulator.kernel.heap import push
from simulator.kernel.inline import inlined, outlined, u
from simulator.layout import (
    ANSWER,
    ANSWERING,
    DONE,
    EVENT_BITS,
    TIMER,
    WORKING,
    State,
)

_SERVICE, _LATENCY = int(Stream.SERVICE), int(Stream.LATENCY)
ATTEMPT_BITS = 16
"""A call's key is number `node << 16 | attempt` of its caller's sequence."""


@inlined
def take_seq(s: State) -> int:
    """The next sequence number."""
    clock = s.clock[0]
    seq = clock["seq"]
    clock["seq"] = seq + 1
    return seq


@inlined
def start(s: State, slot: int, now: float) -> None:
    """A worker begins the job's own work."""
    job = s.jobs[u(slot)]
    station = s.stations[u(s.nodes[u(job["node"])]["station"])]
    station["started"] += 1
    station["waited_s"] += now - job["sent_s"]
    effect = s.effects[u(job["version_row"]), u(job["cohort"])]
    bits = mix(job["key"] + s.keys[_SERVICE])
    work_s = duration(station["kind"], station["p0"], station["p1"], bits)
    seq = take_seq(s)
    job["state"] = WORKING
    job["event_seq"] = seq
    push(s, now + (work_s * effect["factor"] + effect["add_s"]), seq, (slot << EVENT_BITS) | DONE)


@inlined
def release(s: State, replica_index: int, now: float) -> None:
    """A worker is free: it takes the first in the queue, or rests."""
    replica = s.replicas[u(replica_index)]
    if replica["waiting"] > 0:
        slot = replica["first"]
        replica["first"] = s.jobs[u(slot)]["next"]
        replica["waiting"] -= 1
        start(s, slot, now)
    else:
        replica["busy"] -= 1
        replica["worked_s"] += now


@inlined
def answer_at(s: State, slot: int, outcome: int, t: float) -> None:
    """The job's answer arrives at time t."""
    job = s.jobs[u(slot)]
    seq = take_seq(s)
    job["state"] = ANSWERING
    job["outcome"] = outcome
    job["event_seq"] = seq
    push(s, t, seq, (slot << EVENT_BITS) | ANSWER)


@outlined
def answer_later(s: State, slot: int, outcome: int, now: float) -> None:
    """The job's answer is on its way, for as long as the call's injected latency takes (none: an event for now)."""
    job = s.jobs[u(slot)]
    call = s.calls[u(s.nodes[u(job["node"])]["call"])]
    delay_s = call["latency_s"]
    if call["latency_jitter_s"] > 0:
        delay_s += call["latency_jitter_s"] * unit(mix(job["key"] + s.keys[_LATENCY]))
    answer_at(s, slot, outcome, now + delay_s)


@inlined
def arm(s: State, ring_index: int, slot: int, now: float) -> int:
    """Start the caller's timer; returns its sequence number."""
    ring = s.rings[u(ring_index)]
    n = ring["n"]
    capacity = s.timers.shape[1]
    seq = take_seq(s)
    entry = s.timers[u(ring_index), u((ring["head"] + n) & (capacity - 1))]
    entry["t"] = now + ring["timeout_s"]
    entry["seq"] = seq
    entry["slot"] = slot
    ring["n"] = n + 1
    if n == 0:
        push(s, entry["t"], seq, (ring_index << EVENT_BITS) | TIMER)
    if n + 1 == capacity:
        s.clock[0]["ring_full"] = 1
    return seq


@inlined
def expire(s: State, ring_index: int) -> int:
    """Take the ring's head, whose time has come, and arm the next live timer.

    Returns the slot of the call that timed out, -1 when it was answered in time.
    """
    ring = s.rings[u(ring_index)]
    mask = s.timers.shape[1] - 1
    entry = s.timers[u(ring_index), u(ring["head"])]
    slot = entry["slot"]
    if s.jobs[u(slot)]["timer_seq"] != entry["seq"]:
        slot = -1
    ring["head"] = (ring["head"] + 1) & mask
    ring["n"] -= 1
    while ring["n"] > 0:
        entry = s.timers[u(ring_index), u(ring["head"])]
        if s.jobs[u(entry["slot"])]["timer_seq"] == entry["seq"]:
            push(s, entry["t"], entry["seq"], (ring_index << EVENT_BITS) | TIMER)
            break
        ring["head"] = (ring["head"] + 1) & mask
        ring["n"] -= 1
    return slot


@inlined
def take_slot(s: State) -> int:
    """A free job slot; the loop has checked that there is one."""
    clock = s.clock[0]
    slot = clock["free_head"]
    clock["free_head"] = s.jobs[u(slot)]["next"]
    clock["free_n"] -= 1
    return slot


@inlined
def call_key(job: Any, node_index: int, attempt: int) -> np.uint64:
    """The key of the draws of a call that `job` makes."""
    return nth(job["key"], (np.int64(node_index) << ATTEMPT_BITS) + attempt)
