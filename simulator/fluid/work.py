"""What becomes of a request that a version has accepted: its wait, its own work, and the calls that it makes."""

import math

from simulator.fluid import lattice
from simulator.fluid.calls import after_all, first_call, goes_on, next_call, own_work, reply_of, wait_for_all
from simulator.fluid.lattice import NEVER, RARE
from simulator.fluid.layout import SCRATCH, State
from simulator.kernel.inline import inlined, outlined


@inlined
def wait_of(s: State, row: int) -> int:
    """The lattice of a version's wait."""
    return len(s.versions) * s.shares.shape[1] + row


@outlined
def find_work(s: State) -> None:
    """Own work of every version, with the defects that it has."""
    for row in range(len(s.versions)):
        station = s.stations[s.versions[row]["station"]]
        for cohort in range(s.shares.shape[1]):
            effect = s.effects[row, cohort]
            lattice.service(s.pool, own_work(s, row, cohort), station["kind"], station["p0"], station["p1"])
            lattice.stretch(s.pool, own_work(s, row, cohort), effect["factor"], effect["add_s"])


@outlined
def find_alike(s: State) -> None:
    """Cohorts that no defect below a node tells apart get the same replies: they are found once."""
    for node in range(len(s.nodes) - 1, -1, -1):
        function = s.nodes[node]["function"]
        for cohort in range(s.shares.shape[1]):
            s.alike[node, cohort] = cohort
            if s.shares[function, cohort] <= 0.0:
                continue
            for other in range(cohort):
                if s.shares[function, other] > 0.0 and s.alike[node, other] == other and _same(s, node, cohort, other):
                    s.alike[node, cohort] = other
                    break


@outlined
def _same(s: State, node: int, one: int, other: int) -> bool:
    station = s.stations[s.nodes[node]["station"]]
    for version in range(station["versions"]):
        row = station["first_version"] + version
        a, b = s.effects[row, one], s.effects[row, other]
        if s.weights[row, one] != s.weights[row, other]:
            return False
        if a["error"] != b["error"] or a["factor"] != b["factor"] or a["add_s"] != b["add_s"]:
            return False
    child = s.nodes[node]["child"]
    while child >= 0:
        if s.alike[child, one] != s.alike[child, other]:
            return False
        child = s.nodes[child]["sibling"]
    return True


@outlined
def work_through(s: State, node: int, cohort: int, version: int, base: int) -> None:
    """What becomes of a request that a version has accepted: success in lattice `base`, failure in the next."""
    p = s.pool
    ok, bad, spare, spare2, spare3 = base, base + 1, base + 2, base + 3, base + 4
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    error = s.effects[row, cohort]["error"]
    own = own_work(s, row, cohort)
    lattice.convolve(p, wait_of(s, s.versions[row]["home"]), own, ok, spare, spare2)
    lattice.clear(p, bad)
    lattice.mix(p, bad, error, ok, spare)
    lattice.copy(p, ok, spare, 1.0 - error)
    lattice.copy(p, spare, ok, 1.0)
    first, second = lattice.moments(p, own)
    mean_s, var, reach, below = first, max(0.0, second - first * first), 1.0 - error, 0.0
    child = first_call(s, s.nodes[node]["child"], version)
    while child >= 0:
        reply, answer = s.replies[child, s.alike[child, cohort]], reply_of(s, child, cohort)
        lasts_s, lasts_var, succeed, fail = reply["lasts_s"], reply["lasts_var"], reply["ok"], reply["fail"]
        burst, first = fail * reply["burst"], child
        child = next_call(s, child, version)
        if goes_on(s, child):
            answer = len(p.n) - SCRATCH + 13
            burst = wait_for_all(s, first, cohort, version, answer)
            (ok_s, ok_s2), (bad_s, bad_s2) = lattice.moments(p, answer), lattice.moments(p, answer + 1)
            lasts_s, succeed, fail = ok_s + bad_s, lattice.mass(p, answer), lattice.mass(p, answer + 1)
            lasts_var = max(0.0, ok_s2 + bad_s2 - lasts_s**2)
            child = after_all(s, child, version)
        if station["holds_worker"] != 0:
            mean_s += reach * lasts_s
            var += reach * lasts_var + reach * (1.0 - reach) * lasts_s**2
        if fail > RARE:
            below += reach * burst
            lattice.convolve(p, ok, answer + 1, spare, spare2, spare3)
            lattice.mix(p, bad, 1.0, spare, spare2)
        lattice.convolve(p, ok, answer, spare, spare2, spare3)
        lattice.copy(p, spare, ok, 1.0)
        reach *= succeed
    if s.calls[s.nodes[node]["call"]]["cancel"] != 0 and s.nodes[node]["timeout_s"] < math.inf:
        # A worker is free again when its caller gives up, and is not taken by who has given up while waiting.
        limit_s = s.nodes[node]["timeout_s"]
        waits_s = lattice.mean_upto(p, wait_of(s, s.versions[row]["home"]), limit_s)
        held_s = lattice.mean_upto(p, ok, limit_s) + lattice.mean_upto(p, bad, limit_s) - waits_s
        shorter = min(1.0, max(0.0, held_s) / max(mean_s, NEVER))
        # Who comes later waits less the shorter workers are held, and holds them longer: rounds would go to and fro
        # between a queue that nobody has the patience for and none.
        before = s.held[node, cohort, version]["mean_s"] / max(mean_s, NEVER)
        if before > 0.0:
            shorter = min(max(shorter, 0.5 * before), 2.0 * before, 1.0)
        mean_s, var = mean_s * shorter, var * shorter * shorter
    held = s.held[node, cohort, version]
    held["mean_s"], held["var"], held["below"] = mean_s, var, below
