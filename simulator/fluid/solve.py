"""The flows that fit what is in force: replies from the leaves up, calls from the clients down, until both agree."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.fluid import lattice
from simulator.fluid.budget import afford
from simulator.fluid.calls import (
    after_all,
    erring,
    first_call,
    goes_on,
    mirrored_to,
    next_call,
    own_work,
    reply_of,
    wait_for_all,
)
from simulator.fluid.counts import failing
from simulator.fluid.flows import find_flows
from simulator.fluid.layout import SCRATCH, State
from simulator.fluid.queueing import find_wait, gains_nothing, tell_near
from simulator.kernel.inline import inlined, outlined
from simulator.layout import ERROR, FIRST_BIN, REFUSED, TIMEOUT

_ROUNDS_MAX = 24
_AGREED = 2e-3
_RARE = 1e-7
_NEVER = 1e-9
"""Shares below this are left out of lattices: they would only make them coarser."""


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
def _work_through(s: State, node: int, cohort: int, version: int, base: int) -> None:
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
        if fail > _RARE:
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
        shorter = min(1.0, max(0.0, held_s) / max(mean_s, _NEVER))
        mean_s, var = mean_s * shorter, var * shorter * shorter
    held = s.held[node, cohort, version]
    held["mean_s"], held["var"], held["below"] = mean_s, var, below


@outlined
def _burst(s: State, node: int, cohort: int, version: int) -> float:
    """Failures of a version per attempt, times their burst; of a burst a node has its share of what comes."""
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    home, flow, weight = s.versions[s.versions[row]["home"]], s.flows[node, cohort], s.weights[row, cohort]
    passes = 1.0 - erring(s, node, version)
    found = passes * (1.0 - home["refused"]) * s.held[node, cohort, version]["below"] * weight
    if home["offered"] > 0.0:
        enter = flow["calls"] * weight - flow["stuck"] * s.held[node, cohort, version]["stuck"]
        share = min(1.0, max(0.0, enter) * passes / home["offered"])
        found += passes * home["refused"] * home["burst"] * share
    return found


@outlined
def _tell_rows(s: State, node: int, cohort: int, version: int, base: int) -> None:
    """The shares of a version's service row."""
    p = s.pool
    station = s.stations[s.nodes[node]["station"]]
    row = s.versions[s.versions[station["first_version"] + version]["home"]]
    limit_s = s.nodes[node]["timeout_s"]
    if s.weights[station["first_version"] + version, cohort] <= 0.0:
        limit_s = math.inf  # copies alone come here, and nobody waits for those
    erred = erring(s, node, version)
    enters = (1.0 - erred) * (1.0 - row["refused"])
    shares = s.answers[node, cohort, version]
    shares[:] = 0.0
    lattice.copy(p, base, base + 2, 1.0)
    lattice.copy(p, base + 1, base + 3, 1.0)
    late = lattice.cut_at(p, base + 2, limit_s) + lattice.cut_at(p, base + 3, limit_s)
    lattice.add_to_bins(p, base + 2, enters, s.edges, shares[FIRST_BIN:])
    shares[ERROR] = erred + enters * lattice.mass(p, base + 3)
    shares[TIMEOUT] = enters * late
    shares[REFUSED] = (1.0 - erred) * row["refused"]
    _order(shares, s.answers_order[node, cohort, version])


@inlined
def _waits_s(s: State, node: int) -> float:
    """How long a first retry of a call waits on the mean."""
    call = s.calls[s.nodes[node]["call"]]
    return float(call["backoff_s"]) * (0.5 if call["jitter"] != 0 else 1.0)


@outlined
def _meets_again(s: State, node: int, cohort: int, version: int) -> float:
    """How often an attempt is refused at a version, and its retry would be so again, or gain nothing."""
    station = s.stations[s.nodes[node]["station"]]
    row = station["first_version"] + version
    home = s.versions[s.versions[row]["home"]]
    weight = s.weights[row, cohort]
    if weight <= 0.0 or home["ready"] == 0 or home["refused"] <= 0.0:
        return 0.0
    in_vain = gains_nothing(s, s.versions[row]["home"], _waits_s(s, node))
    return weight * (1.0 - erring(s, node, version)) * home["refused"] * weight * in_vain


