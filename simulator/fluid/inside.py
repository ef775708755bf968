"""How what is inside the replicas changes from step to step, and when flows must be found anew for it."""

import math

from simulator.fluid.lattice import NEVER
from simulator.fluid.layout import State
from simulator.fluid.queueing import BACKLOG_MIN, FULL
from simulator.fluid.slow import WALK_STEP_S, walk_on, walks_far
from simulator.kernel.inline import outlined

_LAST = 0.5
"""Requests; so few come back at once."""
_SAME = 0.05
"""Share by which what is left to those at work may differ from what it is after a while, and counts as the same."""
_FILLS = 1.5
"""So many times as many start as would have to, if there were always as many at work as are now: workers fill."""


@outlined
def moves(s: State, step_s: float) -> bool:
    """Whether what is inside a replica, or on the way to a backlog, changes much within a step."""
    for row in range(len(s.versions)):
        version = s.versions[row]
        if (
            version["lost"] > 0.0
            or version["back"] > 0.0
            or (version["offered"] > 0.0 and s.stations[version["station"]]["singly"] != 0)
        ):
            return True
        workers, hold_s = s.stations[version["station"]]["workers"], max(version["hold_s"], 1e-9)
        for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            replica = s.replicas[index]
            if version["drawn"] != 0 and replica["ready"] == 1:
                if walks_far(s, row, index, WALK_STEP_S):
                    return True
                continue
            offered = version["offered"] / version["ready"] if replica["ready"] == 1 else 0.0
            if replica["full"] == 1 or (offered * hold_s <= workers and replica["inside"] <= workers):
                continue
            growth = offered * (1.0 - replica["refused"]) - min(replica["inside"], workers) / hold_s
            if abs(growth) * step_s > 0.02 * max(replica["inside"], 1.0):
                return True
    return False


@outlined
def _grow_older(s: State, row: int, step_s: float) -> None:
    """Note how fast those at work leave: who has just come has all of the holding time before him.

    So when callers' workers begin to wait for what does not come nobody leaves at first. What is left to those at work
    (worker-seconds over workers) is, after a while, half of what the mean of squares is over the mean. It falls as they
    work, and rises with each that starts; they leave by how much shorter or longer it is than after a while.
    """
    version, hold_s = s.versions[row], s.versions[row]["hold_s"]
    workers = s.stations[version["station"]]["workers"]
    part = min(1.0, 0.5 + 0.5 * version["hold_var"] / max(hold_s * hold_s, NEVER))
    after_s, left_s = part * hold_s, version["left_s"]
    if left_s == after_s:
        version["pace_s"] = hold_s
        return
    busy = waiting = 0.0
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        inside = s.replicas[index]["inside"]
        busy += min(inside, workers)
        waiting += max(0.0, inside - workers)
    starts = version["offered"] * (1.0 - version["refused"]) / max(busy, 1.0)
    fills = waiting == 0.0 and starts * hold_s > _FILLS
    if left_s == 0.0 or (abs(left_s - after_s) < _SAME * after_s and not fills):
        version["left_s"], version["pace_s"] = after_s, hold_s
        return
    if waiting > 0.0:  # who leaves is followed by who waits
        shorter_s = left_s - step_s
        left_s = 0.5 * (shorter_s + math.sqrt(shorter_s * shorter_s + 4.0 * step_s * after_s))
    else:
        left_s = (left_s + step_s * (starts * hold_s - 1.0 + part)) / (1.0 + step_s * starts)
    version["left_s"] = min(max(left_s, _SAME * after_s), hold_s)
    version["pace_s"] = version["left_s"] / part


@outlined
def _come_back(s: State, row: int, step_s: float) -> None:
    """Requests that nobody took before come to a version's replicas at their next attempts."""
    version = s.versions[row]
    came = (
        version["back"] if version["back"] < _LAST else version["back"] * (1.0 - math.exp(-step_s / version["back_s"]))
    )
    version["back"] -= came
    for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
        replica = s.replicas[index]
        if replica["ready"] == 1:
            replica["inside"] = min(
                max(replica["limit"], replica["inside"]), replica["inside"] + came / version["ready"]
            )


@outlined
def go_on(s: State, step_s: float) -> bool:
    """Let what is inside change for a while; whether a regime changed, so that flows must be found anew."""
    changed = False
    for index in range(len(s.stations)):
        s.stations[index]["near_s"] += s.stations[index]["near"] * step_s
    for row in range(len(s.versions)):
        version = s.versions[row]
        station = s.stations[version["station"]]
        if station["singly"] != 0:
            continue
        _grow_older(s, row, step_s)
        workers, hold_s = float(station["workers"]), max(version["pace_s"], 1e-9)
        if version["back"] > 0.0 and version["ready"] > 0:
            _come_back(s, row, step_s)
        if version["drawn"] != 0:
            walk_on(s, row, step_s)
        for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            replica = s.replicas[index]
            accepted = 0.0
            if replica["ready"] == 1:
                accepted = version["offered"] / version["ready"] * (1.0 - replica["refused"])
                if replica["refused"] > 0.0:  # no more than its workers do, whatever retries were thought to find
                    accepted = min(accepted, workers / hold_s)
                station["entered"] += accepted * step_s
                if version["drawn"] != 0:
                    continue
                if replica["full"] == 1:
                    replica["inside"] = replica["limit"]
                    continue
            elif replica["inside"] <= 0.0:
                continue
            before, solved = replica["inside"], replica["solved_inside"]
            inside = before + accepted * step_s
            if version["held_s"] == 0.0:
                inside = _after(before, accepted, hold_s, workers, step_s)
            if replica["ready"] == 1:
                inside = min(inside, max(replica["limit"], workers))
            replica["inside"] = inside
            crossed = (before - workers >= BACKLOG_MIN) != (inside - workers >= BACKLOG_MIN)
            filled = inside >= FULL * replica["limit"] and accepted * hold_s > workers
            moved = max(inside, solved) > workers and abs(inside - solved) > 0.02 * max(solved, 1.0)
            changed |= replica["ready"] == 1 and (crossed or filled or moved)
    return changed


@outlined
def _after(inside: float, accepted: float, hold_s: float, workers: float, left_s: float) -> float:
    """What is inside a replica after a while: straight up or down with a backlog, exponentially to its level else."""
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
            if inside == goal:  # as a rule: nothing moves
                break
            until_s = left_s
            if goal > workers:
                until_s = min(left_s, hold_s * math.log(max((goal - inside) / (goal - workers), 1.0)))
            inside = goal + (inside - goal) * math.exp(-until_s / hold_s)
            left_s -= until_s
            if goal > workers and left_s > 0.0:
                inside = workers
    return inside
