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
def send_to(s: State, node: int, version: int, calls: int) -> None:
    """Send calls, or copies of them, to one version."""
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    s.versions[s.versions[row]["home"]]["coming"] += calls


@outlined
def send(s: State, node: int, cohort: int, calls: int) -> None:
    """Share counted calls out among the versions by their weights: where they fail does not move first attempts."""
    station, left, mass = s.stations[s.nodes[node]["station"]], calls, 1.0
    for version in range(station["versions"]):
        weight = s.weights[station["first_version"] + version, cohort]
        if weight > 0.0 and left > 0:
            sent = binomial(s.draw, left, min(1.0, weight / mass))
            send_to(s, node, version, sent)
            left, mass = left - sent, mass - weight
