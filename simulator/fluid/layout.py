"""The arrays of the fluid plane: what it knows of the network, what is in force, and what flows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.lattice import Pool
from simulator.fluid.lattice import pool as empty_pool
from simulator.layout import BUCKETS, WRITE


def _record(**fields: str) -> np.dtype[np.void]:
    return np.dtype(list(fields.items()), align=True)


CLOCK = _record(
    now="f8",
    resolution="f8",
    drawn_cell="i8",  # whose arrivals are drawn, -1 before the first
    stale="i8",  # 1 when the flows must be found anew, 2 when own work has changed too
    anew="i8",  # 1 when a control input has changed something since flows were found
    past_slot="i8",  # the last of `past` that is written
    kept="i8",  # of `retries`
    free_job="i8",  # the first free place of `jobs`, -1: none
    walked="i8",  # 1 when they must be because of what was drawn: as a rule they are nearly the same
    mirrored="i8",  # 1 once requests have been copied
    log_n="i8",
    parts="i8",  # rows at most that the writes of one fate and span are told in; 1: nobody asks what became of which
    logged="f8",  # until when writes are in the log, where it is told in parts
)
STATION = _record(
    workers="i8", queue="i8", kind="i8", p0="f8", p1="f8", holds_worker="i8", versions="i8", first_version="i8",
    pooled="i8",  # 1 when a request comes to the replica that has the fewest, as if all had one queue
    of_two="i8",  # 1 when it comes to the better of two drawn at random
    singly="i8",  # 1 when it is played request by request
    linked="i8",  # 1 when it is, and makes calls that come to a station that is, too: those are made one by one
    eject_after="i8",  # failures in a row after which a replica is ejected, 0: never
    eject_s="f8",
    eject_most="f8",  # share of the replicas that may be out at once
    shed_s="f8",  # a queue whose first has waited longer takes nobody
    patience_s="f8",  # after which the first of those who wait for its answers give up
    detailed="i8",  # 1 when its service rows tell latencies by bin, and not in one bin a cell
    error_share="f8",
    near="i8",  # 1 while what comes to one of its versions is about what that can work off
    near_s="f8",  # how long it was so
    mirror_share="f8",
    mirror_row="i8",  # the version that takes the copies
    entered="f8",  # requests accepted so far
    quota_per_s="f8",  # 0: it has none
    quota_burst="f8",
    tokens="f8",  # of the quota
    taken="f8",  # of them, by the step that is counted
    taken_again="f8",  # and by its retries, later
    over="f8",  # share of what comes that finds no token
    asked="f8",  # per second, those included; retries that are under way when they come
    later="f8",  # of them, those retries, per second
    again="f8",  # retries that what is asked now leads to, per second
    again_s="f8",  # how long after the first attempts they come, on the mean
    late="(4,)f8",  # retries under way
    owed="(4,)f8",  # of them, those that take a token, each its own
)  # fmt: skip
VERSION = _record(
    station="i8",
    home="i8",  # the version whose replicas serve it; load, waits and refusals are the home's
    first_replica="i8",
    replicas="i8",
    ready="i8",  # of them
    held_s="f8",  # until all that it has can go on, and what comes until then with it
    drawn="i8",  # 1 while what is inside its replicas is drawn
    turn="i8",  # whose of its ready replicas it is, while it is drawn; where it is played singly, of all
    firsts="f8",  # first attempts per second, while it is played singly
    coming="i8",  # of the step that was counted, those still to come
    next_s="f8",  # when the next of them comes; infinite where it is not played singly
    draws="u8",  # position in the sequence of its draws
    follows="f8",  # share of what comes that comes since its caller's worker is free again, so that somebody has left
    reset="f8",  # requests that were in replicas that died, and are to be made again
    varies="f8",  # variance of what comes, per mean, over long times; 1: a Poisson stream
    again="f8",  # of the offered, what comes since an attempt before has failed
    again_s="f8",  # how long after the first attempts it comes
    late="(4,)f8",  # what of it is on its way while it is drawn, and (last) comes
    locked="i8",  # 1 while it is held up, and until what came meanwhile has been worked off
    falls="f8",  # seconds by which a wait behind that becomes shorter per second
    lost="f8",  # requests reset by a kill and not yet told to their callers
    back="f8",  # requests that nobody took before, and whose next attempts are due there
    back_call="i8",  # by which most of them come
    comes="f8",  # of the offered, those that come back
    failed_back="f8",  # of them, those that have failed for good and whose clients have not been told
    offered="f8",  # per second, those refused included
    hold_s="f8",  # mean time that a request keeps a worker
    hold_var="f8",
    left_s="f8",  # of that, what is left to those at work, on the mean
    offered_before="f8",  # of the round before, while flows are found
    hold_before_s="f8",
    refused="f8",  # share of the offered
    again_full="f8",  # share of the offered that is refused, and would be at once again, beyond chance
    burst="f8",  # by how much the variance of the refused is above their mean, per mean, over longer than a burst
    full="f8",  # share that its queue refuses in its steady state
    stays="f8",  # share refused by what may be as full still when a retry comes, its queue or its bucket
    returned="f8",  # retries per second of what it refused that come to it again
    stuck="f8",  # of them, those in vain, which are not among the offered
    after_s="f8",  # after so long, on the mean
    vain="f8",  # share of them that are refused besides those by chance
    room="f8",  # tokens over which its quota's bucket moves that is empty now and then
    spread="f8",  # variance, per second, of what is taken from the bucket, 0: that refuses less than the queue
    drift="f8",  # what is taken less what is added
    off_s="f8",  # how long its one queue sheds all that comes, each time; 0: it does not, or has several
    waits_s="f8",  # mean of the accepted
    drive="f8",  # requests started for each one accepted: below 1 while a backlog grows, above while it falls
)
REPLICA = _record(
    version="i8",
    listed="i8",  # 1 when it is ready and in rotation
    out_until_s="f8",  # when it is back that is ejected; 0: it is not
    ready="i8",  # 1 when it is listed and takes work; it works off what is inside in any case
    full="i8",  # 1 while its queue is
    inside="f8",  # requests in its workers and queue
    solved_inside="f8",  # when the flows were found
    limit="f8",  # requests that can be inside; infinite when its queue has no bound
    refused="f8",  # share of what comes
    came="f8",  # in the last step in which it was drawn
    turned="f8",  # of them, those refused
    behind_s="f8",  # wait behind a backlog
    bench="i8",  # its row of `free` and `line`, where its station is played singly
    head="i8",  # of its line
    waiting="i8",  # in it
    first="i8",  # job in its line, and the last, where its station is linked
    last="i8",
    died="i8",  # 1 until its jobs are ended, likewise
    chosen="f8",  # how likely it takes the next request
    run="i8",  # failures in a row
    to_hear="i8",  # outcomes that its callers have not heard of
    first_heard="i8",  # the place of the first
)
EFFECT = _record(error="f8", factor="f8", add_s="f8", lost="f8")
CALL = _record(
    retries="i8", backoff_s="f8", jitter="i8", latency_s="f8", latency_jitter_s="f8", cut="i8",
    lost="f8",  # answers under way when it was cut, not yet told to their callers
    cancel="i8",  # 1 when an attempt that timed out is cancelled
    budget="i8",  # 1 when its retries have one
    budget_share="f8",
    budget_per_s="f8",
    tokens="f8",  # of the budget
    allow="f8",  # share of the retries that are made: below 1 when the budget is spent
    firsts="f8",  # first attempts per second
    retried="f8",  # retries per second
    breaker="i8",  # 1 when it has one
    trip_share="f8",
    trip_minimum="i8",
    slot_s="f8",  # of its window
    open_s="f8",
    probes="i8",
    mode="i8",  # CLOSED, OPEN or HALF_OPEN
    until_s="f8",  # end of a mode that is not closed
    reopens="i8",  # 1 when a probe of the half-open mode fails
    held="f8",  # share of the calls that it holds back
    first_slot="i8",  # the first that may have anything in it
    noticed="i8",  # 1 when the window has failures, not few
    asked="f8",  # calls per second, those held back included
    asked_ok="f8",  # of them, those that the first attempt answers, were all let through
    asked_s="f8",  # times how long that takes
)  # fmt: skip
NODE = _record(
    station="i8", call="i8", function="i8", child="i8", sibling="i8", parent="i8", row="i8", writes="i8",
    timeout_s="f8",
    number="i8",  # of the call in the network: several nodes have one where versions are told apart
    made_by="i8",  # the version of the caller that makes it, -1: all
    parallel="i8",  # 1 when it starts together with the one before
)  # fmt: skip
REPLY = _record(  # what a caller gets, all attempts together
    ok="f8",
    fail="f8",
    attempts="f8",
    returned="f8",  # of them, retries that come to the version that refused the attempt before
    again_s="f8",  # their times from the first attempt on, all together
    lasts_s="f8",
    lasts_var="f8",
    burst="f8",  # of the failed calls, as of a version's refused
    attempt_fails="f8",  # share of the attempts that a version fails
    attempt_burst="f8",  # of those
    together_s="f8",  # how long it and those that start with it last, where there are any
    waits_s="f8",  # mean time from a failed attempt to the next one
    tries="f8",  # attempts of a call that fails
    once_ok="f8",  # share of the attempts that succeed
    once_s="f8",  # how long one lasts
    fails_s="f8",  # how long one lasts that fails
    again_full="f8",  # share of them that is refused, and would be at once again, beyond chance
    saved="f8",  # share of the possible retries of a call that succeeds, that it takes
)
FLOW = _record(
    calls="f8",  # attempts per second
    copies="f8",  # of them, those made for copies of requests
    returned="f8",  # of them
    again="f8",  # of them, those made since an attempt before has failed, here or above
    again_s="f8",  # times how long after the first attempt
    varies="f8",  # variance per mean, over long times, times calls
    begins_s="f8",  # mean time from the client's request to the call
)
HELD = _record(
    mean_s="f8",
    var="f8",
    back="f8",  # share of a call's returned retries that come to the version
    below="f8",  # failures in calls that the version makes, times their burst
    burst="f8",  # of the failures in the service row
    fails="f8",  # share of a call's attempts that come to the version and fail there
)
RETRY = _record(  # or what else is to come
    at_s="f8",
    what="i8",  # CALL_COMES, or JOB_...
    node="i8",
    cohort="i8",
    attempt="i8",  # of a call; of JOB_ANSWERED, 1 for a failure
    job="i8",  # that makes the call, or has got that far; -1: flows make it
    number="i8",  # of the job by then: it has ended when it has another one
)
JOB = _record(
    number="i8",  # other than that of who had its place before
    node="i8", cohort="i8", version="i8", attempt="i8", copy="i8", replica="i8",
    caller="i8",  # the job that made the call, -1: flows did
    number_of_caller="i8",
    awaited="i8",  # 1 until its caller gives up
    worker="i8",  # -1: it waits in line, or has none any more
    behind="i8",  # who is next in line, or the next free place
    child="i8",  # the node of the calls that it makes next, -1: none
    calls="i8",  # that it waits for
    failed="i8",
    came_s="f8",
    work_s="f8",
    gives_up_s="f8",  # its caller
    leaves_s="f8",  # it is cancelled
)  # fmt: skip
FUNCTION = _record(segment="i8", root="i8", rate="f8", arrivals_left="i8", mass_left="f8")


class State(NamedTuple):
    """All that the compiled part touches. Shapes in brackets."""

    clock: NDArray[np.void]  # [1]
    keys: NDArray[np.uint64]  # [streams]
    luck: NDArray[np.float64]  # [1] quantile of the failures of a step
    failed: NDArray[np.int64]  # [4] by column, of the calls that were counted last
    begun: NDArray[np.int64]  # [nodes] calls of the step that is counted, retries not
    copied: NDArray[np.int64]  # [nodes] copies of the step that is counted
    doomed: NDArray[np.int64]  # [nodes] of them, those of which all attempts fail
    draw: NDArray[np.uint64]  # [1] position in the running sequence of draws; hot, so functions take it alone
    stations: NDArray[np.void]  # [stations]
    versions: NDArray[np.void]  # [station and version]
    replicas: NDArray[np.void]  # [replicas] per version, from its first_replica on
    free: NDArray[np.float64]  # [benches, workers] when each worker is free, of stations that are played singly
    line: NDArray[np.float64]  # [benches, places, 2] until when and since when who waits waits, from `head` on
    heard: NDArray[np.float64]  # [benches, places, 2] when an outcome is heard of, and 1 for a failure
    retries: NDArray[np.void]  # [places] a heap by time, of what is to come to stations that are played singly
    jobs: NDArray[np.void]  # [places] inside stations that are linked
    due: NDArray[np.float64]  # [station and version, LEFT, DUE] attempts that come back, by those left and by time
    past: NDArray[np.float64]  # [nodes, cohorts, 1 + versions, PAST] share of the attempts that failed, and by version
    weights: NDArray[np.float64]  # [station and version, cohorts] routing shares
    effects: NDArray[np.void]  # [station and version, cohorts]
    contracts: NDArray[np.float64]  # [caller's station and version, callee's] share of errors
    calls: NDArray[np.void]  # [calls]
    nodes: NDArray[np.void]  # [nodes] in preorder
    functions: NDArray[np.void]  # [functions]
    rate_until: NDArray[np.float64]  # [functions, segments]
    rate: NDArray[np.float64]  # [functions, segments]
    shares: NDArray[np.float64]  # [functions, cohorts]
    alike: NDArray[np.int64]  # [nodes, cohorts] the cohort whose replies are the same
    replies: NDArray[np.void]  # [nodes, cohorts]
    flows: NDArray[np.void]  # [nodes, cohorts]
    writers: NDArray[np.float64]  # [nodes, cohorts, versions] of the caller: who makes the calls, per second
    held: NDArray[np.void]  # [nodes, cohorts, versions]
    answers: NDArray[np.float64]  # [nodes, cohorts, versions, columns] shares of a version's calls
    seen: NDArray[np.float64]  # [functions, cohorts, columns] shares of the clients' requests
    answers_order: NDArray[np.int16]  # [nodes, cohorts, versions, columns] bins of `answers`, largest first, then -1
    seen_order: NDArray[np.int16]  # [functions, cohorts, columns] bins of `seen`, likewise
    arrivals: NDArray[np.int64]  # [functions, cohorts] of the running cell, still to come
    written: NDArray[np.int64]  # [nodes, cohorts, versions, 4] of the running cell: stored, lost, failed, unknown
    pool: Pool
    edges: NDArray[np.float64]  # [bins - 1]
    middles: NDArray[np.float64]  # [bins] seconds that stand for a bin
    client: NDArray[np.int32]  # [cells, functions * cohorts, columns] as simulator.layout
    service: NDArray[np.int32]  # [cells, service rows, columns]
    outcomes: NDArray[np.int64]  # [calls, RING, 2] answers and failures that a breaker hears, by slot
    levels: NDArray[np.float64]  # [4, LEVELS] room to solve a bounded queue in
    more: NDArray[np.float64]  # [station and version, LEVELS] retries by level of the queue, as a share of the rest
    met: NDArray[np.float64]  # [station and version, STEPS + 1] share of retries refused, by steps since a refusal
    stages: NDArray[np.int64]  # [STAGES] addresses of compiled stages, 0: not needed
    log: NDArray[np.void]  # [capacity] WRITE
    log_count: NDArray[np.int64]  # [capacity] writes that the row stands for


RECORDS: dict[str, np.dtype[np.void]] = {
    "clock": CLOCK, "stations": STATION, "versions": VERSION, "replicas": REPLICA, "effects": EFFECT,
    "calls": CALL, "nodes": NODE, "functions": FUNCTION, "replies": REPLY, "flows": FLOW, "held": HELD, "log": WRITE,
    "retries": RETRY, "jobs": JOB,
}  # fmt: skip

FIND, WAIT, DRAW, PLAY, MEET, ADVANCE = STAGES = range(6)
"""Places of `State.stages` (`simulator.fluid.stages`)."""
CALL_COMES, JOB_WORKED, JOB_ANSWERED, JOB_GIVEN_UP = range(4)
"""What is to come: a call; a job's own work is done; a call of it is over; its caller gives up, or it is cancelled."""
SLOTS, RING = 10, 256
"""Slots in a part of a circuit breaker's window (`simulator.layout.BUCKETS`), and all that there are."""
AHEAD = RING - SLOTS * BUCKETS - 1
"""Slots ahead of now that an answer on its way can be in."""
PAST = 128
"""Tenths of a second that are remembered."""
LEFT, DUE = 6, 256
"""Numbers of attempts that are told apart of those that come back, the last for more, and tenths of a second ahead."""
SCRATCH = 18
"""Lattices beside those of waits, own work and replies."""


