"""What is counted of a call: the shares of the rows that see it, and how its failures come in bursts."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.fluid import lattice
from simulator.fluid.again import stuck
from simulator.fluid.calls import erring
from simulator.fluid.counts import failing
from simulator.fluid.lattice import NEVER, RARE
from simulator.fluid.layout import State
from simulator.fluid.past import tell_when, tried_again
from simulator.kernel.inline import inlined, outlined
from simulator.layout import ERROR, FIRST_BIN, REFUSED, TIMEOUT

_FEW = 1e-4
"""Share of its calls that a full version answers as if it was not: by these are the retries told that succeed later."""


@outlined
def burst_below(s: State, node: int, cohort: int, version: int) -> float:
    """Failures of a version per attempt, times their burst; of a burst a node has its share of what comes."""
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    home, flow, weight = s.versions[s.versions[row]["home"]], s.flows[node, cohort], s.weights[row, cohort]
    passes = 1.0 - erring(s, node, version)
    found = passes * (1.0 - home["refused"]) * s.held[node, cohort, version]["below"] * weight
    if home["offered"] > 0.0:
        enter = flow["calls"] * weight - stuck(s, node, cohort, version)
        share = min(1.0, max(0.0, enter) * passes / home["offered"])
        found += passes * home["refused"] * home["burst"] * share
    return found


@outlined
def tell_rows(s: State, node: int, cohort: int, version: int, base: int) -> None:
    """The shares of a version's service row."""
    p = s.pool
    station = s.stations[s.nodes[node]["station"]]
    row = s.versions[s.versions[station["first_version"] + version]["home"]]
    limit_s = s.nodes[node]["timeout_s"]
    if s.weights[station["first_version"] + version, cohort] <= 0.0:
        limit_s = math.inf  # copies alone come here, and nobody waits for those
    erred = erring(s, node, version)
    refused = row["refused"]
    if tried_again(s, node):
        refused = min(refused, 1.0 - _FEW)
    enters = (1.0 - erred) * (1.0 - refused)
    shares = s.answers[node, cohort, version]
    shares[:] = 0.0
    lattice.copy(p, base, base + 2, 1.0)
    lattice.copy(p, base + 1, base + 3, 1.0)
    late = lattice.cut_at(p, base + 2, limit_s) + lattice.cut_at(p, base + 3, limit_s)
    lattice.add_to_bins(p, base + 2, enters, s.edges, shares[FIRST_BIN:])
    shares[ERROR] = erred + enters * lattice.mass(p, base + 3)
    shares[TIMEOUT] = enters * late
    shares[REFUSED] = (1.0 - erred) * refused
    order_bins(shares, s.answers_order[node, cohort, version])


@inlined
def tell_stuck(s: State, node: int, cohort: int, version: int) -> None:
    """Retries that are refused where the attempt before was come to a version's service row besides."""
    flow, shares = s.flows[node, cohort], s.answers[node, cohort, version]
    weight = s.weights[s.stations[s.nodes[node]["station"]]["first_version"] + version, cohort]
    held = s.held[node, cohort, version]
    failed = shares[ERROR] + shares[TIMEOUT] + shares[REFUSED]
    held["burst"] = burst_below(s, node, cohort, version) / failed if failed > RARE else 0.0
    vain = stuck(s, node, cohort, version)
    enter = flow["calls"] * weight - vain
    if vain <= 0.0 or enter <= 0.0:
        return
    if failed > RARE:  # each of a burst counts as often
        held["burst"] = (1.0 + vain / (enter * failed)) * (1.0 + held["burst"]) - 1.0
    for column in range(len(shares)):
        shares[column] *= enter / (enter + vain)
    shares[REFUSED] += vain / (enter + vain)


@outlined
def order_bins(shares: NDArray[np.float64], order: NDArray[np.int16]) -> None:
    """The latency bins by falling share: who draws them in this order soon has drawn all."""
    used = 0
    for column in range(FIRST_BIN, len(shares)):
        share = shares[column]
        if share <= NEVER:
            continue
        place = used
        while place > 0 and shares[order[place - 1]] < share:
            order[place] = order[place - 1]
            place -= 1
        order[place] = column
        used += 1
    if used < len(order):
        order[used] = -1


@outlined
def tell_attempts(s: State, node: int, cohort: int) -> None:
    """How likely attempts fail where, and how many of them a retry makes good."""
    station, reply = s.stations[s.nodes[node]["station"]], s.replies[node, cohort]
    retries = s.calls[s.nodes[node]["call"]]["retries"]
    fails = bursts = 0.0
    for version in range(station["versions"]):
        held = s.held[node, cohort, version]
        weight = s.weights[station["first_version"] + version, cohort]
        held["fails"] = weight * failing(s.answers[node, cohort, version]) if weight > 0.0 else 0.0
        fails += held["fails"]
        bursts += held["fails"] * held["burst"]
    reply["attempt_fails"] = fails
    reply["attempt_burst"] = bursts / fails if fails > 0.0 else 0.0
    if tried_again(s, node):
        tell_when(s, node, cohort)
    reply["saved"] = 0.0
    if retries > 0 and reply["ok"] > NEVER:
        reply["saved"] = max(
            0.0, (reply["attempts"] - 1.0 - (reply["tries"] - 1.0) * reply["fail"]) / (retries * reply["ok"])
        )
