"""How what is inside the replicas changes from step to step, and when flows must be found anew for it."""

import math

from simulator.fluid.bench import count_inside
from simulator.fluid.due import come_back
from simulator.fluid.layout import State
from simulator.fluid.pace import grow_older, pace_of
from simulator.fluid.queueing import BACKLOG_MIN, FULL
from simulator.fluid.slow import WALK_STEP_S, walk_on, walks_far
from simulator.kernel.inline import outlined


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
def fills(s: State) -> bool:
    """Whether a replica that is played request by request has half of its queue full, or more."""
    for row in range(len(s.versions)):
        version = s.versions[row]
        station = s.stations[version["station"]]
        if station["singly"] == 0 or station["queue"] < 0 or version["offered"] <= 0.0:
            continue
        for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            waiting = count_inside(s, index, s.clock[0]["now"]) - station["workers"]
            if s.replicas[index]["ready"] != 0 and waiting >= 0.5 * station["queue"]:
                return True
    return False


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
        workers, hold_s = float(station["workers"]), max(pace_of(s, row), 1e-9)
        if version["back"] > 0.0:
            come_back(s, row, step_s)
            changed = True
        if version["drawn"] != 0:
            walk_on(s, row, step_s)
        for index in range(version["first_replica"], version["first_replica"] + version["replicas"]):
            replica = s.replicas[index]
            accepted = 0.0
            if replica["ready"] == 1:
                accepted = version["offered"] / version["ready"] * (1.0 - replica["refused"])
                if replica["refused"] > 0.0 and version["back"] == 0.0:
                    # No more than its workers do, whatever retries were thought to find.
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
        changed |= grow_older(s, row, step_s)
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
