"""Callers whose workers wait for calls that are played request by request as well: what happens to their jobs."""

import math

from simulator.fluid.calls import goes_on, next_call
from simulator.fluid.coming import draw_answer, heard_s, make_call, makes_again, route
from simulator.fluid.counts import draw_unit
from simulator.fluid.ejection import hear_later
from simulator.fluid.jobs import NONE, give_back, leave, let_go
from simulator.fluid.lattice import NEVER
from simulator.fluid.layout import JOB_ANSWERED, JOB_GIVEN_UP, State
from simulator.fluid.retries import keep
from simulator.kernel.inline import inlined, outlined


@inlined
def _caller_of(s: State, slot: int) -> int:
    """The job that waits for a job's answer, NONE where flows do, or that job has ended."""
    job = s.jobs[slot]
    caller = job["caller"]
    return caller if caller != NONE and s.jobs[caller]["number"] == job["number_of_caller"] else NONE


@outlined
def _tell(s: State, slot: int, failed: bool, at_s: float, now: float) -> None:
    """A job's caller hears of its end, or gives up."""
    job = s.jobs[slot]
    node, cohort, attempt, copy = job["node"], job["cohort"], job["attempt"], job["copy"] != 0
    caller = _caller_of(s, slot)
    job["awaited"] = 0
    if caller == NONE and job["caller"] != NONE:
        return
    if not copy:
        hear_later(s, job["replica"], failed, now)
    if makes_again(s, node, cohort, attempt, copy, caller, failed, at_s, now):
        make_call(s, node, cohort, route(s, node, cohort), attempt + 1, copy, caller, now)


@outlined
def _end(s: State, slot: int, now: float) -> None:
    """A job's work and calls are over."""
    job = s.jobs[slot]
    let_go(s, slot, now)
    if job["awaited"] != 0:
        at_s = heard_s(s, job["node"], now, job["gives_up_s"])
        _tell(s, slot, job["failed"] != 0 or at_s >= job["gives_up_s"], at_s, now)
    give_back(s, slot)


@outlined
def _go_on(s: State, slot: int, now: float) -> None:
    """A job makes its next calls, which start together; it ends when there are none, or one has failed."""
    job = s.jobs[slot]
    child, cohort, copy = job["child"], job["cohort"], job["copy"] != 0
    if job["failed"] != 0 or child < 0:
        _end(s, slot, now)
        return
    while True:
        job["calls"] += 1
        if s.stations[s.nodes[child]["station"]]["singly"] != 0:
            make_call(s, child, cohort, route(s, child, cohort), 0, copy, slot, now)
        else:
            lasts_s, fails = draw_answer(s, child, cohort)
            keep(s, now + lasts_s, JOB_ANSWERED, child, cohort, fails, slot)
        child = next_call(s, child, job["version"])
        if not goes_on(s, child):
            break
    job["child"] = child


@outlined
def work_done(s: State, slot: int, now: float) -> None:
    """A job's own work is done."""
    job = s.jobs[slot]
    station = s.stations[s.nodes[job["node"]]["station"]]
    if station["holds_worker"] == 0:
        let_go(s, slot, now)
    error = s.effects[station["first_version"] + job["version"], job["cohort"]]["error"]
    job["failed"] = 1 if draw_unit(s.draw) < error else 0
    _go_on(s, slot, now)


@outlined
def hear_answer(s: State, slot: int, failed: bool, now: float) -> None:
    """One of a job's calls is over, with all of its attempts."""
    job = s.jobs[slot]
    job["calls"] -= 1
    if failed:
        job["failed"] = 1
    if job["calls"] == 0:
        _go_on(s, slot, now)


@outlined
def be_given_up(s: State, slot: int, now: float) -> None:
    """A job's caller has waited long enough, or the job is cancelled with those that it works for."""
    job = s.jobs[slot]
    leaves_s = job["leaves_s"]
    if job["awaited"] != 0 and now >= job["gives_up_s"]:
        _tell(s, slot, True, now, now)
    if now >= leaves_s:
        leave(s, slot, now)
    elif leaves_s < math.inf:
        keep(s, leaves_s, JOB_GIVEN_UP, job["node"], job["cohort"], 0, slot)


@outlined
def end_with(s: State, index: int, now: float) -> None:
    """A replica has died, and its jobs fail."""
    for slot in range(len(s.jobs)):
        job = s.jobs[slot]
        if job["replica"] == index:
            if job["awaited"] != 0:
                _tell(s, slot, True, heard_s(s, job["node"], now, job["gives_up_s"]), now)
            give_back(s, slot)
    s.replicas[index]["died"] = 0


@outlined
def tell_following(s: State) -> None:
    """What share of the calls that come to each version follows somebody who has left, as its callers are all held."""
    for row in range(len(s.versions)):
        s.versions[row]["follows"] = 0.0
    for node in range(len(s.nodes)):
        parent = s.nodes[node]["parent"]
        if parent < 0 or s.stations[s.nodes[parent]["station"]]["linked"] == 0:
            continue
        held = _held(s, s.nodes[parent]["station"])
        station = s.stations[s.nodes[node]["station"]]
        for cohort in range(s.shares.shape[1]):
            for version in range(station["versions"]):
                home = s.versions[s.versions[station["first_version"] + version]["home"]]
                comes = s.flows[node, cohort]["calls"] * s.weights[station["first_version"] + version, cohort]
                home["follows"] += held * comes / max(comes, home["offered"], NEVER)


@inlined
def _held(s: State, index: int) -> float:
    """Share of a station's ready replicas that have a line."""
    station, ready, held = s.stations[index], 0.0, 0.0
    for row in range(station["first_version"], station["first_version"] + station["versions"]):
        version = s.versions[row]
        for place in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            if s.replicas[place]["ready"] != 0:
                ready += 1.0
                held += 1.0 if s.replicas[place]["waiting"] > 0 else 0.0
    return held / max(ready, 1.0)
