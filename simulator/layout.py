"""The layout table: every record and array that the compiled kernel reads or writes.

The kernel takes one `State`, a named tuple of flat arrays, and allocates nothing. Each kind of thing is one array of
aligned records (a job fits two cache lines). `simulator.kernel.plane.DataPlane` builds it from a `Network`, grows it,
and is the only one that writes into it between kernel calls.

Tables hold one row per (cell, row). A client row is `function * cohorts + cohort`; its cell is that of the arrival.
A service row is `first_row(station, function) + version * cohorts + cohort`; its cell is that of the answer. Columns:
    0  requests that arrived (client rows only; 0 in service rows)
    1  answered with an error      2  timed out       3  refused
    4+ successful answers by latency bin (failed ones have no latency in the histogram)
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ARRIVED, ERROR, TIMEOUT, REFUSED = 0, 1, 2, 3
"""Table columns; the last three are also outcomes of jobs."""
OK = 0
RESET, UNSENT = 4, 5
"""Outcomes of a job that is not a failure, of one cut off in the middle, and of one that a circuit breaker held back.
The last two are counted as refused."""
FIRST_BIN = 4

FREE, QUEUED, WORKING, WAITING, ANSWERING, BRANCH = 0, 1, 2, 3, 4, 5
"""What a job is doing; WAITING for a call that it makes, ANSWERING while its answer travels. A BRANCH is no job:
it stands in for its parent in one of the calls that the parent makes at the same time."""

FROM_CLIENT, ABANDONED, ORPHAN, COPY = -1, -2, -3, -4
"""Values of a job's `parent` when it is no job: the client; nobody: gave up, was killed, never was."""

FAULTY, CONTRACT, MIRRORED, BALANCED, EJECTING, SHEDDING, QUOTA, SHARING = 1, 2, 4, 8, 16, 32, 64, 128
"""Bits of a station's `features`: what it has beyond a plain one. Without any, a call takes the short way in."""
TRACKED = BALANCED | EJECTING
"""Features that follow a replica's jobs until they leave."""

CUT, BREAKER, BUDGET, CANCEL, GROUPED = 1, 2, 4, 8, 16
"""Bits of a call's `features`."""

LEAN_STATION, LEAN_CALL = FAULTY | CONTRACT | SHARING, CUT
"""Those that the lean kernel knows too; all others are mechanics (`simulator.kernel.variant`)."""

CLOSED, OPEN, HALF_OPEN = 0, 1, 2
"""Modes of a circuit breaker."""
BUCKETS = 10
"""Parts of a circuit breaker's window."""

DONE, ANSWER, TIMER, RESUME, CUT_OFF = 0, 1, 2, 3, 4
"""Events: own work done; answer arrives; head of a timer ring due; retry after backoff; connection cut."""
EVENT_BITS = 3
EVENT_MASK = 7

WRITE_OK, WRITE_FAILED, WRITE_INDETERMINATE = 0, 1, 2
"""Outcomes in the write log, as the caller knows them."""


def _record(**fields: str) -> np.dtype[np.void]:
    return np.dtype(list(fields.items()), align=True)


