"""Retries that meet the full queue that refused the attempt before."""

from simulator.fluid.calls import erring
from simulator.fluid.lattice import RARE
from simulator.fluid.layout import State
from simulator.fluid.queueing import gains_nothing
from simulator.kernel.inline import inlined, outlined


@inlined
def retry_waits_s(s: State, node: int) -> float:
    """How long a first retry of a call waits on the mean."""
    call = s.calls[s.nodes[node]["call"]]
    return float(call["backoff_s"]) * (0.5 if call["jitter"] != 0 else 1.0)


@outlined
def meets_again(s: State, node: int, cohort: int, version: int) -> float:
    """How often an attempt is refused at a version, and its retry would be so again, or gain nothing."""
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    home = s.versions[s.versions[row]["home"]]
    weight = s.weights[row, cohort]
    if weight <= 0.0 or home["ready"] == 0 or home["refused"] <= 0.0:
        return 0.0
    in_vain = gains_nothing(s, s.versions[row]["home"], retry_waits_s(s, node))
    return weight * (1.0 - erring(s, node, version)) * home["refused"] * weight * in_vain


@inlined
def met_again_anywhere(s: State, node: int, cohort: int) -> float:
    """The same at any of the versions."""
    total = 0.0
    for version in range(s.stations[s.nodes[node]["station"]]["versions"]):
        total += meets_again(s, node, cohort, version)
    return total


@inlined
def freed(s: State, node: int, cohort: int, refused: float) -> float:
    """How much likelier than any attempt a retry that is not stuck is accepted: it comes to where there is room."""
    station = s.stations[s.nodes[node]["station"]]
    free = meets = 0.0
    for version in range(station["versions"]):
        row = station["first_version"] + version
        left = max(0.0, s.weights[row, cohort] * refused - meets_again(s, node, cohort, version))
        free += left
        meets += left * (1.0 - s.versions[s.versions[row]["home"]]["refused"])
    if free <= RARE or refused >= 1.0:
        return 1.0
    return meets / free / (1.0 - refused)
