"""What is inside a slow queue, drawn: who comes and who leaves, leap by leap.

A queue near its capacity takes long to get to its steady state, and longer to come back from a lucky burst: meanwhile
who calls it times out, tries again, and brings it more. So what is inside it is drawn: arrivals are a Poisson stream,
handed round to the replicas in turn, and each leaves after its holding time. Within a leap (tau-leaping: Gillespie,
Approximate accelerated stochastic simulation, J. Chem. Phys. 115, 2001) as many are at work as at its beginning and
half of those that came. Leaps are short where workers run out of work, and long where a queue is far from that.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Stream
from simulator.fluid import lattice
from simulator.fluid.counts import begin_draws, binomial, draw_unit, poisson
from simulator.fluid.layout import State
from simulator.fluid.pace import pace_of
from simulator.kernel.inline import inlined, outlined

_QUEUE = int(Stream.QUEUE)
_SLOW_S = 1.0
"""A queue that takes longer than that to get to its steady state is drawn."""
_NOTICED_S = 0.25
"""Likewise, where it may tip over."""
_NEVER = 1e-7
"""Share of the requests that lose their patience, below which none does."""
_WAITS_MIN = 0.01
"""Share of the requests that wait, below which nobody would notice."""
WALK_STEP_S = 0.25
"""While a queue is drawn, flows are found anew at least this often (or once a cell, when that is shorter)."""
_OTHER = 0.1
"""Share of the holding time by which a wait that changes is another one."""
_FURTHER = 0.25
"""Share of what is inside by which a step may carry it on."""
_LEAP = 0.125
"""Share of the holding time that a leap lasts where workers may run out of work."""
_FAR = 4.0
"""Standard deviations of a leap that keep a queue away from there."""
_EDGE = 0.02
"""Share of its places by which a queue next to its end moves in a leap, as its standard deviation, or by one."""
CLEARLY = 2.5
"""Deviations by which a full queue's wait outlasts callers' patience where collapses are drawn as they happen.