CLOCK = _record(
    now="f8",  # seconds
    seq="i8",  # next event number; breaks ties of time
    serial="i8",  # next job number
    heap_n="i8",
    vacant="i8",  # 1 while heap[0] was taken and not yet replaced
    free_head="i8",  # first free job slot
    free_n="i8",
    log_n="i8",
    ring_full="i8",
    slots_min="i8",  # that one event may need
    next_function="i8",  # whose request comes next
    next_arrival="f8",
    stale="i8",  # 1 when a rate changed, so that the next arrival must be found again
)
EVENT = _record(t="f8", seq="i8", what="i8")  # what = subject << EVENT_BITS | event
TIMER_ENTRY = _record(t="f8", seq="i8", slot="i8")
RING = _record(timeout_s="f8", head="i8", n="i8")  # timers of one edge: one timeout, so first in first out
JOB = _record(
    key="u8",  # of its draws
    event_seq="i8",  # its pending event; any other in the heap is stale
    timer_seq="i8",  # its caller's timer, 0 when nothing can cut the wait short
    serial="i8",
    request="i8",  # running number within the function
    sent_s="f8",
    parent="i4",
    child="i4",  # slot of the call that it awaits or of the first branch, -1 when none
    next="i4",  # in the replica's queue, among the branches of a job, or the next free slot
    node="i4",
    version_row="i4",  # its station and version
    caller_row="i4",  # its caller's station and version, -1 for the client
    replica="i4",  # -1 when it is in none
    cohort="i4",
    attempt="i4",
    call_node="i4",  # the call that it makes
    call_attempt="i4",
    state="i4",
    outcome="i4",  # carried by ANSWER
    counted="i4",  # 1 when its service row has it already
    stored="i4",  # 1 when it wrote
    open="i4",  # branches that it awaits
    broken="i4",  # 1 when one of them failed
    mirrored="i4",  # 1 when it is a copy of a request, or works for one
)
FUNCTION = _record(
    next_arrival="f8",
    arrived="i8",
    gap_key="u8",
    request_key="u8",
    segment="i8",  # current rate segment
    root="i8",
    unspent="f8",  # of the unit gap to a request: from next_arrival on, or left over when it never comes
)
STATION = _record(
    workers="i8",
    queue="i8",
    kind="i8",
    p0="f8",
    p1="f8",
    holds_worker="i8",
    versions="i8",
    first_version="i8",  # its first row in `versions`
    only_version="i8",  # the row with all the weight, -1 when shared
    features="i8",
    started="i8",  # jobs whose own work began
    waited_s="f8",  # sum of their waits in queue
    entered="i8",
    left="i8",
    balance_s="f8",  # sum of leaving times minus sum of entering times
    # Only stations with features use what follows.
    error_share="f8",  # injected
    mirror_share="f8",
    mirror_row="i8",  # the version that takes the copies
    balancing="i8",
    shed_s="f8",  # a queue whose head has waited longer takes nobody
    quota_per_s="f8",
    quota_burst="f8",
    tokens="f8",  # of the quota, at tokens_s
    tokens_s="f8",
    eject_after="i8",  # failures in a row
    eject_s="f8",
    eject_most="f8",  # share of the ready replicas
)
VERSION = _record(
    fleet="i8",  # the row whose replicas serve it: its own, or that of the version with which it shares them
    first_replica="i8",
    ready_n="i8",
    turn="i8",  # round robin position
    version="i8",
)
EFFECT = _record(error="f8", factor="f8", add_s="f8", lost="f8")  # all defects of a version on a cohort
REPLICA = _record(
    busy="i8",
    waiting="i8",
    first="i8",  # of its queue, linked through the jobs
    last="i8",
    in_flight="i8",  # jobs that it has, kept for TRACKED stations
    failed="i8",  # failures in a row
    ejected_until="f8",
    worked_s="f8",  # worker-seconds at work, less now for each worker that is: so adding busy * now gives them
)
NODE = _record(
    station="i8",
    call="i8",
    function="i8",
    child="i8",
    sibling="i8",
    row="i8",
    ring="i4",
    writes="i4",
    width="i4",  # calls that start together with this one, itself included
    after="i4",  # the call that follows those that started together
)
CALL = _record(retries="i8", backoff_s="f8", jitter="i8", latency_s="f8", latency_jitter_s="f8", features="i8")
LINK = _record(  # what the callers of a call remember, all of them together
    budget_share="f8",
    budget_per_s="f8",
    tokens="f8",  # of the retry budget, at tokens_s
    tokens_s="f8",
    trip_share="f8",
    trip_minimum="i8",
    bucket_s="f8",
    open_s="f8",
    probes="i8",
    mode="i8",
    since_s="f8",  # when the mode began
    probed="i8",  # probes let through
    passed="i8",  # probes answered well
    bucket="i8",  # running number of the last bucket with an outcome
)
WRITE = _record(
    key="u8",  # identifies the attempt
    invoked_s="f8",
    acknowledged_s="f8",  # NaN when the caller never learned of it
    request="i8",
    node="i4",
    attempt="i4",
    outcome="i4",
    stored="i4",  # 1 when a later read would find it
    cohort="i4",
    caller_version="i4",  # of the service that wrote, -1 for the client
)


