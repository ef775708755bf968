"""Requests inside a caller whose calls are played request by request as well: jobs.

When one of those ends is not known when it comes (as in `bench`), for that hangs on what its calls meet, each when it
comes. So each is kept until then: in the line, at a worker, or as work that nobody waits for any more.
"""

import math

from simulator.fluid.layout import JOB_WORKED, State
from simulator.fluid.retries import keep
from simulator.kernel.inline import inlined, outlined

NONE = -1


@inlined
def take_slot(s: State, node: int) -> int:
    """A place for a job of a node, NONE when there is none, or none for what is to come of it."""
    slot = s.clock[0]["free_job"]
    if slot == NONE or 2 * s.clock[0]["kept"] >= len(s.retries):
        return NONE
    s.clock[0]["free_job"] = s.jobs[slot]["behind"]
    job = s.jobs[slot]
    job["node"], job["number"] = node, job["number"] + 1
    job["worker"] = job["behind"] = NONE
    job["calls"], job["failed"], job["awaited"] = 0, 0, 1
    return slot


@inlined
def give_back(s: State, slot: int) -> None:
    """Nothing is left of a job; what is still to come of it is not, since it is of another number."""
    job = s.jobs[slot]
    job["number"], job["replica"] = job["number"] + 1, NONE
    job["behind"] = s.clock[0]["free_job"]
    s.clock[0]["free_job"] = slot


@outlined
def begin_or_wait(s: State, slot: int, now: float) -> None:
    """A job takes a free worker, or the last place in the line."""
    job = s.jobs[slot]
    replica = s.replicas[job["replica"]]
    workers, worker = s.stations[s.nodes[job["node"]]["station"]]["workers"], 0
    while worker < workers and s.free[replica["bench"], worker] > now:
        worker += 1
    if worker < workers:
        s.free[replica["bench"], worker] = math.inf
        job["worker"] = worker
        keep(s, now + job["work_s"], JOB_WORKED, job["node"], job["cohort"], 0, slot)
        return
    if replica["waiting"] == 0:
        replica["first"] = slot
    else:
        s.jobs[replica["last"]]["behind"] = slot
    replica["last"] = slot
    replica["waiting"] += 1


@outlined
def let_go(s: State, slot: int, now: float) -> None:
    """A job's worker is free again, if it has one, and takes who is first in the line."""
    job = s.jobs[slot]
    if job["worker"] == NONE:
        return
    replica = s.replicas[job["replica"]]
    s.free[replica["bench"], job["worker"]] = now
    job["worker"] = NONE
    if replica["waiting"] > 0:
        first = replica["first"]
        replica["first"] = s.jobs[first]["behind"]
        s.jobs[first]["behind"] = NONE
        replica["waiting"] -= 1
        begin_or_wait(s, first, now)


@outlined
def leave(s: State, slot: int, now: float) -> None:
    """A job is cancelled: out of the line, or from its worker. Its calls have the same end."""
    job = s.jobs[slot]
    replica = s.replicas[job["replica"]]
    before, place = NONE, replica["first"]
    for _ in range(replica["waiting"]):
        if place == slot:
            if before == NONE:
                replica["first"] = job["behind"]
            else:
                s.jobs[before]["behind"] = job["behind"]
            if replica["last"] == slot:
                replica["last"] = before
            replica["waiting"] -= 1
            break
        before, place = place, s.jobs[place]["behind"]
    let_go(s, slot, now)
    give_back(s, slot)
