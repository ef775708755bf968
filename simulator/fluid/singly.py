"""Services that are played request by request beside the flows, since it matters what each replica has inside.

Where replicas are ejected, or service times vary much more than their mean, outcomes hang on the luck of single
replicas: a few long requests hold the workers of one for as long as they take. So requests are drawn
from what flows bring (a Poisson stream), each comes to a replica by the rules of `simulator.kernel.balance`, and to the
worker there that is free first. In a queue that is served in order it is known by then when it begins and ends (Kiefer,
Wolfowitz 1955), so nothing is left to happen later, but that a replica is ejected when its callers hear of failures.
Flows see at each step what a request would meet now: the waits of the replicas, and which of them are full.
"""

import math

from simulator.draws import Stream, duration
from simulator.fluid import lattice
from simulator.fluid.calls import first_call, goes_on, next_call, reply_of
from simulator.fluid.counts import begin_draws, draw_bits, draw_unit
from simulator.fluid.ejection import eject, hear_later
from simulator.fluid.flows import copying, entering
from simulator.fluid.lattice import NEVER
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined

_BALANCE = int(Stream.BALANCE)
_POINTS = 64
"""Of the lattice of waits."""
_PATIENCE = 2.0
"""Waits longer than so many times the longest timeout are as long as that: who meets them has given up."""


@inlined
def _free_s(s: State, index: int) -> float:
    """When a replica has a worker for who comes next."""
    station = s.stations[s.versions[s.replicas[index]["version"]]["station"]]
    found = math.inf
    for worker in range(station["workers"]):
        found = min(found, s.free[s.replicas[index]["bench"], worker])
    return found


@inlined
def _leave_line(s: State, index: int, now: float) -> None:
    """Who has begun by now, or given up, is no longer in a replica's line."""
    replica = s.replicas[index]
    while replica["waiting"] > 0 and s.line[replica["bench"], replica["head"], 0] <= now:
        replica["head"] = (replica["head"] + 1) % s.line.shape[1]
        replica["waiting"] -= 1


@inlined
def _inside(s: State, index: int, now: float) -> int:
    """Requests in a replica's workers and queue."""
    _leave_line(s, index, now)
    replica, busy = s.replicas[index], 0
    for worker in range(s.stations[s.versions[replica["version"]]["station"]]["workers"]):
        busy += 1 if s.free[replica["bench"], worker] > now else 0
    return busy + replica["waiting"]


@inlined
def _full_until_s(s: State, index: int) -> float:
    """Until when a replica's queue has no place."""
    replica = s.replicas[index]
    queue = s.stations[s.versions[replica["version"]]["station"]]["queue"]
    if queue < 0 or replica["waiting"] < queue:
        return 0.0
    if queue == 0:
        return float(_free_s(s, index))
    return float(s.line[replica["bench"], (replica["head"] + replica["waiting"] - queue) % s.line.shape[1], 0])


@inlined
def _sheds(s: State, index: int, at_s: float) -> bool:
    """Whether the first in a replica's queue has waited too long at a time, if nobody comes before."""
    replica = s.replicas[index]
    shed_s = s.stations[s.versions[replica["version"]]["station"]]["shed_s"]
    if shed_s == math.inf:
        return False
    for place in range(replica["waiting"]):
        at = (replica["head"] + place) % s.line.shape[1]
        if s.line[replica["bench"], at, 0] > at_s:
            return at_s - s.line[replica["bench"], at, 1] > shed_s
    return False


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
def _look(s: State, row: int, index: int, now: float) -> tuple[float, float]:
    """What the next request meets at a ready replica: how likely it is refused, and its wait if it is not.

    Where each has its turn, requests come more evenly than at random, and find fewer inside than there are at any time.
    So a replica is looked at when its turn comes, of which a random moment would be in a longer gap than others are,
    by one request's: with k before it after k gaps, and not k + 1. What is inside until then only leaves.
    """
    before, offered = _before(s, row, index), max(NEVER, s.versions[row]["offered"])
    at_s = now + before / offered
    wait_s = max(0.0, _free_s(s, index) - at_s)
    if _sheds(s, index, at_s):
        return 1.0, wait_s
    due = (_full_until_s(s, index) - now) * offered
    if due <= 0.0:
        return 0.0, wait_s
    refused, term = 1.0, math.exp(-due)  # so many come before it has a place again
    for k in range(before):
        refused -= term
        term *= due / (k + 1.0)
    return max(0.0, refused), wait_s


