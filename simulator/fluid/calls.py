"""The calls that a version makes for a request: which they are, which start together, and what comes of each."""

from simulator.fluid import lattice
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined


@inlined
def own_work(s: State, row: int, cohort: int) -> int:
    """The lattice of a version's own work for a cohort."""
    return row * s.shares.shape[1] + cohort


@inlined
def reply_of(s: State, node: int, cohort: int) -> int:
    """The lattice of a call's success, all attempts together; that of its failure is the next."""
    cohorts = s.shares.shape[1]
    return len(s.versions) * (cohorts + 1) + 2 * (node * cohorts + s.alike[node, cohort])


@inlined
def erring(s: State, node: int, version: int) -> float:
    """The share of a node's calls that a version answers with an error at once, without work."""
    record = s.nodes[node]
    share = s.stations[record["station"]]["error_share"]
    if record["made_by"] >= 0:
        caller = s.stations[s.nodes[record["parent"]]["station"]]["first_version"] + record["made_by"]
        row = s.stations[record["station"]]["first_version"] + version
        share = 1.0 - (1.0 - share) * (1.0 - s.contracts[caller, row])
    return share


@inlined
def mirrored_to(s: State, node: int, version: int) -> bool:
    """Whether a version takes copies of the requests that come to a node's station."""
    station = s.stations[s.nodes[node]["station"]]
    return station["mirror_share"] > 0.0 and station["mirror_row"] == station["first_version"] + version


@inlined
def first_call(s: State, child: int, version: int) -> int:
    """The first of a node's calls, from `child` on, that a version makes; -1: none."""
    while child >= 0 and s.nodes[child]["made_by"] >= 0 and s.nodes[child]["made_by"] != version:
        child = s.nodes[child]["sibling"]
    return child


@inlined
def next_call(s: State, child: int, version: int) -> int:
    """The call after `child` that a version makes."""
    return first_call(s, s.nodes[child]["sibling"], version)


@inlined
def goes_on(s: State, child: int) -> bool:
    """Whether a call starts together with the one before."""
    return child >= 0 and s.nodes[child]["parallel"] != 0


@inlined
def after_all(s: State, child: int, version: int) -> int:
    """The first call from `child` on that does not start together with the one before; -1: none."""
    while goes_on(s, child):
        child = next_call(s, child, version)
    return child


@outlined
def wait_for_all(s: State, child: int, cohort: int, version: int, together: int) -> float:
    """Calls that start together, `child` the first: lattices `together` and the next become all succeed, and some fail.

    Returns their failures per request, times the burst of each. The four lattices behind are overwritten.
    """
    p = s.pool
    one, later, spare = together + 2, together + 3, together + 4
    burst, first = 0.0, child
    while child >= 0:
        reply, answer = s.replies[child, s.alike[child, cohort]], reply_of(s, child, cohort)
        burst += reply["fail"] * reply["burst"]
        if child == first:
            lattice.copy(p, answer, together, 1.0)
            lattice.copy(p, answer + 1, together + 1, 1.0)
        else:
            lattice.copy(p, answer, one, 1.0)
            lattice.mix(p, one, 1.0, answer + 1, spare)
            lattice.latest(p, together + 1, one, later, spare)
            lattice.copy(p, later, together + 1, 1.0)
            lattice.latest(p, together, answer + 1, later, spare)
            lattice.mix(p, together + 1, 1.0, later, spare)
            lattice.latest(p, together, answer, later, spare)
            lattice.copy(p, later, together, 1.0)
        child = next_call(s, child, version)
        if not goes_on(s, child):
            break
    s.replies[first, s.alike[first, cohort]]["together_s"] = (
        lattice.moments(p, together)[0] + lattice.moments(p, together + 1)[0]
    )
    return burst
