"""From one attempt of a call to all of them."""

from simulator.fluid import lattice
from simulator.fluid.calls import reply_of
from simulator.fluid.lattice import NEVER, RARE
from simulator.fluid.layout import SCRATCH, State
from simulator.fluid.past import retry_fails, tried_again
from simulator.kernel.inline import inlined, outlined

_ONCE = 5
"""The scratch lattice of what one attempt comes to, where retries fail more or less often: as `WHOLE`."""
WHOLE = 7
"""The scratch lattice of what an attempt comes to if nobody gives up: its success; that of its failure is the next."""


@inlined
def falls_behind(s: State, node: int, cohort: int) -> float:
    """By how many seconds a second waits at a node become shorter that are behind a lock."""
    station, total = s.stations[s.nodes[node]["station"]], 0.0
    for row in range(station["first_version"], station["first_version"] + station["versions"]):
        total += s.weights[row, cohort] * s.versions[s.versions[row]["home"]]["falls"]
    return total


@inlined
def _begins_s(s: State, node: int, retry: int) -> float:
    """When a retry begins, from 1, on the mean, if every attempt before has timed out."""
    call = s.calls[s.nodes[node]["call"]]
    backoff_s = call["backoff_s"] * (0.5 if call["jitter"] != 0 else 1.0)
    return float(retry * s.nodes[node]["timeout_s"] + backoff_s * (2.0 ** min(retry, 62) - 1.0))


@outlined
def _meet_later(
    s: State, node: int, cohort: int, good: int, bad: int, shorter_s: float, spare: int, spare2: int
) -> None:
    """Make an attempt's lattices those of one that waits so much less, or not at all."""
    p, whole, limit_s = s.pool, len(s.pool.n) - SCRATCH + WHOLE, s.nodes[node]["timeout_s"]
    station, waits_s = s.stations[s.nodes[node]["station"]], 0.0
    for row in range(station["first_version"], station["first_version"] + station["versions"]):
        waits_s += s.weights[row, cohort] * s.versions[s.versions[row]["home"]]["waits_s"]
    late = 0.0
    for kind in range(2):
        out = bad if kind == 1 else good
        lattice.copy(p, whole + kind, out, 1.0)
        p.off[out] -= min(shorter_s, waits_s)
        late += lattice.cut_at(p, out, limit_s)
    if late > RARE:
        lattice.point(p, spare, limit_s, late)
        lattice.mix(p, bad, 1.0, spare, spare2)


@inlined
def _fail_as_often(s: State, node: int, cohort: int, good: int, bad: int, share: float, fails: float) -> None:
    """Make an attempt's lattices those of one that fails with probability `share`, and not `fails`."""
    p, once = s.pool, len(s.pool.n) - SCRATCH + _ONCE
    lattice.copy(p, once + 1, bad, share / fails)
    if fails < 1.0 - RARE:
        lattice.copy(p, once, good, (1.0 - share) / (1.0 - fails))
    else:  # what succeeds then takes as long as it does on the mean
        station, lasts_s = s.stations[s.nodes[node]["station"]], 0.0
        for row in range(station["first_version"], station["first_version"] + station["versions"]):
            home = s.versions[s.versions[row]["home"]]
            lasts_s += s.weights[row, cohort] * (home["waits_s"] + home["hold_s"])
        lattice.point(p, good, lasts_s, 1.0 - share)


@outlined
def repeat(
    s: State,
    node: int,
    cohort: int,
    good: int,
    bad: int,
    work: int,
    spare: int,
    spare2: int,
    spare3: int,
    sticks: float,
    succeeds: float,
    fails: float,
    falls: float,
) -> float:
    """From one attempt (`good`, `bad`) to all of a call, in the node's own lattices; returns their mean number.

    Retries are refused at once with probability `sticks` where first attempts, of which `fails` do, are not, and so
    many of the successes of these `succeeds`. Where the past of a node matters, they fail more or less often. Behind a
    lock waits fall by `falls` seconds a second.
    """
    p = s.pool
    call = s.calls[s.nodes[node]["call"]]
    ok = reply_of(s, node, cohort)
    lattice.copy(p, good, ok, 1.0)
    lattice.copy(p, bad, ok + 1, 1.0)
    attempts, allow, given_up, tries, waited_s = 1.0, call["allow"], len(p.n) - SCRATCH + 13, 0.0, 0.0
    s.replies[node, cohort]["tries"], s.replies[node, cohort]["again_s"] = call["retries"] + 1.0, 0.0
    lattice.clear(p, given_up)
    before, trial, wait = work, work + 1, work + 2
    lattice.point(p, before, 0.0, 1.0)
    if sticks > 0.0 and call["retries"] > 0:
        lattice.copy(p, good, spare, succeeds)
        lattice.copy(p, spare, good, 1.0)
        lattice.copy(p, bad, spare3, 1.0 - sticks)
        lattice.point(p, trial, 0.0, sticks * fails + (1.0 - succeeds) * (1.0 - fails))
        lattice.mix(p, spare3, 1.0, trial, spare2)
    varies = sticks == 0.0 and fails > RARE and tried_again(s, node)
    if varies:
        lattice.copy(p, good, len(p.n) - SCRATCH + _ONCE, 1.0)
        lattice.copy(p, bad, len(p.n) - SCRATCH + _ONCE + 1, 1.0)
    for retry in range(call["retries"]):
        lattice.convolve(p, before, bad, trial, spare, spare2)
        if sticks > 0.0 and retry == 0:
            lattice.copy(p, spare3, bad, 1.0)
        if varies:
            _fail_as_often(s, node, cohort, good, bad, retry_fails(s, node, cohort, retry + 1, fails), fails)
        if falls > 0.0:
            _meet_later(s, node, cohort, good, bad, falls * _begins_s(s, node, retry + 1), spare, spare2)
        again = lattice.mass(p, trial)
        if allow < 1.0:
            lattice.mix(p, given_up, 1.0 - allow, trial, spare)
            lattice.copy(p, trial, spare, allow)
            lattice.copy(p, spare, trial, 1.0)
            tries += (retry + 1.0) * (1.0 - allow) * again
            again *= allow
        if again < RARE:
            lattice.clear(p, ok + 1)
            break
        attempts += again
        wait_s = call["backoff_s"] * 2.0 ** min(retry, 62)
        if wait_s > 0.0 and call["jitter"] != 0:
            lattice.uniform(p, wait, 0.0, wait_s)
            waited_s += 0.5 * again * wait_s
        else:
            lattice.point(p, wait, wait_s, 1.0)
            waited_s += again * wait_s
        lattice.convolve(p, trial, wait, before, spare, spare2)
        s.replies[node, cohort]["again_s"] += lattice.moments(p, before)[0]
        lattice.convolve(p, before, good, trial, spare, spare2)
        lattice.mix(p, ok, 1.0, trial, spare)
        lattice.convolve(p, before, bad, ok + 1, spare, spare2)
    if allow < 1.0:
        tries += (call["retries"] + 1.0) * lattice.mass(p, ok + 1)
        lattice.mix(p, ok + 1, 1.0, given_up, spare)
        s.replies[node, cohort]["tries"] = tries / max(NEVER, lattice.mass(p, ok + 1))
    s.replies[node, cohort]["waits_s"] = waited_s / (attempts - 1.0) if attempts > 1.0 else 0.0
    return attempts