Next to it they last too long: how fast a queue empties decides at once what it answers in time, and what comes again.
"""
_FEW = 8.0
"""Requests by which it is known what share a queue refuses now."""
_MORE, _NOTICED = 0.1, 1e-3
"""Share of what it refuses by which that is another share, and the least, of what comes, that it counts as."""


@inlined
def outlasts(places: int, workers: int, hold_s: float, variation: float, patience_s: float, deviations: float) -> bool:
    """Whether callers have lost their patience when who is last of so many places has an answer.

    On the mean, or even if those before are faster than that by so many `deviations`.
    """
    waits_s = (places - deviations * math.sqrt(places * variation)) * hold_s / workers
    return places > 0 and waits_s + hold_s > patience_s


@inlined
def is_slow(
    workers: int,
    load: float,
    hold_s: float,
    variability: float,
    waits: float,
    wait_s: float,
    patience_s: float,
) -> bool:
    """Whether what is inside is drawn: it grows, or takes long to get to its steady state.

    M/M/c: hold_s / (c (1 - sqrt(busy))^2). Where a wait may become longer than callers have patience, even a short
    while is too long.
    """
    room = 1.0 - math.sqrt(load / workers)
    if room <= 0.0:
        return True
    relaxes_s = variability * hold_s / (workers * room * room)
    if waits < _WAITS_MIN or relaxes_s < _NOTICED_S:
        return False
    return relaxes_s > _SLOW_S or waits * math.exp((hold_s - patience_s) / wait_s) > _NEVER


@inlined
def top_of(s: State, row: int) -> float:
    """How many can be inside a replica."""
    station = s.stations[s.versions[row]["station"]]
    return float(station["workers"] + station["queue"]) if station["queue"] >= 0 else math.inf


@inlined
def ahead_of(s: State, row: int, inside: float) -> float:
    """How many must leave a queue before somebody starts who comes now, when so many are inside each replica."""
    station = s.stations[s.versions[row]["station"]]
    pools = s.versions[row]["ready"] if station["pooled"] != 0 else 1
    return max(0.0, (inside - station["workers"]) * pools + 1.0)


@outlined
def wait_inside(s: State, row: int, index: int, variation: float, wait: int) -> float:
    """The wait at a replica with so many inside, as a lattice; returns how many start there per holding time.

    Who finds a free worker starts at once. When all are busy, as many start as leave others behind who wait.
    """
    version, replica = s.versions[row], s.replicas[index]
    station = s.stations[version["station"]]
    workers, hold_s, ready = float(station["workers"]), version["hold_s"], version["ready"]
    load = version["offered"] * hold_s / ready
    ahead = ahead_of(s, row, replica["inside"])
    if station["queue"] >= 0:
        ahead = min(ahead, float(station["queue"] * (ready if station["pooled"] != 0 else 1)))
    each = workers * ready if station["pooled"] != 0 else workers
    replica["behind_s"] = ahead * hold_s / each
    lattice.gamma(s.pool, wait, replica["behind_s"], max(1.0, ahead / max(variation, 0.1)))
    version["waits_s"] += (1.0 - replica["refused"]) * replica["behind_s"]
    return load * (1.0 - ahead) if ahead < 1.0 else workers * hold_s / pace_of(s, row) * min(1.0, ahead - 1.0)


@inlined
def _comes_late(s: State, row: int, step_s: float) -> float:
    """Retries per second that come in a step, of attempts that failed some time ago: that long ago on the mean."""
    version = s.versions[row]
    late = version["late"]
    share = step_s / (step_s + version["again_s"] / len(late))
    comes = version["again"]
    for stage in range(len(late)):
        late[stage] += (comes - late[stage]) * share
        comes = late[stage]
    return comes


@outlined
def walks(s: State) -> bool:
    """Whether what is inside any queue is drawn."""
    drawn = 0
    for row in range(len(s.versions)):
        drawn += s.versions[row]["drawn"]
    return drawn > 0


@inlined
def walks_far(s: State, row: int, index: int, step_s: float) -> bool:
    """Whether what is inside a replica is carried on by a good part of it within a step."""
    version, workers = s.versions[row], s.stations[s.versions[row]["station"]]["workers"]
    replica = s.replicas[index]
    drift = version["offered"] / version["ready"] - workers / version["hold_s"]
    room = top_of(s, row) - replica["inside"] if drift > 0.0 else math.inf
    return min(abs(drift) * step_s, room) > _FURTHER * max(replica["inside"], 4.0 * workers)


@outlined
def walk_on(s: State, row: int, step_s: float) -> None:
    """Let what is inside a version's replicas go on for a while, and note whether waits have become others."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    first, last = version["first_replica"], version["first_replica"] + version["replicas"]
    hold_s = pace_of(s, row)
    came_per_s = version["offered"] - version["again"] + _comes_late(s, row, step_s)
    begin_draws(s.draw, s.keys, _QUEUE, row, int(s.clock[0]["now"] * 1024))
    version["turn"] = walk(
        s.draw, s.replicas, first, last, version["turn"], station["pooled"], station["workers"], top_of(s, row),
        hold_s, version["hold_var"] / version["hold_s"] ** 2, came_per_s, version["varies"], step_s,
    )  # fmt: skip
    for index in range(first, last):
        replica = s.replicas[index]
        if replica["ready"] == 0:
            continue
        ahead, solved = ahead_of(s, row, replica["inside"]), ahead_of(s, row, replica["solved_inside"])
        matters = max(0.02 * solved, 0.5 * math.sqrt(1.0 + solved))
        before = replica["refused"]
        if replica["came"] > 0.0:
            share = replica["turned"] / replica["came"]
            replica["refused"] += (share - before) * replica["came"] / (replica["came"] + _FEW)
        refuses = abs(replica["refused"] - before) > _MORE * max(_NOTICED, before)
        if refuses or abs(ahead - solved) > max(matters, _OTHER * station["workers"]):
            s.clock[0]["walked"] = 1


