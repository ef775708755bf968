"""The flows that fit what is in force: replies from the leaves up, calls from the clients down, until both agree."""

import math

from simulator.fluid import lattice
from simulator.fluid.again import come_back, comes_back, comes_to, kept_out
from simulator.fluid.attempts import WHOLE, falls_behind, repeat
from simulator.fluid.breaker import hold_back
from simulator.fluid.budget import afford
from simulator.fluid.calls import erring, mirrored_to, reply_of
from simulator.fluid.flows import find_flows
from simulator.fluid.handed import call
from simulator.fluid.lattice import RARE
from simulator.fluid.layout import SCRATCH, WAIT, State
from simulator.fluid.past import remember
from simulator.fluid.queueing import tell_near
from simulator.fluid.quota import find_over
from simulator.fluid.tell import burst_below, order_bins, tell_attempts, tell_rows, tell_stuck
from simulator.fluid.work import find_alike, find_work, work_through
from simulator.kernel.inline import merged, outlined
from simulator.layout import ERROR, FIRST_BIN, REFUSED, TIMEOUT

_ROUNDS_MAX = 24
_AGREED = 2e-3


@outlined
def _find_reply(s: State, node: int, cohort: int, final: bool) -> None:
    """What a caller gets from a call: versions mixed, injected latency, timeout, retries."""
    p = s.pool
    scratch = len(p.n) - SCRATCH
    good, bad, work, spare, spare2, spare3 = scratch, scratch + 1, scratch + 2, scratch + 10, scratch + 11, scratch + 12
    call = s.calls[s.nodes[node]["call"]]
    station = s.stations[s.nodes[node]["station"]]
    limit_s = s.nodes[node]["timeout_s"]
    lattice.clear(p, good)
    lattice.clear(p, bad)
    refused, erred, burst = 0.0, 0.0, 0.0
    all_back = 0.0 if call["cut"] != 0 else come_back(s, node, cohort)
    entered = succeeded = out = out_ok = both = 0.0
    if call["cut"] != 0:
        refused = 1.0
    else:
        for version in range(station["versions"]):
            weight = s.weights[station["first_version"] + version, cohort]
            if weight <= 0.0 and not mirrored_to(s, node, version):
                continue
            row = s.versions[s.versions[station["first_version"] + version]["home"]]
            errs = erring(s, node, version)
            passes = weight * (1.0 - errs)
            refused += passes * row["refused"]
            if row["again_full"] != 0.0:
                both += passes * row["again_full"] * comes_to(s, node, cohort, version)
            erred += weight * errs
            work_through(s, node, cohort, version, work)
            burst += weight * burst_below(s, node, cohort, version)
            back = comes_back(s, node, cohort, version)
            s.held[node, cohort, version]["back"] = back / all_back if back > 0.0 else 0.0
            enters, keeps = passes * (1.0 - row["refused"]), kept_out(s, node, cohort, version)
            lattice.mix(p, good, enters, work, spare)
            lattice.mix(p, bad, enters, work + 1, spare)
            if all_back > 0.0:
                lattice.copy(p, work, spare2, 1.0)
                lattice.cut_at(p, spare2, limit_s - call["latency_s"] - 0.5 * call["latency_jitter_s"])
                ok = lattice.mass(p, spare2)
                entered, out = entered + enters, out + keeps
                succeeded, out_ok = succeeded + enters * ok, out_ok + keeps * ok
            if final:
                tell_rows(s, node, cohort, version, work)
                tell_stuck(s, node, cohort, version)
    if refused + erred > RARE:
        lattice.point(p, work, 0.0, refused + erred)
        lattice.mix(p, bad, 1.0, work, spare)
    if call["latency_s"] + call["latency_jitter_s"] > 0.0:
        lattice.uniform(p, work, call["latency_s"], call["latency_s"] + call["latency_jitter_s"])
        lattice.convolve(p, good, work, work + 1, spare, spare2)
        lattice.copy(p, work + 1, good, 1.0)
        lattice.convolve(p, bad, work, work + 1, spare, spare2)
        lattice.copy(p, work + 1, bad, 1.0)
    falls = 0.0
    if call["retries"] > 0 and limit_s < math.inf:
        falls = falls_behind(s, node, cohort)
    if falls > 0.0:
        lattice.copy(p, good, scratch + WHOLE, 1.0)
        lattice.copy(p, bad, scratch + WHOLE + 1, 1.0)
    late = lattice.cut_at(p, good, limit_s) + lattice.cut_at(p, bad, limit_s)
    failed = lattice.mass(p, bad)
    if final and s.nodes[node]["parent"] < 0:
        seen = s.seen[s.nodes[node]["function"], cohort]
        seen[:] = 0.0
        lattice.add_to_bins(p, good, 1.0, s.edges, seen[FIRST_BIN:])
        seen[REFUSED] = min(refused, failed)
        seen[ERROR], seen[TIMEOUT] = failed - seen[REFUSED], late
        order_bins(seen, s.seen_order[s.nodes[node]["function"], cohort])
    if late > RARE:
        lattice.point(p, work, limit_s, late)
        lattice.mix(p, bad, 1.0, work, spare)
    fails = failed + late
    backs, sticks, succeeds = 0.0, 0.0, 1.0
    if refused > RARE and fails > RARE:
        backs = all_back / fails
        # A version whose queue is full keeps its own retries out: what others would have answered, they still do.
        sticks = min(1.0, out / (fails * entered)) if entered > RARE else 0.0
        succeeds = max(0.0, 1.0 - out_ok / (fails * succeeded)) if succeeded > RARE else 1.0
    (ok_s, _), (bad_s, _) = lattice.moments(p, good), lattice.moments(p, bad)
    reply = s.replies[node, cohort]
    reply["once_ok"], reply["once_s"] = lattice.mass(p, good), ok_s + bad_s
    reply["fails_s"], reply["again_full"] = bad_s / fails if fails > RARE else 0.0, both
    attempts = repeat(s, node, cohort, good, bad, work, spare, spare2, spare3, sticks, succeeds, fails, falls)
    ok = reply_of(s, node, cohort)
    reply["ok"], reply["fail"], reply["attempts"] = lattice.mass(p, ok), lattice.mass(p, ok + 1), attempts
    reply["returned"] = backs * (attempts - 1.0)
    # Of a burst only those are left that no retry has saved.
    reply["burst"] = burst * reply["fail"] / fails**2 if fails > RARE else 0.0
    if final:
        tell_attempts(s, node, cohort)
    if call["held"] > 0.0:
        hold_back(s, node, cohort, spare, spare2)
    (ok_s, ok_s2), (bad_s, bad_s2) = lattice.moments(p, ok), lattice.moments(p, ok + 1)
    reply["lasts_s"] = ok_s + bad_s
    reply["lasts_var"] = max(0.0, ok_s2 + bad_s2 - (ok_s + bad_s) ** 2)


@merged
def solve(s: State, spell_s: float) -> None:
    """Find replies and flows for what is in force now; a kill's refusals are told within `spell_s`."""
    if s.clock[0]["stale"] == 2:
        find_work(s)
        find_alike(s)
    nearly = s.clock[0]["stale"] == 0  # what was drawn has moved: the flows of before may do
    final = nearly
    for turn in range(_ROUNDS_MAX + 1):
        find_over(s, spell_s)
        call(s, WAIT, spell_s, 0.0)
        for node in range(len(s.nodes) - 1, -1, -1):
            for cohort in range(s.shares.shape[1]):
                if s.shares[s.nodes[node]["function"], cohort] > 0.0 and s.alike[node, cohort] == cohort:
                    _find_reply(s, node, cohort, final)
        changed = max(find_flows(s), afford(s))
        if final and not (nearly and changed >= _AGREED):
            break
        nearly = False
        final = changed < _AGREED or turn == _ROUNDS_MAX - 1
    s.clock[0]["stale"] = s.clock[0]["walked"] = 0
    tell_near(s)
    remember(s)
    for index in range(len(s.replicas)):
        s.replicas[index]["solved_inside"] = s.replicas[index]["inside"]
