"""How long a request waits at a version of a service, and whether it is refused.

Two regimes. Without a backlog each replica is a queue in its steady state: with a bound the chain in `bounded`, without
one Erlang's formulas, waits scaled by half the sum of the squared coefficients of variation of arrivals and holding
times (Allen-Cunneen). Round robin hands each of R replicas every R-th request of a Poisson stream, so arrivals vary by
1/R. With a backlog, who comes now waits until what is before it has been worked off, and a full queue refuses what
cannot be worked off.
"""

import math
from typing import Any

from simulator.fluid import lattice
from simulator.fluid.bounded import PHASES_MAX, bounded, burst_of, felt
from simulator.fluid.handed import call
from simulator.fluid.layout import MEET, State
from simulator.fluid.pace import pace_of
from simulator.fluid.slow import CLEARLY, is_slow, outlasts, wait_inside
from simulator.fluid.steady import steady
from simulator.fluid.two import of_two
from simulator.fluid.walk import STEPS, walk
from simulator.kernel.inline import inlined, merged, outlined
from simulator.network import Kind

BACKLOG_MIN = 0.5
"""Requests; fewer than that are no backlog."""
FULL = 0.995
"""Share of its limit from which a queue counts as full."""
FOLDS_MAX = 8.0
"""By how many powers of e waits become rarer, up to the longest that counts."""
NEAR_MIN, NEAR_MAX = 0.9, 1.02
"""Share of its capacity that comes to a service, between which chance decides what nobody draws."""
_FORGETS = int(Kind.EXPONENTIAL)
_REFUSES = 1e-6
"""Share that a queue refuses; less comes in no bursts."""
_BY_LUCK = 0.1
"""How fast replicas cease to be full together as full queues become rarer; measured for two and four replicas."""
_FIRSTS_MIN = 0.1
"""Share of a load that is no retry of what the queue itself refused, at least."""
_STRENGTH_MAX = 8.0
"""Retries per refusal, at most."""
_TURNS_MAX, _AGREED = 40, 1e-3
_DRIFT_MIN = 1.0
"""Surplus times places over variability of a bounded queue; below, chance fills and empties it, not the surplus."""
_DRIFT_STAYS = 3.0
"""The same of a queue that chance has filled before: its refusals' retries are part of the surplus."""


@merged
def find_wait(s: State, row: int, spell_s: float, wait: int, spare: int, spare2: int) -> None:
    """Waits and refusals of a version at what is offered to it now; `wait` becomes the lattice of the waits.

    Each ready replica gets the same share, whatever it has inside: one that has just started answers at once beside
    others with a backlog. A kill's refusals are told within `spell_s`. The spares are overwritten.
    """
    version = s.versions[row]
    version["refused"], version["burst"], version["waits_s"], version["drive"] = 0.0, 0.0, 0.0, 1.0
    version["spread"], version["off_s"], version["falls"], version["drawn"] = 0.0, 0.0, 0.0, 0
    version["again_full"] = 0.0
    lattice.point(s.pool, wait, 0.0, 1.0)
    ready = version["ready"]
    if ready == 0:
        version["refused"] = 1.0
        return
    if s.stations[version["station"]]["singly"] != 0:
        call(s, MEET, row, 0.0)
    elif version["hold_s"] > 0.0 and version["offered"] > 0.0:
        _find_waits(s, row, spell_s, wait, spare, spare2)
    by_queue, passes = version["refused"], 1.0
    if version["lost"] > 0.0 and version["offered"] > 0.0:
        told = min(1.0, version["lost"] / (version["offered"] * spell_s))
        version["refused"] = 1.0 - (1.0 - version["refused"]) * (1.0 - told)
        passes = 1.0 - told
    over = s.stations[version["station"]]["over"]
    if over > 0.0:
        _go_over(s, row, over)
    version["again_full"] *= (passes * (1.0 - over)) ** 2
    if version["spread"] > 0.0:
        by_queue = version["refused"]
    elif version["drawn"] != 0:
        by_queue = 0.0  # its retries come to it when they do
    version["stays"] = by_queue