@outlined
def walk(
    draw: NDArray[np.uint64],
    replicas: NDArray[np.void],
    first: int,
    last: int,
    turn: int,
    pooled: int,
    workers: int,
    top: float,
    hold_s: float,
    variation: float,
    came_per_s: float,
    varies: float,
    left_s: float,
) -> int:
    """Let what is inside the ready replicas from `first` to before `last` go on for `left_s`; returns whose turn it is.

    `came_per_s` come to all of them together, and who finds `top` inside is refused. Over long times these vary by
    `varies`, and those that all `workers` work off by `variation`: variances per mean.
    """
    deviation, owed = math.sqrt(variation), draw_unit(draw)
    ready = 0
    for index in range(first, last):
        ready += replicas[index]["ready"]
        replicas[index]["came"] = replicas[index]["turned"] = 0.0
    while left_s > 1e-12:
        leap_s = min(left_s, _leap_s(replicas, first, last, ready, pooled, workers, top, hold_s, variation, came_per_s))
        left_s -= leap_s
        mean = came_per_s * leap_s
        owed += mean + math.sqrt(varies) * (poisson(draw, mean) - mean)
        came = int(owed)
        owed -= came
        if pooled != 0:
            _pool(draw, replicas, first, last, ready, workers, top, hold_s, deviation, came, leap_s)
            continue
        each, more = came // ready, came % ready
        place = 0
        for index in range(first, last):
            replica = replicas[index]
            if replica["ready"] == 0:
                continue
            here = each + (1 if (place - turn) % ready < more else 0)
            place += 1
            left = _left(draw, replica["inside"], float(here), workers, leap_s / hold_s, deviation)
            inside = max(0.0, replica["inside"] + here - left)
            replica["inside"] = min(inside, top)
            replica["came"] += here
            replica["turned"] += inside - replica["inside"]
        turn = (turn + more) % ready
    return turn


@outlined
def _left(draw: NDArray[np.uint64], inside: float, came: float, workers: int, holds: float, deviation: float) -> float:
    """How many leave in a while of so many holding times."""
    if inside >= workers:
        mean = workers * holds
        return mean + deviation * (poisson(draw, mean) - mean)
    share = 1.0 - math.exp(-holds)
    whole = int(inside)
    left = binomial(draw, whole, share) + (inside - whole) * share
    return left + binomial(draw, int(min(came, math.ceil(workers - inside))), 0.5 * share)


@outlined
def _pool(
    draw: NDArray[np.uint64],
    replicas: NDArray[np.void],
    first: int,
    last: int,
    ready: int,
    workers: int,
    top: float,
    hold_s: float,
    deviation: float,
    came: int,
    leap_s: float,
) -> None:
    """The same for replicas that have one queue: each gets its share of who comes, and of who leaves."""
    here = came / ready
    busy = 0.0
    for index in range(first, last):
        if replicas[index]["ready"] != 0:
            busy += min(replicas[index]["inside"], float(workers))
    left = _left(draw, busy, float(came), workers * ready, leap_s / hold_s, deviation)
    inside = 0.0
    for index in range(first, last):
        replica = replicas[index]
        if replica["ready"] != 0:
            share = min(replica["inside"], float(workers)) / busy if busy > 0.0 else 1.0 / ready
            replica["inside"] = max(0.0, replica["inside"] + here - left * share)
            inside += replica["inside"]
            replica["came"] += here
    over = max(0.0, inside - top * ready)
    if over > 0.0:
        for index in range(first, last):
            if replicas[index]["ready"] != 0:
                replicas[index]["inside"] *= 1.0 - over / inside
                replicas[index]["turned"] += over / ready


@outlined
def _leap_s(
    replicas: NDArray[np.void],
    first: int,
    last: int,
    ready: int,
    pooled: int,
    workers: int,
    top: float,
    hold_s: float,
    variation: float,
    came_per_s: float,
) -> float:
    """How long the next leap may be."""
    lowest, room = math.inf, math.inf
    for index in range(first, last):
        if replicas[index]["ready"] != 0:
            lowest = min(lowest, replicas[index]["inside"] - workers)
            room = min(room, top - replicas[index]["inside"])
    pools, share = (ready, 1.0) if pooled != 0 else (1, 1.0 / ready)
    works_per_s = workers / hold_s * ready * share
    drift, spread = came_per_s * share - works_per_s, came_per_s * share * share + works_per_s * variation
    longest_s = _LEAP * hold_s
    if lowest > 0.0:
        longest_s = max(longest_s, _until_s(lowest * pools, -drift, spread))
    if room < math.inf:
        edge = max(1.0, _EDGE * (top - workers) * pools)
        longest_s = min(longest_s, max(edge * edge / spread, _until_s(room * pools, drift, spread)))
    return longest_s


@inlined
def _until_s(gap: float, drift: float, spread: float) -> float:
    """How long it takes at least, as a rule, until a queue has moved so far."""
    longest_s = gap * gap / (_FAR * _FAR * spread)
    return min(longest_s, gap / (2.0 * abs(drift))) if drift != 0.0 else longest_s
