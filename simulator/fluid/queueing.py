"""How long a request waits at a version of a service, and whether it is refused.

Two regimes. Without a backlog each replica is an M/G/c queue in its steady state, bounded or not: Erlang's formulas,
waits scaled by half the sum of the squared coefficients of variation of arrivals and holding times (Allen-Cunneen).
Round robin hands each of R replicas every R-th request of a Poisson stream, so arrivals vary by 1/R. With a backlog,
who comes now waits until what is before it has been worked off, and a full queue refuses what cannot be worked off.
"""

import math

from simulator.fluid.layout import State
from simulator.kernel.inline import outlined

BUSY_MAX = 0.98
"""Utilisation up to which an unbounded queue counts as in its steady state; nearer to 1 it takes long to get there."""
BACKLOG_MIN = 0.5
"""Requests; fewer than that are no backlog."""
FULL = 0.995
"""Share of its limit from which a queue counts as full."""


@outlined
def steady(workers: int, queue: int, load: float, hold_s: float, variability: float) -> tuple[float, float, float]:
    """Of one replica with `load` in work on the mean: share refused, share of the rest that waits, their mean wait."""
    busy = load / workers
    blocked = 1.0  # Erlang B
    for k in range(1, workers + 1):
        blocked = load * blocked / (k + load * blocked)
    if queue < 0:
        busy = min(busy, BUSY_MAX)
        waits = blocked / (1.0 - busy * (1.0 - blocked))
        return 0.0, min(1.0, waits), variability * hold_s / (workers * (1.0 - busy))
    term, total, waiting, waited = blocked, 1.0, blocked, 0.0
    for j in range(1, queue + 1):
        if j == queue:
            waiting = total - 1.0 + blocked  # arrivals that find j = 0..queue-1 waiting wait themselves
        term *= busy
        total += term
        waited += j * term
    refused = term / total
    if queue == 0 or waited <= 0.0 or load <= 0.0:
        return refused, 0.0, 0.0
    waits = waiting / total / (1.0 - refused)
    accepted_per_s = load / hold_s * (1.0 - refused)
    return refused, min(1.0, waits), variability * waited / total / accepted_per_s / max(waits, 1e-12)


@outlined
def find_wait(s: State, row: int, spell_s: float) -> None:
    """Waits and refusals of a version at what is offered to it now. A kill's refusals are told within `spell_s`."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    version["refused"], version["waits"], version["wait_s"] = 0.0, 0.0, 0.0
    version["behind_s"], version["spread_s"], version["drive"] = 0.0, 0.0, 1.0
    version["full"], version["limit"] = 0, math.inf
    if version["ready"] == 0:
        version["refused"] = 1.0
        return
    ready, workers = version["ready"], station["workers"] * version["ready"]
    if station["queue"] >= 0:
        version["limit"] = float(workers + station["queue"] * ready)
    if version["hold_s"] > 0.0 and version["offered"] > 0.0:
        load = version["offered"] * version["hold_s"]
        variation = version["hold_var"] / version["hold_s"] ** 2
        if load < workers and version["inside"] - workers < BACKLOG_MIN:
            version["refused"], version["waits"], version["wait_s"] = steady(
                station["workers"], station["queue"], load / ready, version["hold_s"], 0.5 * (1.0 / ready + variation)
            )
        else:
            _find_wait_behind(s, row, load, variation)
    if version["lost"] > 0.0 and version["offered"] > 0.0:
        told = min(1.0, version["lost"] / (version["offered"] * spell_s))
        version["refused"] = 1.0 - (1.0 - version["refused"]) * (1.0 - told)


@outlined
def _find_wait_behind(s: State, row: int, load: float, variation: float) -> None:
    """There is a backlog, or more comes than can be worked off. A full queue is as M/M/c/K has it above capacity."""
    version = s.versions[row]
    station = s.stations[version["station"]]
    workers, hold_s = station["workers"] * version["ready"], version["hold_s"]
    if load > workers and station["queue"] >= 0:
        refused, waits, wait_s = steady(station["workers"], station["queue"], load / version["ready"], hold_s, 1.0)
        version["limit"] = workers + waits * wait_s * version["offered"] * (1.0 - refused)
        if version["inside"] >= FULL * version["limit"]:
            version["full"], version["refused"] = 1, refused
    backlog = version["inside"] - workers
    if backlog >= BACKLOG_MIN:
        version["behind_s"] = backlog * hold_s / workers
        ahead = backlog / version["ready"]
        version["spread_s"] = math.sqrt(ahead * max(variation, 0.1)) * hold_s / station["workers"]
        if version["full"] == 0:
            version["drive"] = workers / load


@outlined
def growth_per_s(s: State, row: int) -> float:
    """How fast the number inside grows now."""
    version = s.versions[row]
    workers = s.stations[version["station"]]["workers"] * max(version["ready"], version["running"])
    hold_s = max(version["hold_s"], 1e-9)
    if version["full"] == 1:
        return 0.0
    growth: float = version["offered"] * (1.0 - version["refused"]) - min(version["inside"], workers) / hold_s
    return growth


@outlined
def go_on(s: State, row: int, step_s: float) -> bool:
    """Let the number inside change for a while; whether its regime changed, so that flows must be found anew."""
    version = s.versions[row]
    workers = float(s.stations[version["station"]]["workers"] * max(version["ready"], version["running"]))
    accepted, hold_s = version["offered"] * (1.0 - version["refused"]), max(version["hold_s"], 1e-9)
    s.stations[version["station"]]["entered"] += accepted * step_s
    if version["full"] == 1:
        version["inside"] = version["limit"]
        return False
    inside, before, left_s = version["inside"], version["inside"], step_s
    for _ in range(3):
        if left_s <= 0.0:
            break
        if inside > workers + 1e-9 or (inside >= workers - 1e-9 and accepted * hold_s > workers):
            slope = accepted - workers / hold_s
            until_s = left_s if slope >= 0.0 else min(left_s, (inside - workers) / -slope)
            inside += slope * until_s
            left_s -= until_s
            if slope < 0.0 and left_s > 0.0:
                inside = workers - 2e-9
        else:
            goal = accepted * hold_s
            until_s = left_s
            if goal > workers:
                until_s = min(left_s, hold_s * math.log(max((goal - inside) / (goal - workers), 1.0)))
            inside = goal + (inside - goal) * math.exp(-until_s / hold_s)
            left_s -= until_s
            if goal > workers and left_s > 0.0:
                inside = workers
    if version["ready"] > 0:
        inside = min(inside, max(version["limit"], workers))
    version["inside"] = inside
    solved = version["solved_inside"]
    crossed = (before - workers >= BACKLOG_MIN) != (inside - workers >= BACKLOG_MIN)
    filled = inside >= FULL * version["limit"] and accepted * hold_s > workers
    backlogged = max(inside, solved) > workers
    return crossed or filled or (backlogged and abs(inside - solved) > 0.02 * max(solved, 1.0))