class State(NamedTuple):
    """All that the kernel touches. Shapes in brackets."""

    clock: NDArray[np.void]  # [1] CLOCK
    heap: NDArray[np.void]  # [capacity] EVENT, 4-ary by (t, seq)
    jobs: NDArray[np.void]  # [slots] JOB
    rings: NDArray[np.void]  # [rings] RING
    timers: NDArray[np.void]  # [rings, capacity (a power of two)] TIMER_ENTRY
    functions: NDArray[np.void]  # [functions] FUNCTION
    rate_until: NDArray[np.float64]  # [functions, segments] seconds, inf in the last
    rate: NDArray[np.float64]  # [functions, segments] per second
    cohort_upto: NDArray[np.float64]  # [functions, cohorts] cumulated shares
    stations: NDArray[np.void]  # [stations] STATION
    versions: NDArray[np.void]  # [station and version] VERSION
    upto: NDArray[np.float64]  # [station and version, cohorts] cumulated routing weights
    effects: NDArray[np.void]  # [station and version, cohorts] EFFECT
    contracts: NDArray[np.float64]  # [caller's station and version, callee's] share of errors
    ready: NDArray[np.int64]  # [replicas] per version, its ready replicas from first_replica on
    replicas: NDArray[np.void]  # [replicas] REPLICA
    nodes: NDArray[np.void]  # [nodes] NODE
    calls: NDArray[np.void]  # [calls] CALL
    links: NDArray[np.void]  # [calls] LINK
    outcomes: NDArray[np.int64]  # [calls, BUCKETS, 2] answers and failures that the breaker has seen
    keys: NDArray[np.uint64]  # [streams]
    client: NDArray[np.int32]  # [cells, functions * cohorts, FIRST_BIN + bins]
    service: NDArray[np.int32]  # [cells, service rows, FIRST_BIN + bins]
    edges: NDArray[np.float64]  # [bins - 1]
    bin_start: NDArray[np.int64]  # [1 + octave parts] see build._bin_start
    scale: NDArray[np.float64]  # [2] cells per second; scratch
    scratch: NDArray[np.int64]  # [2] the same memory as scale
    log: NDArray[np.void]  # [capacity] WRITE


RECORDS: dict[str, np.dtype[np.void]] = {
    "clock": CLOCK, "heap": EVENT, "jobs": JOB, "rings": RING, "timers": TIMER_ENTRY,
    "functions": FUNCTION, "stations": STATION, "versions": VERSION, "effects": EFFECT,
    "replicas": REPLICA, "nodes": NODE, "calls": CALL, "links": LINK, "log": WRITE,
}  # fmt: skip


def empty_state() -> State:
    """A state without anything in it, to tell the compiler the types."""
    axes = dict.fromkeys(("timers", "effects", "rate_until", "rate", "cohort_upto", "upto", "contracts"), 2)
    axes |= {"client": 3, "service": 3, "outcomes": 3}
    plain: dict[str, np.dtype[Any]] = {
        name: np.dtype(code)
        for name, code in {
            "rate_until": "f8", "rate": "f8", "cohort_upto": "f8", "upto": "f8", "contracts": "f8",
            "outcomes": "i8", "ready": "i8", "keys": "u8", "client": "i4",
            "service": "i4", "edges": "f8", "bin_start": "i8", "scale": "f8", "scratch": "i8",
        }.items()
    }  # fmt: skip
    return State(**{name: np.zeros((0,) * axes.get(name, 1), dtype) for name, dtype in {**RECORDS, **plain}.items()})
