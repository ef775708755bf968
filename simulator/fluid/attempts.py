"""From one attempt of a call to all of them."""

from simulator.fluid import lattice
from simulator.fluid.calls import reply_of
from simulator.fluid.lattice import NEVER, RARE
from simulator.fluid.layout import SCRATCH, State
from simulator.kernel.inline import outlined


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
    fails: float,
    retries_fail: float,
) -> float:
    """From one attempt (`good`, `bad`) to all of a call, in the node's own lattices; returns their mean number.

    A retry is refused at once with probability `sticks`, and else as the first attempt, of which `fails` do; where
    `retries_fail` is another share, it fails more or less often.
    """
    p = s.pool
    call = s.calls[s.nodes[node]["call"]]
    ok = reply_of(s, node, cohort)
    lattice.copy(p, good, ok, 1.0)
    lattice.copy(p, bad, ok + 1, 1.0)
    attempts, allow, given_up, tries = 1.0, call["allow"], len(p.n) - SCRATCH + 13, 0.0
    s.replies[node, cohort]["tries"] = call["retries"] + 1.0
    lattice.clear(p, given_up)
    before, trial, wait = work, work + 1, work + 2
    lattice.point(p, before, 0.0, 1.0)
    if sticks > 0.0 and call["retries"] > 0:
        lattice.copy(p, good, spare, 1.0 - sticks)
        lattice.copy(p, spare, good, 1.0)
        lattice.copy(p, bad, spare3, 1.0 - sticks)
        lattice.point(p, trial, 0.0, sticks)
        lattice.mix(p, spare3, 1.0, trial, spare2)
    elif retries_fail != fails and call["retries"] > 0:
        lattice.copy(p, bad, spare3, retries_fail / fails)
        if fails < 1.0 - RARE:
            lattice.copy(p, good, spare, (1.0 - retries_fail) / (1.0 - fails))
            lattice.copy(p, spare, good, 1.0)
        else:  # what succeeds then takes as long as it does without a wait
            lattice.point(
                p, good, s.versions[s.stations[s.nodes[node]["station"]]["first_version"]]["hold_s"], 1.0 - retries_fail
            )
    for retry in range(call["retries"]):
        lattice.convolve(p, before, bad, trial, spare, spare2)
        if (sticks > 0.0 or retries_fail != fails) and retry == 0:
            lattice.copy(p, spare3, bad, 1.0)
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
        else:
            lattice.point(p, wait, wait_s, 1.0)
        lattice.convolve(p, trial, wait, before, spare, spare2)
        lattice.convolve(p, before, good, trial, spare, spare2)
        lattice.mix(p, ok, 1.0, trial, spare)
        lattice.convolve(p, before, bad, ok + 1, spare, spare2)
    if allow < 1.0:
        tries += (call["retries"] + 1.0) * lattice.mass(p, ok + 1)
        lattice.mix(p, ok + 1, 1.0, given_up, spare)
        s.replies[node, cohort]["tries"] = tries / max(NEVER, lattice.mass(p, ok + 1))
    return attempts
