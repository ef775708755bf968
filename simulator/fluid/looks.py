"""What flows see of services that are played request by request: what a request would meet there now."""

import math

from simulator.fluid import lattice
from simulator.fluid.bench import count_inside, free_s, full_until_s, sheds
from simulator.fluid.lattice import NEVER
from simulator.fluid.layout import State
from simulator.fluid.past import comes_at_once
from simulator.kernel.inline import inlined, merged

_POINTS = 64
"""Of the lattice of waits."""
_PATIENCE = 2.0
"""Waits longer than so many times the longest timeout are as long as that: who meets them has given up."""


@inlined
def _before(s: State, row: int, index: int) -> int:
    """How many requests come to others before a replica has its turn; 0 where there are no turns."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    before = 0
    if station["pooled"] + station["of_two"] == 0 and version["offered"] > 0.0:
        at = version["turn"] % version["replicas"]
        while version["first_replica"] + at != index:
            before += s.replicas[version["first_replica"] + at]["ready"]
            at = (at + 1) % version["replicas"]
    return before


@inlined
def _shut_until_s(s: State, index: int, at_s: float, now: float) -> float:
    """Until when a replica takes nobody, as far as is known of a time."""
    return math.inf if sheds(s, index, at_s) else float(full_until_s(s, index, now))


@inlined
def _comes_before(due: float, before: int) -> float:
    """How likely at least `before` come where so many are due."""
    if due <= 0.0 or due == math.inf:
        return 1.0 if due > 0.0 else 0.0
    likely, term = 1.0, math.exp(-due)
    for k in range(before):
        likely -= term
        term *= due / (k + 1.0)
    return max(0.0, likely)


@inlined
def look(s: State, row: int, index: int, now: float) -> tuple[float, float]:
    """What the next request meets at a ready replica: how likely it is refused, and its wait if it is not.

    Where each has its turn, requests come more evenly than at random, and find fewer inside than there are at any time.
    So a replica is looked at when its turn comes, of which a random moment would be in a longer gap than others are,
    by one request's: with k before it after k gaps, and not k + 1. What is inside until then only leaves. Of callers
    whose workers are all held, a request comes when somebody has left, and finds one less than there are at any time.
    """
    before, offered, follows = (
        _before(s, row, index),
        max(NEVER, s.versions[row]["offered"]),
        s.versions[row]["follows"],
    )
    at_s = now + (before + follows) / offered
    wait_s = max(0.0, free_s(s, index, now) - at_s)
    due = (_shut_until_s(s, index, at_s, now) - now) * offered
    if s.stations[s.versions[row]["station"]]["linked"] != 0 and 0.0 < due < math.inf:
        return (due / (1.0 + due)) ** (before + follows), wait_s  # when one leaves is known on the mean only
    refused = _comes_before(due, before)
    if follows > 0.0:
        refused += follows * (_comes_before(due, before + 1) - refused)
    return refused, wait_s


@inlined
def _tried_at_once(s: State, row: int) -> bool:
    """Whether a version has its replicas take turns, and callers that come again the moment that they are refused."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    if version["ready"] < 2 or station["pooled"] + station["of_two"] != 0:
        return False
    for node in range(len(s.nodes)):
        call = s.calls[s.nodes[node]["call"]]
        if s.nodes[node]["station"] == version["station"] and call["retries"] > 0 and comes_at_once(call):
            return True
    return False


@inlined
def _find_refused(s: State, row: int, now: float) -> None:
    """Whether the replica whose turn it is refuses who comes now, and the next one who comes again at once.

    A retry at once takes a turn, too: while one of two replicas is full, all first attempts come to that one, and all
    retries to the other. So turns are not a matter of chance. First attempts are a Poisson stream, to which any moment
    is like those at which one comes (Wolff 1982).
    """
    version, index, shut = s.versions[row], s.versions[row]["turn"] - 1, 0
    for _ in range(2):
        index += 1
        while s.replicas[version["first_replica"] + index % version["replicas"]]["ready"] == 0:
            index += 1
        if now >= _shut_until_s(s, version["first_replica"] + index % version["replicas"], now, now):
            break
        shut += 1
    version["refused"] = 1.0 if shut > 0 else 0.0
    version["again_full"] = (1.0 if shut > 1 else 0.0) - version["refused"]


