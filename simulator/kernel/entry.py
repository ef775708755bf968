"""A job's way into a station: sent, routed to a version, given to a replica."""

from typing import Any

import numpy as np

from simulator.draws import Stream, mix, unit
from simulator.kernel.count import count_service
from simulator.kernel.guarded import enter_guarded
from simulator.kernel.inline import inlined, u
from simulator.kernel.jobs import answer_later, arm
from simulator.kernel.links import held_back
from simulator.kernel.place import next_in_turn, take_place
from simulator.layout import REFUSED, State

_ROUTE = int(Stream.ROUTE)


@inlined
def choose_version(s: State, station: Any, key: np.uint64, cohort: int) -> int:
    """The row of the version that takes the job, by the routing weights of its cohort."""
    if station["only_version"] >= 0:
        return station["only_version"]
    share = unit(mix(key + s.keys[_ROUTE]))
    row = station["first_version"]
    while share >= s.upto[u(row), u(cohort)]:
        row += 1
    return row


@inlined
def enter(s: State, slot: int, station: Any, now: float) -> int:
    """The job reaches a station without features: into a worker, into the queue, or away. The outcome, 0 when in."""
    fleet = s.versions[u(s.jobs[u(slot)]["version_row"])]  # its own: stations whose versions share have a feature
    if fleet["ready_n"] == 0:
        return REFUSED
    return take_place(s, slot, station, next_in_turn(s, fleet), now)


@inlined
def send(s: State, slot: int, now: float) -> None:
    """Make the call in `slot`, whose key, parent, caller_row, cohort, request, node and attempt are filled in."""
    clock = s.clock[0]
    job = s.jobs[u(slot)]
    node = s.nodes[u(job["node"])]
    station = s.stations[u(node["station"])]
    job["serial"] = clock["serial"]
    clock["serial"] += 1
    job["sent_s"] = now
    job["child"] = -1
    job["replica"] = -1
    job["timer_seq"] = 0
    job["stored"] = 0
    if s.calls[u(node["call"])]["features"] != 0 and held_back(s, slot, now):
        return
    if node["ring"] >= 0:
        job["timer_seq"] = arm(s, node["ring"], slot, now)
    job["version_row"] = choose_version(s, station, job["key"], job["cohort"])
    job["counted"] = 0
    if station["features"] != 0:
        enter_guarded(s, slot, now)
        return
    outcome = enter(s, slot, station, now)
    if outcome != 0:
        count_service(s, job, outcome, now)
        answer_later(s, slot, outcome, now)
