"""Which replica takes a job, where that is more than a matter of turn: balancing, and ejection of those that fail."""

from typing import Any

import numpy as np

from simulator.draws import Stream, mix, nth, unit
from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.place import next_in_turn
from simulator.layout import EJECTING, FROM_CLIENT, OK, State

_BALANCE = int(Stream.BALANCE)
_LEAST, _TWO = 1, 2


@inlined
def is_out(s: State, replica_index: int, now: float) -> bool:
    """Whether the replica is ejected."""
    return s.replicas[u(replica_index)]["ejected_until"] > now


@inlined
def ejected_n(s: State, fleet: Any, now: float) -> int:
    """How many of the ready replicas are ejected."""
    found = 0
    for place in range(fleet["ready_n"]):
        if is_out(s, s.ready[u(fleet["first_replica"] + place)], now):
            found += 1
    return found


@inlined
def nth_in(s: State, fleet: Any, wanted: int, all_of_them: bool, now: float) -> int:
    """The ready replica number `wanted` among those that are not ejected, or among all of them."""
    index = -1
    for place in range(fleet["ready_n"]):
        index = s.ready[u(fleet["first_replica"] + place)]
        if all_of_them or not is_out(s, index, now):
            if wanted == 0:
                break
            wanted -= 1
    return index


@inlined
def least(s: State, fleet: Any, all_of_them: bool, now: float) -> int:
    """The replica with the fewest jobs, of equals the first."""
    best = -1
    for place in range(fleet["ready_n"]):
        index = s.ready[u(fleet["first_replica"] + place)]
        if not all_of_them and is_out(s, index, now):
            continue
        if best < 0 or s.replicas[u(index)]["in_flight"] < s.replicas[u(best)]["in_flight"]:
            best = index
    return best


@inlined
def better_of_two(s: State, fleet: Any, n: int, all_of_them: bool, key: np.uint64, now: float) -> int:
    """Of two different replicas drawn at random among the `n`, the one with fewer jobs."""
    bits = mix(key + s.keys[_BALANCE])
    one = np.int64(unit(bits) * n)
    first = nth_in(s, fleet, one, all_of_them, now)
    if n == 1:
        return first
    other = (one + 1 + np.int64(unit(nth(bits, 0)) * (n - 1))) % n
    second = nth_in(s, fleet, other, all_of_them, now)
    return second if s.replicas[u(second)]["in_flight"] < s.replicas[u(first)]["in_flight"] else first


@inlined
def choose_replica(s: State, station: Any, fleet: Any, key: np.uint64, now: float) -> int:
    """One of the ready replicas, of which there is at least one. When all are ejected, none counts as ejected."""
    out = ejected_n(s, fleet, now) if station["features"] & EJECTING else 0
    n = fleet["ready_n"] - out
    everyone = out == 0 or n == 0
    if n == 0:
        n = out
    if station["balancing"] == _LEAST:
        return least(s, fleet, everyone, now)
    if station["balancing"] == _TWO:
        return better_of_two(s, fleet, n, everyone, key, now)
    index = next_in_turn(s, fleet)
    while not everyone and is_out(s, index, now):
        index = next_in_turn(s, fleet)
    return index


@inlined
def note_failure(s: State, station: Any, version_row: int, replica_index: int, now: float) -> None:
    """One more failure in a row of a replica, which may eject it."""
    replica = s.replicas[u(replica_index)]
    replica["failed"] += 1
    fleet = s.versions[u(s.versions[u(version_row)]["fleet"])]
    if replica["failed"] < station["eject_after"] or replica["ejected_until"] > now:
        return
    if ejected_n(s, fleet, now) + 1 <= station["eject_most"] * fleet["ready_n"]:
        replica["failed"] = 0
        replica["ejected_until"] = now + station["eject_s"]


@outlined
def depart(s: State, slot: int, outcome: int, now: float) -> None:
    """A job leaves its replica; what its caller hears counts for or against the replica."""
    job = s.jobs[u(slot)]
    station = s.stations[u(s.nodes[u(job["node"])]["station"])]
    replica = s.replicas[u(job["replica"])]
    replica["in_flight"] -= 1
    if station["features"] & EJECTING and job["parent"] >= FROM_CLIENT:
        if outcome == OK:
            replica["failed"] = 0
        else:
            note_failure(s, station, job["version_row"], job["replica"], now)


@inlined
def blame(s: State, slot: int, now: float) -> None:
    """A caller gave up: that counts against the replica that has the job, where replicas are ejected."""
    job = s.jobs[u(slot)]
    station = s.stations[u(s.nodes[u(job["node"])]["station"])]
    if station["features"] & EJECTING and job["replica"] >= 0:
        note_failure(s, station, job["version_row"], job["replica"], now)
