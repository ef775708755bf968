"""First attempts of a step that come to services that are played request by request: those that were counted there.

Were they drawn beside the counted ones, a second with many requests would not be one in which its queues are fuller,
and the share that fails would vary more than it does.
"""

from simulator.fluid.counts import binomial
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined


@inlined
def sends(s: State, node: int) -> bool:
    """Whether counted calls of a node are played: jobs make theirs themselves."""
    parent = s.nodes[node]["parent"]
    linked = parent >= 0 and s.stations[s.nodes[parent]["station"]]["linked"] != 0
    return s.stations[s.nodes[node]["station"]]["singly"] != 0 and not linked


@inlined
def _come(s: State, node: int, version: int, calls: int) -> None:
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    s.versions[s.versions[row]["home"]]["coming"] += calls


@outlined
def send_by_weights(s: State, node: int, cohort: int, calls: int) -> None:
    """Send calls that were not counted version by version, since none gets through."""
    station, left, mass = s.stations[s.nodes[node]["station"]], calls, 1.0
    for version in range(station["versions"]):
        weight = s.weights[station["first_version"] + version, cohort]
        if weight > 0.0 and left > 0:
            sent = binomial(s.draw, left, min(1.0, weight / mass))
            _come(s, node, version, sent)
            left, mass = left - sent, mass - weight


@outlined
def send_copies(s: State, node: int, version: int, copies: int) -> None:
    """Send a version copies of what others get."""
    _come(s, node, version, copies)
