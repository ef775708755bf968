"""A job's place at a replica: which replica's turn it is, a worker of it, or a place in its queue."""

from typing import Any

from simulator.kernel.inline import inlined, u
from simulator.kernel.jobs import start
from simulator.layout import QUEUED, REFUSED, State


@inlined
def next_in_turn(s: State, fleet: Any) -> int:
    """The ready replica whose turn it is, round robin; there is at least one."""
    turn = fleet["turn"]
    if turn >= fleet["ready_n"]:
        turn = 0
    fleet["turn"] = turn + 1
    return s.ready[u(fleet["first_replica"] + turn)]


@inlined
def take_place(s: State, slot: int, station: Any, replica_index: int, now: float) -> int:
    """Into a worker of the replica, into its queue, or away: the outcome, 0 when in."""
    job = s.jobs[u(slot)]
    replica = s.replicas[u(replica_index)]
    if replica["busy"] < station["workers"]:
        replica["busy"] += 1
        replica["worked_s"] -= now
        job["replica"] = replica_index
        start(s, slot, now)
    elif station["queue"] < 0 or replica["waiting"] < station["queue"]:
        if replica["waiting"] == 0:
            replica["first"] = slot
        else:
            s.jobs[u(replica["last"])]["next"] = slot
        replica["last"] = slot
        replica["waiting"] += 1
        job["replica"] = replica_index
        job["state"] = QUEUED
    else:
        return REFUSED
    station["entered"] += 1
    station["balance_s"] -= now
    return 0