@inlined
def _nth_ready(s: State, row: int, wanted: int) -> int:
    """A version's ready replica of that number."""
    index = s.versions[row]["first_replica"]
    while s.replicas[index]["ready"] == 0 or wanted > 0:
        wanted -= s.replicas[index]["ready"]
        index += 1
    return index


@outlined
def _choose(s: State, row: int, now: float) -> int:
    """The ready replica that takes a request that comes now."""
    version = s.versions[row]
    station, ready = s.stations[version["station"]], version["ready"]
    if station["of_two"] != 0 and ready > 1:
        one = int(draw_unit(s.draw) * ready)
        other = (one + 1 + int(draw_unit(s.draw) * (ready - 1))) % ready
        first, second = _nth_ready(s, row, one), _nth_ready(s, row, other)
        return second if _inside(s, second, now) < _inside(s, first, now) else first
    if station["pooled"] != 0:
        best = fewest = -1
        for place in range(ready):
            index = _nth_ready(s, row, place)
            inside = _inside(s, index, now)
            if best < 0 or inside < fewest:
                best, fewest = index, inside
        return best
    while True:
        if version["turn"] >= version["replicas"]:
            version["turn"] = 0
        index = version["first_replica"] + version["turn"]
        version["turn"] += 1
        if s.replicas[index]["ready"] != 0:
            return index


@outlined
def _draw_answer(s: State, child: int, cohort: int) -> tuple[float, bool]:
    """How long a call lasts, all attempts together, and whether it fails."""
    p, answer = s.pool, reply_of(s, child, cohort)
    ok = lattice.mass(p, answer)
    left = draw_unit(s.draw) * (ok + lattice.mass(p, answer + 1))
    fails = left >= ok
    if fails:
        answer, left = answer + 1, left - ok
    at = 0
    while at < p.n[answer] - 1 and left >= p.w[answer, at]:
        left -= p.w[answer, at]
        at += 1
    return p.off[answer] + at * p.step[answer], fails


@outlined
def _draw_calls(s: State, node: int, cohort: int, version: int) -> tuple[float, bool]:
    """How long the calls last that a version makes for a request, and whether one has failed."""
    lasts_s, failed = 0.0, False
    child = first_call(s, s.nodes[node]["child"], version)
    while child >= 0 and not failed:
        slowest_s = 0.0
        while True:
            one_s, fails = _draw_answer(s, child, cohort)
            slowest_s, failed = max(slowest_s, one_s), failed or fails
            child = next_call(s, child, version)
            if not goes_on(s, child):
                break
        lasts_s += slowest_s
    return lasts_s, failed


@inlined
def _take_worker(s: State, index: int, now: float, holds_s: float, leaves_s: float) -> float:
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


@outlined
def _come(s: State, row: int, node: int, cohort: int, version: int, copy: bool, now: float) -> None:
    """A request comes to a version whose replicas are those of version `row`."""
    station = s.stations[s.versions[row]["station"]]
    index = _choose(s, row, now)
    _leave_line(s, index, now)
    if now < _full_until_s(s, index) or _sheds(s, index, now):
        if not copy:
            hear_later(s, index, True, now)
        return
    effect = s.effects[station["first_version"] + version, cohort]
    work_s = duration(station["kind"], station["p0"], station["p1"], draw_bits(s.draw))
    work_s = work_s * effect["factor"] + effect["add_s"]
    calls_s, failed = 0.0, draw_unit(s.draw) < effect["error"]
    if not failed and s.nodes[node]["child"] >= 0:
        calls_s, failed = _draw_calls(s, node, cohort, version)
    holds_s = work_s + calls_s if station["holds_worker"] != 0 else work_s
    gives_up_s = math.inf if copy else now + s.nodes[node]["timeout_s"]
    cancels = s.calls[s.nodes[node]["call"]]["cancel"] != 0
    begins_s = _take_worker(s, index, now, holds_s, gives_up_s if cancels else math.inf)
    ends_s = begins_s + work_s + calls_s
    station["entered"] += 1.0
    if not copy:
        hear_later(s, index, failed or ends_s >= gives_up_s, min(ends_s, gives_up_s))