@inlined
def _met_again(s: State, node: int, cohort: int) -> float:
    """The same at any of the versions."""
    total = 0.0
    for version in range(s.stations[s.nodes[node]["station"]]["versions"]):
        total += _meets_again(s, node, cohort, version)
    return total


@inlined
def _freed(s: State, node: int, cohort: int, refused: float) -> float:
    """How much likelier than any attempt a retry that is not stuck is accepted: it comes to where there is room."""
    station = s.stations[s.nodes[node]["station"]]
    free = meets = 0.0
    for version in range(station["versions"]):
        row = station["first_version"] + version
        left = max(0.0, s.weights[row, cohort] * refused - _meets_again(s, node, cohort, version))
        free += left
        meets += left * (1.0 - s.versions[s.versions[row]["home"]]["refused"])
    if free <= _RARE or refused >= 1.0:
        return 1.0
    return meets / free / (1.0 - refused)


@inlined
def _tell_stuck(s: State, node: int, cohort: int, version: int) -> None:
    """Retries that are refused where the attempt before was come to a version's service row besides."""
    flow, shares = s.flows[node, cohort], s.answers[node, cohort, version]
    weight = s.weights[s.stations[s.nodes[node]["station"]]["first_version"] + version, cohort]
    held = s.held[node, cohort, version]
    failed = shares[ERROR] + shares[TIMEOUT] + shares[REFUSED]
    held["burst"] = _burst(s, node, cohort, version) / failed if failed > _RARE else 0.0
    stuck = flow["stuck"] * held["stuck"]
    enter = flow["calls"] * weight - stuck
    if stuck <= 0.0 or enter <= 0.0:
        return
    if failed > _RARE:  # each of a burst counts as often
        held["burst"] = (1.0 + stuck / (enter * failed)) * (1.0 + held["burst"]) - 1.0
    for column in range(len(shares)):
        shares[column] *= enter / (enter + stuck)
    shares[REFUSED] += stuck / (enter + stuck)


@outlined
def _order(shares: NDArray[np.float64], order: NDArray[np.int16]) -> None:
    """The latency bins by falling share: who draws them in this order soon has drawn all."""
    used = 0
    for column in range(FIRST_BIN, len(shares)):
        share = shares[column]
        if share <= _NEVER:
            continue
        place = used
        while place > 0 and shares[order[place - 1]] < share:
            order[place] = order[place - 1]
            place -= 1
        order[place] = column
        used += 1
    if used < len(order):
        order[used] = -1


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
    met_again = 0.0 if call["cut"] != 0 else _met_again(s, node, cohort)
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
            erred += weight * errs
            _work_through(s, node, cohort, version, work)
            burst += weight * _burst(s, node, cohort, version)
            again = _meets_again(s, node, cohort, version)
            s.held[node, cohort, version]["stuck"] = again / met_again if again > 0.0 else 0.0
            lattice.mix(p, good, passes * (1.0 - row["refused"]), work, spare)
            lattice.mix(p, bad, passes * (1.0 - row["refused"]), work + 1, spare)
            if final:
                _tell_rows(s, node, cohort, version, work)
                _tell_stuck(s, node, cohort, version)
    if refused + erred > _RARE:
        lattice.point(p, work, 0.0, refused + erred)
        lattice.mix(p, bad, 1.0, work, spare)
    if call["latency_s"] + call["latency_jitter_s"] > 0.0:
        lattice.uniform(p, work, call["latency_s"], call["latency_s"] + call["latency_jitter_s"])
        lattice.convolve(p, good, work, work + 1, spare, spare2)
        lattice.copy(p, work + 1, good, 1.0)
        lattice.convolve(p, bad, work, work + 1, spare, spare2)
        lattice.copy(p, work + 1, bad, 1.0)
    late = lattice.cut_at(p, good, limit_s) + lattice.cut_at(p, bad, limit_s)
    failed = lattice.mass(p, bad)
    if final and s.nodes[node]["parent"] < 0:
        seen = s.seen[s.nodes[node]["function"], cohort]
        seen[:] = 0.0
        lattice.add_to_bins(p, good, 1.0, s.edges, seen[FIRST_BIN:])
        seen[REFUSED] = min(refused, failed)
        seen[ERROR], seen[TIMEOUT] = failed - seen[REFUSED], late
        _order(seen, s.seen_order[s.nodes[node]["function"], cohort])
    if late > _RARE:
        lattice.point(p, work, limit_s, late)
        lattice.mix(p, bad, 1.0, work, spare)
    sticks = 0.0
    if refused > _RARE and failed > _RARE:
        sticks = met_again / max(refused, failed)
    hopeless = max(0.0, 1.0 - (1.0 - sticks) * _freed(s, node, cohort, refused)) if sticks > 0.0 else 0.0
    attempts = _retry(s, node, cohort, good, bad, work, spare, spare2, spare3, hopeless)
    reply = s.replies[node, cohort]
    ok = reply_of(s, node, cohort)
    (ok_s, ok_s2), (bad_s, bad_s2) = lattice.moments(p, ok), lattice.moments(p, ok + 1)
    reply["ok"], reply["fail"], reply["attempts"] = lattice.mass(p, ok), lattice.mass(p, ok + 1), attempts
    reply["stuck"] = sticks * (attempts - 1.0)
    # Of a burst only those are left that no retry has saved.
    reply["burst"] = burst * reply["fail"] / (failed + late) ** 2 if failed + late > _RARE else 0.0
    reply["lasts_s"] = ok_s + bad_s
    reply["lasts_var"] = max(0.0, ok_s2 + bad_s2 - (ok_s + bad_s) ** 2)
    if final:
        _tell_attempts(s, node, cohort)


