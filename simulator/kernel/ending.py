"""How a job ends: out of its station, out of its slot, or cancelled with all that works for it."""

from typing import Any

from simulator.kernel.balance import blame, depart
from simulator.kernel.calling import free_branch
from simulator.kernel.count import count_service, log_write
from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.jobs import release
from simulator.kernel.variant import MECHANICS
from simulator.layout import ABANDONED, BRANCH, CANCEL, FREE, QUEUED, RESET, TIMEOUT, TRACKED, WORKING, State


@inlined
def leave(s: State, slot: int, outcome: int, now: float) -> int:
    """The job is over for its station: out of it, and counted. Returns the column, -1 when it was counted before."""
    job = s.jobs[u(slot)]
    station = s.stations[u(s.nodes[u(job["node"])]["station"])]
    station["left"] += 1
    station["balance_s"] += now
    if station["holds_worker"] != 0:
        release(s, job["replica"], now)
    if MECHANICS and station["features"] & TRACKED:
        depart(s, slot, outcome, now)
    job["replica"] = -1
    if job["counted"] != 0:
        return -1
    return count_service(s, job, outcome, now)


@inlined
def vacate(s: State, slot: int, outcome: int, now: float) -> None:
    """Nobody needs the job any more: log it when it was a write, and free its slot."""
    job = s.jobs[u(slot)]
    if s.nodes[u(job["node"])]["writes"] != 0:
        log_write(s, job, outcome, now)
    clock = s.clock[0]
    job["state"] = FREE
    job["timer_seq"] = 0
    job["event_seq"] = 0
    job["next"] = clock["free_head"]
    clock["free_head"] = slot
    clock["free_n"] += 1


@inlined
def unqueue(s: State, slot: int) -> None:
    """Take a job out of its replica's queue. Those that gave up are mostly the oldest, at its head."""
    replica = s.replicas[u(s.jobs[u(slot)]["replica"])]
    following = s.jobs[u(slot)]["next"]
    replica["waiting"] -= 1
    if replica["first"] == slot:
        replica["first"] = following
        return
    before = replica["first"]
    while s.jobs[u(before)]["next"] != slot:
        before = s.jobs[u(before)]["next"]
    s.jobs[u(before)]["next"] = following
    if replica["last"] == slot:
        replica["last"] = before


@inlined
def add_below(s: State, job: Any, todo: int) -> int:
    """Put the calls that a job awaits before those to cancel, linked by `parent`; its branches end here."""
    below = job["child"]
    job["child"] = -1
    while below >= 0:
        call, following = below, -1
        if s.jobs[u(below)]["state"] == BRANCH:
            call, following = s.jobs[u(below)]["child"], s.jobs[u(below)]["next"]
            free_branch(s, below)
        if call >= 0:
            s.jobs[u(call)]["parent"] = todo
            todo = call
        below = following
    return todo


@outlined
def cancel(s: State, first: int, now: float) -> None:
    """End a job that its caller gave up, and the calls below it; each that reached its service was given up there."""
    s.jobs[u(first)]["parent"] = -1
    todo = first
    while todo >= 0:
        slot = todo
        job = s.jobs[u(slot)]
        todo = add_below(s, job, job["parent"])
        job["parent"] = ABANDONED
        if job["replica"] >= 0:
            station = s.stations[u(s.nodes[u(job["node"])]["station"])]
            station["left"] += 1
            station["balance_s"] += now
            if job["state"] == QUEUED:
                unqueue(s, slot)
            elif job["state"] == WORKING or station["holds_worker"] != 0:
                release(s, job["replica"], now)
            if station["features"] & TRACKED:
                depart(s, slot, TIMEOUT, now)
            job["replica"] = -1
        if job["counted"] == 0:
            count_service(s, job, TIMEOUT, now)
        vacate(s, slot, RESET, now)


@outlined
def abandon(s: State, slot: int, outcome: int, now: float) -> None:
    """The job's caller gives up: nobody waits for the answer any more. The work goes on unless the call cancels it."""
    job = s.jobs[u(slot)]
    job["parent"] = ABANDONED
    job["timer_seq"] = 0
    if job["counted"] == 0:
        count_service(s, job, outcome, now)
    if not MECHANICS:
        return
    blame(s, slot, now)
    if s.calls[u(s.nodes[u(job["node"])]["call"])]["features"] & CANCEL and outcome == TIMEOUT:
        cancel(s, slot, now)
