"""What a replica has inside that is played request by request: who works, and who waits.

In a queue that is served in order it is known when a request comes when it begins and ends (Kiefer, Wolfowitz 1955): at
the worker that is free first. So nothing is left to happen later.
"""

import math

from simulator.fluid.layout import State
from simulator.kernel.inline import inlined


@inlined
def _next_free_s(s: State, index: int, now: float, ahead: int) -> float:
    """When a replica whose workers wait for calls has one for who has so many ahead of him: on the mean."""
    version = s.versions[s.replicas[index]["version"]]
    return float(now + (ahead + 1) * version["hold_s"] / s.stations[version["station"]]["workers"])


@inlined
def free_s(s: State, index: int, now: float) -> float:
    """When a replica has a worker for who comes next."""
    station = s.stations[s.versions[s.replicas[index]["version"]]["station"]]
    found = math.inf
    for worker in range(station["workers"]):
        found = min(found, s.free[s.replicas[index]["bench"], worker])
    if found == math.inf:
        return _next_free_s(s, index, now, s.replicas[index]["waiting"])
    return found


@inlined
def leave_line(s: State, index: int, now: float) -> None:
    """Who has begun by now, or given up, is no longer in a replica's line."""
    replica = s.replicas[index]
    if s.stations[s.versions[replica["version"]]["station"]]["linked"] != 0:  # jobs leave by themselves
        return
    while replica["waiting"] > 0 and s.line[replica["bench"], replica["head"], 0] <= now:
        replica["head"] = (replica["head"] + 1) % s.line.shape[1]
        replica["waiting"] -= 1


@inlined
def count_inside(s: State, index: int, now: float) -> int:
    """Requests in a replica's workers and queue."""
    leave_line(s, index, now)
    replica, busy = s.replicas[index], 0
    for worker in range(s.stations[s.versions[replica["version"]]["station"]]["workers"]):
        busy += 1 if s.free[replica["bench"], worker] > now else 0
    return busy + replica["waiting"]


@inlined
def full_until_s(s: State, index: int, now: float) -> float:
    """Until when a replica's queue has no place."""
    replica = s.replicas[index]
    station = s.stations[s.versions[replica["version"]]["station"]]
    queue = station["queue"]
    if queue < 0 or replica["waiting"] < queue:
        return 0.0
    if queue == 0:
        return float(free_s(s, index, now))
    if station["linked"] != 0:
        return _next_free_s(s, index, now, 0)
    return float(s.line[replica["bench"], (replica["head"] + replica["waiting"] - queue) % s.line.shape[1], 0])


@inlined
def sheds(s: State, index: int, at_s: float) -> bool:
    """Whether the first in a replica's queue has waited too long at a time, if nobody comes before."""
    replica = s.replicas[index]
    shed_s = s.stations[s.versions[replica["version"]]["station"]]["shed_s"]
    if shed_s == math.inf:
        return False
    if replica["waiting"] > 0 and s.stations[s.versions[replica["version"]]["station"]]["linked"] != 0:
        return bool(at_s - s.jobs[replica["first"]]["came_s"] > shed_s)
    for place in range(replica["waiting"]):
        at = (replica["head"] + place) % s.line.shape[1]
        if s.line[replica["bench"], at, 0] > at_s:
            return at_s - s.line[replica["bench"], at, 1] > shed_s
    return False


@inlined
def take_worker(s: State, index: int, now: float, holds_s: float, leaves_s: float) -> float:
    """A request takes the worker that is free first, at the latest until `leaves_s`; returns when it begins."""
    replica = s.replicas[index]
    bench, first = replica["bench"], 0
    for worker in range(1, s.stations[s.versions[replica["version"]]["station"]]["workers"]):
        if s.free[bench, worker] < s.free[bench, first]:
            first = worker
    begins_s = max(now, s.free[bench, first])
    if begins_s < leaves_s:
        s.free[bench, first] = min(begins_s + holds_s, leaves_s)
    places = s.line.shape[1]
    if begins_s > now and replica["waiting"] < places:  # behind so many, one more is no longer a queue
        place = (replica["head"] + replica["waiting"]) % places
        s.line[bench, place, 0], s.line[bench, place, 1] = min(begins_s, leaves_s), now
        replica["waiting"] += 1
    return begins_s
