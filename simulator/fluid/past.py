"""What a retry meets at a service that is played singly: another moment than the attempt before.

How many of its requests such a service fails moves by chance from moment to moment, and is the same only for as long as
a replica is stuck. Whether two attempts fail is a matter of both moments, the share of now times that of then. Flows
know what was: so the attempt of now stands for the first one, and the moment as long ago as a retry takes to come for
the second. Over a while that counts the same. What somebody has changed since is not chance (`under_way` sees to
requests that are being tried again then), so the past begins with the last control input.
"""

from simulator.fluid.layout import PAST, State
from simulator.kernel.inline import inlined, outlined

_SLOT_S = 0.1


@inlined
def _slot(s: State) -> int:
    return int(s.clock[0]["now"] / _SLOT_S + 1e-9)


@inlined
def tried_again(s: State, node: int) -> bool:
    """Whether the past of a node matters."""
    return s.stations[s.nodes[node]["station"]]["singly"] != 0 and s.calls[s.nodes[node]["call"]]["retries"] > 0


@inlined
def retry_fails(s: State, node: int, cohort: int, fails: float, after_s: float) -> float:
    """The share of retries that fail, so long after attempts of which `fails` do now; the alike cohort's."""
    back = min(int(after_s / _SLOT_S + 0.5), PAST - 1)
    if back == 0 or s.clock[0]["anew"] != 0:
        return fails
    return float(s.past[node, cohort, (_slot(s) - back) % PAST])


@outlined
def remember(s: State) -> None:
    """Write down what share of the attempts fails now."""
    slot, clock = _slot(s), s.clock[0]
    first = slot - PAST + 1 if clock["anew"] != 0 else max(clock["past_slot"] + 1, slot - PAST + 1)
    for node in range(len(s.nodes)):
        if not tried_again(s, node):
            continue
        for cohort in range(s.shares.shape[1]):
            fails = 1.0 - s.replies[node, cohort]["once_ok"]
            before = fails if clock["anew"] != 0 else s.past[node, cohort, clock["past_slot"] % PAST]
            for past in range(first, slot):
                s.past[node, cohort, past % PAST] = before
            s.past[node, cohort, slot % PAST] = fails
    clock["anew"], clock["past_slot"] = 0, slot