@outlined
def _draw_request(s: State, row: int, now: float) -> None:
    """One of those that flows bring to a version's replicas comes: of which call, cohort and version is drawn."""
    index = s.versions[row]["station"]
    station = s.stations[index]
    left = draw_unit(s.draw) * s.versions[row]["offered"]
    last_node, last_cohort, last_version, last_copy = -1, -1, -1, False
    for node in range(len(s.nodes)):
        if s.nodes[node]["station"] != index or s.calls[s.nodes[node]["call"]]["cut"] != 0:
            continue
        for cohort in range(s.shares.shape[1]):
            for version in range(station["versions"]):
                if s.versions[station["first_version"] + version]["home"] != row:
                    continue
                for copy in (False, True):
                    comes = copying(s, node, cohort, version) if copy else entering(s, node, cohort, version)
                    if comes <= 0.0:
                        continue
                    last_node, last_cohort, last_version, last_copy = node, cohort, version, copy
                    left -= comes * (1.0 - station["over"])
                    if left < 0.0:
                        _come(s, row, node, cohort, version, copy, now)
                        return
    if last_node >= 0:
        _come(s, row, last_node, last_cohort, last_version, last_copy, now)


@outlined
def _play(s: State, row: int, now: float, until_s: float) -> bool:
    version = s.versions[row]
    ejects = s.stations[version["station"]]["eject_after"] > 0
    changed = False
    if version["ready"] > 0 and version["offered"] > 0.0:
        begin_draws(s.draw, s.keys, _BALANCE, row, int(now * 1024))
        at_s = now
        while True:
            at_s -= math.log(draw_unit(s.draw)) / version["offered"]
            if at_s >= until_s:
                break
            if ejects:
                changed |= eject(s, row, at_s)
            _draw_request(s, row, at_s)
    if ejects:
        changed |= eject(s, row, until_s)
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        replica = s.replicas[index]
        replica["inside"] = _inside(s, index, until_s)
        if replica["ready"] != 0:
            refused, wait_s = _look(s, row, index, until_s)
            changed |= replica["behind_s"] != wait_s or replica["refused"] != refused
    return changed


@outlined
def play(s: State, now: float, until_s: float) -> bool:
    """Play the services that are played singly until then; whether flows must be found anew."""
    changed = False
    for row in range(len(s.versions)):
        if s.stations[s.versions[row]["station"]]["singly"] != 0 and s.versions[row]["home"] == row:
            changed |= _play(s, row, now, until_s)
    return changed


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
        inside = _inside(s, index, now)
        for other in range(first, last):
            if other != index and s.replicas[other]["ready"] != 0:
                more = _inside(s, other, now) - inside
                replica["chosen"] += (2.0 if more > 0 else 1.0 if more == 0 else 0.0) / (ready * (ready - 1.0))
        if best < 0 or inside < _inside(s, best, now):
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


@outlined
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
        replica["refused"], replica["behind_s"] = _look(s, row, index, now)
        takes = replica["chosen"] * (1.0 - replica["refused"])
        accepted += takes
        waits_s += takes * replica["behind_s"]
        if takes > 0.0:
            top_s = max(top_s, min(patience_s, replica["behind_s"]))
        if _inside(s, index, now) > 2 * workers:
            started += workers / max(version["hold_s"], NEVER) / max(version["offered"], NEVER)
        else:
            started += takes
    version["refused"] = 1.0 - accepted
    if accepted <= 0.0:
        version["refused"] = 1.0
        return
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
