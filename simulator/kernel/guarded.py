"""The way into a station that has features beyond a plain one (`layout`: bits of `features`).

One outlined function, so that the short way of plain stations stays short: they pay one branch for all of this.
"""

from typing import Any

from simulator.draws import Stream, mix, nth, unit
from simulator.kernel.balance import choose_replica, note_failure
from simulator.kernel.count import count_service
from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.jobs import answer_later, take_slot
from simulator.kernel.place import next_in_turn, take_place
from simulator.kernel.variant import MECHANICS
from simulator.layout import (
    CONTRACT,
    COPY,
    EJECTING,
    ERROR,
    FAULTY,
    MIRRORED,
    QUOTA,
    REFUSED,
    SHEDDING,
    TRACKED,
    State,
)

_FAULT, _CONTRACT, _MIRROR = int(Stream.FAULT), int(Stream.CONTRACT), int(Stream.MIRROR)


@inlined
def misunderstood(s: State, job: Any) -> bool:
    """Whether caller and callee are versions that do not understand each other, this time."""
    if job["caller_row"] < 0:
        return False
    share = s.contracts[u(job["caller_row"]), u(job["version_row"])]
    return share > 0 and unit(mix(job["key"] + s.keys[_CONTRACT])) < share


@inlined
def within_quota(station: Any, now: float) -> bool:
    """Take a token; False when there is none."""
    filled = station["tokens"] + (now - station["tokens_s"]) * station["quota_per_s"]
    tokens = min(station["quota_burst"], filled)
    station["tokens_s"] = now
    enough = tokens >= 1.0
    station["tokens"] = tokens - 1.0 if enough else tokens
    return enough


@inlined
def is_late(s: State, replica: Any, shed_s: float, now: float) -> bool:
    """Whether the first in the replica's queue has waited longer than `shed_s`."""
    return replica["waiting"] > 0 and now - s.jobs[u(replica["first"])]["sent_s"] > shed_s


@inlined
def admit(s: State, slot: int, station: Any, now: float) -> int:
    """Every check in turn, then a place: the outcome, 0 when in."""
    job = s.jobs[u(slot)]
    features = station["features"]
    if features & FAULTY and unit(mix(job["key"] + s.keys[_FAULT])) < station["error_share"]:
        return ERROR
    fleet = s.versions[u(s.versions[u(job["version_row"])]["fleet"])]
    if fleet["ready_n"] == 0:
        return REFUSED
    if features & CONTRACT and misunderstood(s, job):
        return ERROR
    if not MECHANICS:
        return take_place(s, slot, station, next_in_turn(s, fleet), now)
    if features & QUOTA and not within_quota(station, now):
        return REFUSED
    index = choose_replica(s, station, fleet, job["key"], now)
    replica = s.replicas[u(index)]
    outcome = REFUSED
    if not (features & SHEDDING and is_late(s, replica, station["shed_s"], now)):
        outcome = take_place(s, slot, station, index, now)
    if features & TRACKED:
        if outcome == 0:
            replica["in_flight"] += 1
        elif features & EJECTING:
            note_failure(s, station, job["version_row"], index, now)
    return outcome


@outlined
def knock(s: State, slot: int, now: float) -> None:
    """Let the job in, or answer that it is not."""
    job = s.jobs[u(slot)]
    outcome = admit(s, slot, s.stations[u(s.nodes[u(job["node"])]["station"])], now)
    if outcome != 0:
        count_service(s, job, outcome, now)
        answer_later(s, slot, outcome, now)


@inlined
def copied(s: State, original: int, station: Any, now: float) -> int:
    """The slot of the request's copy for the mirror, -1 when this one is not copied."""
    request = s.jobs[u(original)]
    bits = mix(request["key"] + s.keys[_MIRROR])
    if request["mirrored"] != 0 or not unit(bits) < station["mirror_share"]:
        return -1
    slot = take_slot(s)
    clock = s.clock[0]
    copy = s.jobs[u(slot)]
    copy["key"] = nth(bits, 0)
    copy["timer_seq"] = 0
    copy["serial"] = clock["serial"]
    clock["serial"] += 1
    copy["request"] = request["request"]
    copy["sent_s"] = now
    copy["parent"] = COPY
    copy["child"] = -1
    copy["node"] = request["node"]
    copy["version_row"] = station["mirror_row"]
    copy["caller_row"] = request["caller_row"]
    copy["replica"] = -1
    copy["cohort"] = request["cohort"]
    copy["attempt"] = request["attempt"]
    copy["counted"] = 0
    copy["stored"] = 0
    copy["mirrored"] = 1
    return slot


@outlined
def enter_guarded(s: State, slot: int, now: float) -> None:
    """The job reaches a station with features, and so may a copy of it."""
    knock(s, slot, now)
    station = s.stations[u(s.nodes[u(s.jobs[u(slot)]["node"])]["station"])]
    if MECHANICS and station["features"] & MIRRORED:
        copy = copied(s, slot, station, now)
        if copy >= 0:
            knock(s, copy, now)