def empty_state() -> State:
    """A state without anything in it, to tell the compiler the types."""
    axes = dict.fromkeys(("weights", "effects", "rate_until", "rate", "shares", "alike", "replies", "flows"), 2)
    axes |= dict.fromkeys(("writers", "held", "seen", "seen_order", "outcomes", "client", "service"), 3)
    axes["contracts"] = axes["levels"] = axes["more"] = axes["met"] = axes["free"] = 2
    axes["line"] = axes["heard"] = axes["due"] = 3
    axes |= {"arrivals": 2, "past": 4, "answers": 4, "answers_order": 4, "written": 4}
    codes = {
        "keys": "u8", "luck": "f8", "failed": "i8", "begun": "i8", "copied": "i8", "doomed": "i8", "draw": "u8",
        "free": "f8", "line": "f8", "heard": "f8", "due": "f8", "past": "f8",
        "weights": "f8", "contracts": "f8", "rate_until": "f8", "rate": "f8",
        "shares": "f8", "alike": "i8", "writers": "f8", "answers": "f8", "seen": "f8", "answers_order": "i2",
        "seen_order": "i2",
        "arrivals": "i8", "written": "i8", "edges": "f8", "middles": "f8", "client": "i4", "service": "i4",
        "outcomes": "i8", "levels": "f8", "more": "f8", "met": "f8", "stages": "i8", "log_count": "i8",
    }  # fmt: skip
    kinds: dict[str, np.dtype[Any]] = {**RECORDS, **{name: np.dtype(code) for name, code in codes.items()}}
    arrays: dict[str, Any] = {name: np.zeros((0,) * axes.get(name, 1), kind) for name, kind in kinds.items()}
    return State(pool=empty_pool(0), **arrays)