@outlined
def _tell_attempts(s: State, node: int, cohort: int) -> None:
    """How likely attempts fail where, and how many of them a retry makes good."""
    station, reply = s.stations[s.nodes[node]["station"]], s.replies[node, cohort]
    retries = s.calls[s.nodes[node]["call"]]["retries"]
    fails = bursts = 0.0
    for version in range(station["versions"]):
        held = s.held[node, cohort, version]
        weight = s.weights[station["first_version"] + version, cohort]
        held["fails"] = weight * failing(s.answers[node, cohort, version]) if weight > 0.0 else 0.0
        fails += held["fails"]
        bursts += held["fails"] * held["burst"]
    reply["attempt_fails"] = fails
    reply["attempt_burst"] = bursts / fails if fails > 0.0 else 0.0
    reply["saved"] = 0.0
    if retries > 0 and reply["ok"] > _NEVER:
        reply["saved"] = max(
            0.0, (reply["attempts"] - 1.0 - (reply["tries"] - 1.0) * reply["fail"]) / (retries * reply["ok"])
        )


@outlined
def _retry(
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
) -> float:
    """From one attempt (`good`, `bad`) to all of a call, in the node's own lattices; returns their mean number.

    A retry is refused at once with probability `sticks`, and else as the first attempt.
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
    for retry in range(call["retries"]):
        lattice.convolve(p, before, bad, trial, spare, spare2)
        if sticks > 0.0 and retry == 0:
            lattice.copy(p, spare3, bad, 1.0)
        again = lattice.mass(p, trial)
        if allow < 1.0:
            lattice.mix(p, given_up, 1.0 - allow, trial, spare)
            lattice.copy(p, trial, spare, allow)
            lattice.copy(p, spare, trial, 1.0)
            tries += (retry + 1.0) * (1.0 - allow) * again
            again *= allow
        if again < _RARE:
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
        s.replies[node, cohort]["tries"] = tries / max(_NEVER, lattice.mass(p, ok + 1))
    return attempts


@outlined
def solve(s: State, spell_s: float) -> None:
    """Find replies and flows for what is in force now; a kill's refusals are told within `spell_s`."""
    if s.clock[0]["stale"] == 2:
        find_work(s)
        find_alike(s)
    final = False
    scratch = len(s.pool.n) - SCRATCH
    for turn in range(_ROUNDS_MAX + 1):
        for row in range(len(s.versions)):
            find_wait(s, row, spell_s, wait_of(s, row), scratch, scratch + 1)
        for node in range(len(s.nodes) - 1, -1, -1):
            for cohort in range(s.shares.shape[1]):
                if s.shares[s.nodes[node]["function"], cohort] > 0.0 and s.alike[node, cohort] == cohort:
                    _find_reply(s, node, cohort, final)
        changed = max(find_flows(s), afford(s))
        if final:
            break
        final = changed < _AGREED or turn == _ROUNDS_MAX - 1
    s.clock[0]["stale"] = 0
    tell_near(s)
    for index in range(len(s.replicas)):
        s.replicas[index]["solved_inside"] = s.replicas[index]["inside"]
