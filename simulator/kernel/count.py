"""What the kernel writes down: client rows, service rows and the write log."""

import math
from typing import Any

import numpy as np

from simulator.kernel.build import PARTS_SHIFT
from simulator.kernel.inline import inlined, outlined, u
from simulator.layout import (
    FIRST_BIN,
    FROM_CLIENT,
    OK,
    REFUSED,
    RESET,
    WRITE_FAILED,
    WRITE_INDETERMINATE,
    WRITE_OK,
    State,
)

_SHIFT = np.int64(PARTS_SHIFT)


@inlined
def cell_of(s: State, t: float) -> Any:
    """The cell that holds a time."""
    return min(np.int64(t * s.scale[0]), len(s.client) - 1)


@inlined
def column(s: State, outcome: int, latency_s: float) -> int:
    """The table column of an answer."""
    if outcome != OK:
        return REFUSED if outcome >= RESET else outcome
    # Read off the double's exponent and top mantissa bits where to start; then at most a step or two upward.
    s.scale[1] = latency_s
    part = (s.scratch[1] >> _SHIFT) - s.bin_start[0]
    edges = s.edges
    found = s.bin_start[u(min(part, len(s.bin_start) - 2) + 1)] if part >= 0 else 0
    while found < len(edges) and edges[u(found)] < latency_s:
        found += 1
    return FIRST_BIN + found


@inlined
def count_client(s: State, job: Any, found: int) -> None:
    """A request is answered, or given up by the client: once per request."""
    row = s.nodes[u(job["node"])]["function"] * s.cohort_upto.shape[1] + job["cohort"]
    s.client[u(cell_of(s, job["sent_s"])), u(row), u(found)] += 1


@inlined
def count_service(s: State, job: Any, outcome: int, now: float) -> int:
    """A call is answered, or given up by its caller: once per call that reached the service. Returns the column."""
    found = column(s, outcome, now - job["sent_s"])
    job["counted"] = 1
    version = s.versions[u(job["version_row"])]["version"]
    row = s.nodes[u(job["node"])]["row"] + version * s.cohort_upto.shape[1] + job["cohort"]
    s.service[u(cell_of(s, now)), u(row), u(found)] += 1
    return found


@outlined
def log_write(s: State, job: Any, outcome: int, now: float) -> None:
    """One attempt to write is over, for its caller or (when that one is gone) for itself. Copies do not write."""
    if job["mirrored"] != 0:
        return
    clock = s.clock[0]
    row = s.log[u(clock["log_n"])]
    clock["log_n"] += 1
    row["key"] = job["key"]
    row["invoked_s"] = job["sent_s"]
    row["acknowledged_s"] = math.nan
    row["request"] = job["request"]
    row["node"] = job["node"]
    row["attempt"] = job["attempt"]
    row["stored"] = job["stored"]
    row["cohort"] = job["cohort"]
    row["caller_version"] = s.versions[u(job["caller_row"])]["version"] if job["caller_row"] >= 0 else -1
    if job["parent"] < FROM_CLIENT or outcome == RESET:
        row["outcome"] = WRITE_INDETERMINATE
    elif outcome == OK:
        row["outcome"] = WRITE_OK
        row["acknowledged_s"] = now
    else:
        row["outcome"] = WRITE_FAILED
