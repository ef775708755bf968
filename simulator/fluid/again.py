"""Retries that come to the queue that refused the attempt before."""

import math

from simulator.fluid.calls import erring
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined


@outlined
def comes_to(s: State, node: int, cohort: int, version: int) -> float:
    """How likely an attempt comes to the replicas of a version, which may serve others too."""
    first, found = s.stations[s.nodes[node]["station"]]["first_version"], 0.0
    for other in range(s.stations[s.nodes[node]["station"]]["versions"]):
        if s.versions[first + other]["home"] == s.versions[first + version]["home"]:
            found += s.weights[first + other, cohort] * (1.0 - erring(s, node, other))
    return found


@outlined
def comes_back(s: State, node: int, cohort: int, version: int) -> float:
    """How often an attempt is refused at a version, and a retry of it would come there again."""
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    home = s.versions[s.versions[row]["home"]]
    weight = s.weights[row, cohort]
    if weight <= 0.0 or home["ready"] == 0 or home["stays"] <= 0.0:
        return 0.0
    return weight * (1.0 - erring(s, node, version)) * home["stays"] * weight


@inlined
def _gains_nothing(s: State, row: int, after_s: float) -> float:
    """Share of the retries of what a version refused, so long after, that come in vain besides those by chance.

    A retry that finds a token of a quota takes what another request would have had, until the bucket has moved about as
    far as there is room, with the root of the time by chance and with the time by drift.
    """
    version = s.versions[row]
    if version["off_s"] > 0.0:
        # What was shed came at any time of a turn, and its retry meets the rest of the same turn.
        still = max(0.0, 1.0 - after_s / version["off_s"])
        return max(0.0, still - version["refused"]) / max(1e-9, 1.0 - version["refused"])
    if version["spread"] <= 0.0:
        return float(version["vain"])
    walked = math.sqrt(version["spread"] * after_s) + abs(version["drift"]) * after_s
    return float(version["room"] / (version["room"] + walked))


@inlined
def in_vain(s: State, node: int, cohort: int, version: int) -> float:
    """Share of the retries that come back to a version, that it refuses besides those by chance."""
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    return _gains_nothing(s, s.versions[row]["home"], s.replies[node, s.alike[node, cohort]]["waits_s"])


@inlined
def come_back(s: State, node: int, cohort: int) -> float:
    """How often an attempt is refused anywhere and its retry would come there again."""
    all_of_them = 0.0
    for version in range(s.stations[s.nodes[node]["station"]]["versions"]):
        all_of_them += comes_back(s, node, cohort, version)
    return all_of_them


@inlined
def kept_out(s: State, node: int, cohort: int, version: int) -> float:
    """How often an attempt is refused at a version and a retry in vain, which any attempt's luck would have let in."""
    back = comes_back(s, node, cohort, version)
    if back <= 0.0:
        return 0.0
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    enters = (1.0 - erring(s, node, version)) * (1.0 - s.versions[s.versions[row]["home"]]["refused"])
    return back * enters * in_vain(s, node, cohort, version)


@inlined
def returned(s: State, node: int, cohort: int, version: int) -> float:
    """Retries per second of what a version refused, that come to it again."""
    back = s.held[node, s.alike[node, cohort], version]["back"]
    return s.flows[node, cohort]["returned"] * back if back > 0.0 else 0.0


@inlined
def stuck(s: State, node: int, cohort: int, version: int) -> float:
    """Of them, those in vain."""
    back = returned(s, node, cohort, version)
    return back * in_vain(s, node, cohort, version) if back > 0.0 else 0.0
