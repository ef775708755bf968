"""Ejection: replicas that have failed so many times in a row get nothing for a while.

The rules are those of `simulator.kernel.balance`. When a request comes to a service that is played singly it is known
what its caller will hear, and when; until then it is kept.
"""

from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined


@outlined
def hear_later(s: State, index: int, failed: bool, heard_s: float) -> None:
    """Keep what a caller will hear of a replica that may be ejected, in the order of hearing.

    Of too many the first is left out.
    """
    replica = s.replicas[index]
    if s.stations[s.versions[replica["version"]]["station"]]["eject_after"] == 0:
        return
    bench, places = replica["bench"], s.heard.shape[1]
    if replica["to_hear"] == places:
        replica["first_heard"] = (replica["first_heard"] + 1) % places
        replica["to_hear"] -= 1
    place = replica["to_hear"]
    while place > 0:
        before = (replica["first_heard"] + place - 1) % places
        if s.heard[bench, before, 0] <= heard_s:
            break
        after = (before + 1) % places
        s.heard[bench, after, 0], s.heard[bench, after, 1] = s.heard[bench, before, 0], s.heard[bench, before, 1]
        place -= 1
    at = (replica["first_heard"] + place) % places
    s.heard[bench, at, 0], s.heard[bench, at, 1] = heard_s, 1.0 if failed else 0.0
    replica["to_hear"] += 1


@inlined
def _may_be_out(s: State, row: int) -> bool:
    """Whether one more of a version's replicas may be out."""
    version = s.versions[row]
    listed, out = 0, 1
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        replica = s.replicas[index]
        listed += replica["listed"]
        out += 1 if replica["listed"] != 0 and replica["out_until_s"] > 0.0 else 0
    return out <= s.stations[version["station"]]["eject_most"] * listed


@inlined
def _hear(s: State, row: int, index: int, now: float) -> bool:
    """A replica's outcomes that are heard of by now; whether they put it out."""
    replica, station = s.replicas[index], s.stations[s.versions[row]["station"]]
    bench, places, changed = replica["bench"], s.heard.shape[1], False
    while replica["to_hear"] > 0 and s.heard[bench, replica["first_heard"], 0] <= now:
        heard_s, failed = s.heard[bench, replica["first_heard"], 0], s.heard[bench, replica["first_heard"], 1]
        replica["first_heard"] = (replica["first_heard"] + 1) % places
        replica["to_hear"] -= 1
        replica["run"] = replica["run"] + 1 if failed != 0.0 else 0
        if replica["run"] >= station["eject_after"] and replica["out_until_s"] <= 0.0 and _may_be_out(s, row):
            replica["run"] = 0
            replica["out_until_s"] = heard_s + station["eject_s"]
            changed = True
    return changed


@outlined
def eject(s: State, row: int, now: float) -> bool:
    """Take back whose time is over, put out whose callers have heard of enough failures; whether any was either."""
    version, changed = s.versions[row], False
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        if 0.0 < s.replicas[index]["out_until_s"] <= now:
            s.replicas[index]["out_until_s"] = 0.0
            changed = True
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        changed |= _hear(s, row, index, now)
    if changed:
        _let_in(s, row)
    return changed


@outlined
def _let_in(s: State, row: int) -> None:
    """Ready are those listed that are not out; all of them when all are."""
    version = s.versions[row]
    first, last = version["first_replica"], version["first_replica"] + version["replicas"]
    stay = 0
    for index in range(first, last):
        stay += 1 if s.replicas[index]["listed"] != 0 and s.replicas[index]["out_until_s"] <= 0.0 else 0
    version["ready"] = 0
    for index in range(first, last):
        replica = s.replicas[index]
        stays = replica["listed"] != 0 and (stay == 0 or replica["out_until_s"] <= 0.0)
        replica["ready"] = 1 if stays else 0
        version["ready"] += replica["ready"]