@inlined
def _go_over(s: State, row: int, over: float) -> None:
    """A quota refuses a share before the queue sees it; a bucket without tokens is a queue that is full."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    refused = over + (1.0 - over) * version["refused"]
    version["burst"] *= (1.0 - over) * version["refused"] / refused
    if over > (1.0 - over) * version["refused"]:
        version["spread"], version["drift"] = station["asked"], station["asked"] - station["quota_per_s"]
        falls = 2.0 * abs(version["drift"]) / max(version["spread"], 1e-9)
        version["room"] = 1.0 / (1.0 / station["quota_burst"] + falls)
    version["refused"] = refused


@merged
def _find_waits(s: State, row: int, spell_s: float, wait: int, spare: int, spare2: int) -> None:
    version = s.versions[row]
    station = s.stations[version["station"]]
    workers, hold_s, ready = station["workers"], version["hold_s"], version["ready"]
    load = version["offered"] * hold_s / ready
    variation = version["hold_var"] / hold_s**2
    two = station["of_two"] != 0 and ready > 1
    pools, places = (ready, station["queue"] * ready) if station["pooled"] != 0 or two else (1, station["queue"])
    refused, burst, lasting, feels = 0.0, 0.0, load, variation
    waits, wait_s, may_be_drawn = 0.0, 0.0, _may_be_drawn(s, row, 0.0)
    if station["queue"] < 0 or may_be_drawn:
        variability = 0.5 * (pools / ready + variation)
        waits, wait_s = steady(workers * pools, load * pools, hold_s, variability)
        if may_be_drawn and version["locked"] == 0 and version["held_s"] == 0.0:
            slow = is_slow(workers * pools, load * pools, hold_s, variability, waits, wait_s, station["patience_s"])
            version["drawn"] = 1 if slow else 0
    if version["drawn"] != 0:
        version["full"] = version["vain"] = 0.0
    elif station["queue"] >= 0:
        forgets = station["kind"] == _FORGETS
        feels = felt(workers * pools, places, load * pools, variation, pools / ready, forgets)
        refused, waits, wait_s, burst, lasting = _find_bounded(s, row, pools, load, feels)
    variability = 0.5 * (pools / ready + feels)
    if two:
        refused, waits, wait_s = of_two(
            s.levels, s.more[row], workers, station["queue"], load, hold_s, variability, ready
        )
    limit = math.inf
    if station["queue"] >= 0:
        # Above capacity a queue is full, but for what its steady state leaves free of it on the mean.
        as_long = lasting <= workers or version["drawn"] != 0
        limit = workers + (station["queue"] if as_long else waits * wait_s * load / hold_s * (1.0 - refused))
    longest_s, sheds = station["shed_s"] * load / workers, False
    if load > workers and longest_s < math.inf:
        # A queue takes everybody until its first has waited too long, then nobody until it is empty: waits are
        # equally likely from nothing to what the last of them meets, and half of that is there on the mean.
        most = workers + longest_s * workers / hold_s
        sheds = most <= limit
        limit = min(limit, most)
    steady_to, folds, chance = float(workers), FOLDS_MAX, 0.0
    if station["queue"] >= 0:
        if refused > _REFUSES:
            together = 1.0 if pools > 1 else 1.0 + (ready - 1.0) / (1.0 + ready * feels)
            version["burst"] = together * (1.0 + burst) - 1.0
        folds = -math.log(max(lasting, 1e-9) / workers) * max(1.0, places / variability)
        folds = min(max(folds, -FOLDS_MAX), FOLDS_MAX)
        chance = variability / (workers * pools + places)
        steady_to += workers * _DRIFT_MIN * chance
    if version["drawn"] == 0:
        version["late"][:] = version["again"]
    accepted = started = 0.0
    behind = version["held_s"] > 0.0
    lattice.clear(s.pool, wait)
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        replica = s.replicas[index]
        was_full, was_refusing = replica["full"], replica["refused"] > 0.5 * chance
        replica["full"], replica["limit"], replica["behind_s"] = 0, limit, 0.0
        if version["drawn"] == 0 or replica["ready"] == 0:
            replica["refused"] = 0.0
        if replica["ready"] == 0:
            continue
        backlog = replica["inside"] - workers
        starts = load
        behind = behind or backlog >= BACKLOG_MIN
        stays = chance > 0.0 and was_refusing and was_full == 0 and lasting < workers * (1.0 + _DRIFT_STAYS * chance)
        if version["held_s"] > 0.0:
            starts = 0.0
            replica["behind_s"] = version["held_s"] + max(0.0, backlog) * hold_s / workers
            lattice.normal_wait(s.pool, spare, replica["behind_s"], math.sqrt(max(0.0, backlog)) * hold_s / workers)
            version["waits_s"] += replica["behind_s"]
        elif version["drawn"] != 0:
            starts = wait_inside(s, row, index, variation, spare)
        elif backlog < BACKLOG_MIN and (lasting < steady_to or stays):
            replica["refused"] = refused
            starts = load * (1.0 - refused)
            lattice.exponential_wait(s.pool, spare, waits, wait_s, folds)
            version["waits_s"] += (1.0 - refused) * waits * wait_s
        else:
            if lasting > workers and (was_full == 1 or replica["inside"] >= FULL * limit):
                share = 1.0 - workers / load if sheds else refused
                replica["full"], replica["refused"] = 1, share
                starts = load * (1.0 - share)
            else:
                if version["comes"] > 0.0:
                    replica["refused"] = _overflows(replica, load / hold_s, workers / hold_s, spell_s)
                if backlog >= BACKLOG_MIN:
                    starts = workers * hold_s / pace_of(s, row)
            replica["behind_s"] = max(0.0, backlog) * hold_s / workers
            free = station["queue"] - backlog if replica["full"] == 1 and station["queue"] >= 0 else 0.0
            spread_s = math.sqrt(max(0.0, backlog) * max(variation, 0.1) + free * free) * hold_s / workers
            lattice.normal_wait(s.pool, spare, replica["behind_s"], spread_s)
            if sheds and replica["full"] == 1:
                replica["behind_s"], replica["limit"] = 0.5 * longest_s, workers + 0.5 * longest_s * workers / hold_s
                lattice.uniform(s.pool, spare, 0.0, longest_s)
                version["off_s"] = longest_s if pools == ready else 0.0
            version["waits_s"] += (1.0 - replica["refused"]) * replica["behind_s"]
        lattice.mix(s.pool, wait, 1.0 - replica["refused"], spare, spare2)
        accepted += load * (1.0 - replica["refused"])
        started += starts
    if accepted <= 0.0:
        lattice.point(s.pool, wait, 0.0, 1.0)
        version["refused"] = 1.0
        return
    version["locked"] = 1 if version["held_s"] > 0.0 or (version["locked"] != 0 and behind) else 0
    version["falls"] = version["locked"] * max(0.0, 1.0 - load / workers)
    version["refused"] = 1.0 - accepted / (load * ready)
    version["drive"] = started / accepted
    if version["comes"] > 0.0:  # flows go on with what comes by itself
        version["drive"] *= version["offered"] / max(version["offered"] - version["comes"], lattice.NEVER)
    version["waits_s"] *= load / accepted
    lattice.copy(s.pool, wait, spare, 1.0 / lattice.mass(s.pool, wait))
    lattice.copy(s.pool, spare, wait, 1.0)


@inlined
def _overflows(replica: Any, comes_per_s: float, works_per_s: float, spell_s: float) -> float:
    """Share refused of what comes within a spell to a queue that is not full yet."""
    over = replica["inside"] + (comes_per_s - works_per_s) * spell_s - replica["limit"]
    return float(max(0.0, over) / (comes_per_s * spell_s))


@outlined
def _find_bounded(
    s: State, row: int, pools: int, load: float, variation: float
) -> tuple[float, float, float, float, float]:
    """A bounded queue: share refused, share of the rest that waits, their mean wait, and the burst of the refusals.

    Retries of what it refused come to it while it is as full as it still is then: how full, and how many those are,
    agree with one another after some turns. The load without them comes last.
    """
    version = s.versions[row]
    station = s.stations[version["station"]]
    workers, hold_s, ready = station["workers"] * pools, version["hold_s"], version["ready"]
    places, more = float(station["queue"] * pools), s.more[row]
    variability, phases = 0.5 * (pools / ready + variation), min(ready // pools, PHASES_MAX)
    slower = variability / (0.5 + 0.5 / phases)
    back = version["returned"] * hold_s / ready
    firsts = max(_FIRSTS_MIN * load, load - back * (1.0 - version["vain"])) * pools
    # A deep queue with little to do refuses less than there are numbers for, which no share can be taken of.
    strength = back * pools / (firsts * version["full"]) if version["full"] > lattice.RARE else 0.0
    if strength <= 0.0:
        more[:] = 0.0
        version["vain"] = 0.0
    refused = waits = wait_s = first = full = 0.0
    for _ in range(_TURNS_MAX if strength > 0.0 else 1):
        before = refused
        refused, waits, wait_s, first, full = bounded(
            s.levels, more, workers, places / slower, firsts, hold_s, phases, slower
        )
        if strength <= 0.0 or refused <= _REFUSES:
            break
        same = _same(version, pools, workers, places, firsts, variation)
        moved = walk(
            s.levels, more, s.met[row], workers, places, firsts, version["after_s"] / hold_s, variability,
            min(strength, _STRENGTH_MAX), same, refused,
        )  # fmt: skip
        version["vain"] = max(0.0, s.met[row, STEPS] - refused) / (1.0 - refused)
        if moved < _AGREED and abs(refused - before) < _AGREED * refused:
            break
    version["full"] = refused
    if refused <= _REFUSES:
        version["vain"] = 0.0
        return refused, waits, wait_s, 0.0, firsts / pools
    burst = slower * burst_of(s.levels, more, workers, places / slower, firsts, phases, first, full)
    return refused, waits, wait_s, burst, firsts / pools


@inlined
def _same(version: Any, pools: int, workers: int, places: float, load: float, variation: float) -> float:
    """How much of what a retry finds is the queue that refused it, of several replicas.

    Round robin brings it to the same one in so many cases, but not at once. The others have arrivals in common with
    it: they are full together as far as the rest varies less, and seldom far below their capacity, where each was
    filled by its own luck.
    """
    ready = version["ready"]
    if pools > 1 or ready == 1:
        return 1.0
    own = (1.0 - math.exp(-version["offered"] * version["after_s"])) / ready
    rarer = 4.0 * max(0.0, workers - load) / ((workers + load) * (1.0 / ready + variation))
    folds = rarer * (places + math.sqrt(workers))  # by which a full queue is rarer than an empty one
    return own + (1.0 - own) / ((1.0 + variation) * (1.0 + _BY_LUCK * (ready - 1.0) * folds * folds))


@inlined
def _may_be_drawn(s: State, row: int, deviations: float) -> bool:
    """Whether what is inside a version's queues is drawn when they are slow: a wait there outlasts callers' patience.

    Where a bounded queue is full: on the mean, or even if it is shorter by so many `deviations`.
    """
    version = s.versions[row]
    station = s.stations[version["station"]]
    if station["of_two"] != 0 or station["shed_s"] < math.inf:
        return False
    if station["queue"] < 0:
        return True
    hold_s = max(version["hold_s"], 1e-9)
    variation = version["hold_var"] / hold_s**2
    return bool(outlasts(station["queue"], station["workers"], hold_s, variation, station["patience_s"], deviations))


@outlined
def _waits_for_calls(s: State, index: int) -> bool:
    """Whether a station's workers wait for calls: those vary with the callee's luck, and all at the same time."""
    calls = 0
    for node in range(len(s.nodes)):
        if s.nodes[node]["station"] == index and s.nodes[node]["child"] >= 0:
            calls += 1
    return bool(s.stations[index]["holds_worker"] != 0 and calls > 0)


@outlined
def _is_given_up(s: State, index: int) -> bool:
    """Whether callers cancel what they do not wait for: who is served of a long queue depends on single waits."""
    for node in range(len(s.nodes)):
        if s.nodes[node]["station"] == index and s.calls[s.nodes[node]["call"]]["cancel"] != 0:
            return True
    return False


@outlined
def tell_near(s: State) -> None:
    """Which stations are near their capacity with one of their versions, and nothing of it is drawn, or not rightly."""
    for index in range(len(s.stations)):
        station = s.stations[index]
        station["near"] = 0
        if station["singly"] != 0:  # chance is played there
            continue
        calls, given_up = _waits_for_calls(s, index), _is_given_up(s, index)
        for row in range(station["first_version"], station["first_version"] + station["versions"]):
            version = s.versions[row]
            capacity = version["ready"] * station["workers"]
            near = NEAR_MIN * capacity <= version["offered"] * version["hold_s"] <= NEAR_MAX * capacity
            if _may_be_drawn(s, row, CLEARLY) and not calls:
                # Drawn where it is slow, and as in its steady state where it is not.
                near = given_up and version["drawn"] != 0
            if near and capacity > 0:
                station["near"] = 1