@inlined
def _tell_chosen(s: State, row: int, now: float) -> None:
    """How likely each ready replica of a version takes the next request."""
    version = s.versions[row]
    station, ready = s.stations[version["station"]], version["ready"]
    first, last = version["first_replica"], version["first_replica"] + version["replicas"]
    for index in range(first, last):
        s.replicas[index]["chosen"] = s.replicas[index]["ready"] / ready
    if ready < 2 or station["of_two"] + station["pooled"] == 0:
        return
    best = -1
    for index in range(first, last):
        replica = s.replicas[index]
        replica["chosen"] = 0.0
        if replica["ready"] == 0:
            continue
        inside = count_inside(s, index, now)
        for other in range(first, last):
            if other != index and s.replicas[other]["ready"] != 0:
                more = count_inside(s, other, now) - inside
                replica["chosen"] += (2.0 if more > 0 else 1.0 if more == 0 else 0.0) / (ready * (ready - 1.0))
        if best < 0 or inside < count_inside(s, best, now):
            best = index
    if station["pooled"] != 0:
        for index in range(first, last):
            s.replicas[index]["chosen"] = 1.0 if index == best else 0.0


@inlined
def _patience_s(s: State, station: int) -> float:
    """How long waits may be that anybody waits for."""
    longest_s = 0.0
    for node in range(len(s.nodes)):
        if s.nodes[node]["station"] == station:
            longest_s = max(longest_s, s.nodes[node]["timeout_s"])
    return _PATIENCE * longest_s


@merged
def meet(s: State, row: int, wait: int) -> None:
    """Waits and refusals that a request meets now at a version, which has ready replicas; `wait` becomes the waits."""
    version, now = s.versions[row], s.clock[0]["now"]
    workers, patience_s = s.stations[version["station"]]["workers"], _patience_s(s, version["station"])
    first, last = version["first_replica"], version["first_replica"] + version["replicas"]
    _tell_chosen(s, row, now)
    accepted = started = waits_s = top_s = 0.0
    for index in range(first, last):
        replica = s.replicas[index]
        if replica["ready"] == 0:
            continue
        replica["refused"], replica["behind_s"] = look(s, row, index, now)
        takes = replica["chosen"] * (1.0 - replica["refused"])
        accepted += takes
        waits_s += takes * replica["behind_s"]
        if takes > 0.0:
            top_s = max(top_s, min(patience_s, replica["behind_s"]))
        if count_inside(s, index, now) > 2 * workers:
            started += workers / max(version["hold_s"], NEVER) / max(version["offered"], NEVER)
        else:
            started += takes
    version["refused"] = 1.0 - accepted
    if accepted <= 0.0:  # who comes again when there is a place waits as long as who would come now
        version["refused"] = 1.0
        for index in range(first, last):
            waits_s += s.replicas[index]["chosen"] * min(patience_s, s.replicas[index]["behind_s"])
        lattice.point(s.pool, wait, waits_s, 1.0)
        return
    if 0.0 < version["refused"] < 1.0 and _tried_at_once(s, row):
        _find_refused(s, row, now)
    version["waits_s"], version["drive"] = waits_s / accepted, started / accepted
    if top_s <= 0.0:
        return
    p, step_s = s.pool, top_s / (_POINTS - 1)
    p.n[wait], p.off[wait], p.step[wait] = _POINTS, 0.0, step_s
    p.w[wait, :_POINTS] = 0.0
    for index in range(first, last):
        replica = s.replicas[index]
        takes = replica["chosen"] * (1.0 - replica["refused"]) / accepted
        if replica["ready"] != 0 and takes > 0.0:
            place = min(patience_s, replica["behind_s"]) / step_s
            low = min(int(place), _POINTS - 2)
            p.w[wait, low] += takes * (1.0 - (place - low))
            p.w[wait, low + 1] += takes * (place - low)
