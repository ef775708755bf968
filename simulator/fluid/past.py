"""What a retry meets at a service that is played singly: another moment than the attempt before.

How many of its requests such a service fails moves by chance from moment to moment, and is the same only for as long as
a replica is stuck. Whether two attempts fail is a matter of both moments, the share of now times that of then. Flows
know what was: so the attempt of now stands for the first one, and the moment as long ago as a retry takes to come for
that one. Over a while that counts the same. What somebody has changed since is not chance (`under_way` sees to
requests that are being tried again then), so the past begins with the last control input.
"""

import math
from typing import Any

from simulator.fluid.counts import failing
from simulator.fluid.lattice import RARE
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
def comes_at_once(call: Any) -> bool:
    """Whether a call's retry comes in the moment in which the attempt before is refused."""
    return bool(call["backoff_s"] + call["latency_s"] + call["latency_jitter_s"] == 0.0)


@inlined
def _back(after_s: float) -> int:
    return min(int(after_s / _SLOT_S + 0.5), PAST - 1)


@inlined
def _past(s: State, node: int, cohort: int, place: int, back: int) -> float:
    """What is written down of so many slots ago."""
    return float(s.past[node, cohort, place, min(_slot(s) - back, s.clock[0]["past_slot"]) % PAST])


@inlined
def _between(one: float, other: float) -> float:
    """The mean between two moments: full queues are forgotten exponentially, so it is the logarithmic one."""
    if min(one, other) <= 0.0 or abs(one - other) <= 1e-6 * one:
        return min(one, other)
    return (one - other) / math.log(one / other)


@inlined
def _then(s: State, node: int, cohort: int, place: int, retry: int, now: float) -> float:
    """A share of `past`, or of `now`, at the moment that a retry of that number, from 1, stands for."""
    call, reply = s.calls[s.nodes[node]["call"]], s.replies[node, cohort]
    waits_s = call["backoff_s"] * (2.0 ** min(retry, 62) - 1.0)
    last = _back(retry * reply["fails_s"] + waits_s)
    if last == 0 or s.clock[0]["anew"] != 0:
        return now
    first = _back(retry * reply["fails_s"]) if call["jitter"] != 0 else last
    after = now if first == 0 else _past(s, node, cohort, place, first)
    if first == last:
        return after
    found = 0.0
    for back in range(first + 1, last + 1):
        before = _past(s, node, cohort, place, back)
        found += _between(after, before)
        after = before
    return found / (last - first)


@outlined
def retry_fails(s: State, node: int, cohort: int, retry: int, fails: float) -> float:
    """The share of a call's retries of a number, from 1, that fail, where attempts do now; the alike cohort's.

    To one that comes at once the replicas are as full as they were, for the others have had no turn in between.
    """
    call = s.calls[s.nodes[node]["call"]]
    found = _then(s, node, cohort, 0, retry, fails)
    if comes_at_once(call):
        found += s.replies[node, cohort]["again_full"] / fails
    return min(1.0, max(0.0, found))


@inlined
def _fails_at(s: State, node: int, cohort: int, version: int) -> float:
    """How often an attempt comes to a version and fails there."""
    weight = s.weights[s.stations[s.nodes[node]["station"]]["first_version"] + version, cohort]
    return float(weight * failing(s.answers[node, cohort, version])) if weight > 0.0 else 0.0


@outlined
def tell_when(s: State, node: int, cohort: int) -> None:
    """Where a call's attempts fail: of each at the moment that it stands for."""
    versions, reply = s.stations[s.nodes[node]["station"]]["versions"], s.replies[node, cohort]
    call, fails = s.calls[s.nodes[node]["call"]], 1.0 - reply["once_ok"]
    if fails <= RARE or reply["attempt_fails"] <= RARE:
        return
    here = reply["attempt_fails"] / fails  # the others fail on the way
    made, comes = 1.0, call["allow"] * fails
    for retry in range(1, call["retries"] + 1):
        share, then = retry_fails(s, node, cohort, retry, fails), 0.0
        for version in range(versions):
            then += _then(s, node, cohort, 1 + version, retry, _fails_at(s, node, cohort, version))
        for version in range(versions):
            if then > RARE:
                part = _then(s, node, cohort, 1 + version, retry, _fails_at(s, node, cohort, version)) / then
                s.held[node, cohort, version]["fails"] += comes * share * here * part
        made, comes = made + comes, comes * share * call["allow"]
    reply["attempt_fails"] = 0.0
    for version in range(versions):
        s.held[node, cohort, version]["fails"] /= made
        reply["attempt_fails"] += s.held[node, cohort, version]["fails"]


@outlined
def remember(s: State) -> None:
    """Write down what share of the attempts fails now."""
    slot, clock = _slot(s), s.clock[0]
    first = slot - PAST + 1 if clock["anew"] != 0 else max(clock["past_slot"] + 1, slot - PAST + 1)
    for node in range(len(s.nodes)):
        if not tried_again(s, node):
            continue
        for cohort in range(s.shares.shape[1]):
            for place in range(1 + s.stations[s.nodes[node]["station"]]["versions"]):
                fails = 1.0 - s.replies[node, cohort]["once_ok"]
                if place > 0:
                    fails = _fails_at(s, node, cohort, place - 1)
                before = fails if clock["anew"] != 0 else s.past[node, cohort, place, clock["past_slot"] % PAST]
                for past in range(first, slot):
                    s.past[node, cohort, place, past % PAST] = before
                s.past[node, cohort, place, slot % PAST] = fails
    clock["anew"], clock["past_slot"] = 0, slot
