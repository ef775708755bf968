"""A call comes to a service that is played request by request, by the rules of the request-level plane."""

import math

from simulator.draws import duration
from simulator.fluid import lattice
from simulator.fluid.again import in_vain
from simulator.fluid.bench import count_inside, full_until_s, leave_line, sheds, take_worker
from simulator.fluid.calls import erring, first_call, goes_on, next_call, reply_of
from simulator.fluid.counts import draw_bits, draw_unit
from simulator.fluid.ejection import eject, hear_later
from simulator.fluid.jobs import NONE, begin_or_wait, take_slot
from simulator.fluid.layout import CALL_COMES, JOB_ANSWERED, JOB_GIVEN_UP, State
from simulator.fluid.retries import keep, waits_s
from simulator.kernel.inline import inlined, outlined


@inlined
def _nth_ready(s: State, row: int, wanted: int) -> int:
    """A version's ready replica of that number."""
    index = s.versions[row]["first_replica"]
    while s.replicas[index]["ready"] == 0 or wanted > 0:
        wanted -= s.replicas[index]["ready"]
        index += 1
    return index


@outlined
def _choose(s: State, row: int, now: float) -> int:
    """The ready replica that takes a request that comes now."""
    version = s.versions[row]
    station, ready = s.stations[version["station"]], version["ready"]
    if station["of_two"] != 0 and ready > 1:
        one = int(draw_unit(s.draw) * ready)
        other = (one + 1 + int(draw_unit(s.draw) * (ready - 1))) % ready
        first, second = _nth_ready(s, row, one), _nth_ready(s, row, other)
        return second if count_inside(s, second, now) < count_inside(s, first, now) else first
    if station["pooled"] != 0:
        best = fewest = -1
        for place in range(ready):
            index = _nth_ready(s, row, place)
            inside = count_inside(s, index, now)
            if best < 0 or inside < fewest:
                best, fewest = index, inside
        return best
    while True:
        if version["turn"] >= version["replicas"]:
            version["turn"] = 0
        index = version["first_replica"] + version["turn"]
        version["turn"] += 1
        if s.replicas[index]["ready"] != 0:
            return index


@outlined
def draw_answer(s: State, child: int, cohort: int) -> tuple[float, bool]:
    """How long a call lasts, all attempts together, and whether it fails."""
    p, answer = s.pool, reply_of(s, child, cohort)
    ok = lattice.mass(p, answer)
    left = draw_unit(s.draw) * (ok + lattice.mass(p, answer + 1))
    fails = left >= ok
    if fails:
        answer, left = answer + 1, left - ok
    at = 0
    while at < p.n[answer] - 1 and left >= p.w[answer, at]:
        left -= p.w[answer, at]
        at += 1
    return p.off[answer] + at * p.step[answer], fails


@outlined
def _draw_calls(s: State, node: int, cohort: int, version: int) -> tuple[float, bool]:
    """How long the calls last that a version makes for a request, and whether one has failed."""
    lasts_s, failed = 0.0, False
    child = first_call(s, s.nodes[node]["child"], version)
    while child >= 0 and not failed:
        slowest_s = 0.0
        while True:
            one_s, fails = draw_answer(s, child, cohort)
            slowest_s, failed = max(slowest_s, one_s), failed or fails
            child = next_call(s, child, version)
            if not goes_on(s, child):
                break
        lasts_s += slowest_s
    return lasts_s, failed


@inlined
def heard_s(s: State, node: int, answered_s: float, gives_up_s: float) -> float:
    """When a caller hears of an answer, or gives up."""
    call = s.calls[s.nodes[node]["call"]]
    latency_s = call["latency_s"]
    if call["latency_jitter_s"] > 0.0:
        latency_s += call["latency_jitter_s"] * draw_unit(s.draw)
    return float(min(answered_s + latency_s, gives_up_s))


@inlined
def _turned_away(s: State, node: int, cohort: int, version: int, attempt: int, copy: bool) -> bool:
    """Whether a call fails before it comes to a replica: it is cut, none is ready, a fault, or a quota's bucket."""
    station = s.stations[s.nodes[node]["station"]]
    home = s.versions[s.versions[station["first_version"] + version]["home"]]
    if s.calls[s.nodes[node]["call"]]["cut"] != 0 or home["ready"] == 0:
        return True
    errs, over = 0.0 if copy else erring(s, node, version), station["over"]
    if errs > 0.0 and draw_unit(s.draw) < errs:
        return True
    if over > 0.0 and attempt > 0:
        over += (1.0 - over) * in_vain(s, node, cohort, version)
    return bool(over > 0.0 and draw_unit(s.draw) < over)


@outlined
def _come(
    s: State, node: int, cohort: int, version: int, attempt: int, copy: bool, caller: int, now: float
) -> tuple[bool, float]:
    """A call comes to a version; whether it fails, and when its caller hears of that: infinite if that is open yet."""
    station = s.stations[s.nodes[node]["station"]]
    gives_up_s = math.inf if copy and caller == NONE else now + s.nodes[node]["timeout_s"]
    if _turned_away(s, node, cohort, version, attempt, copy):
        return True, heard_s(s, node, now, gives_up_s)
    row = s.versions[station["first_version"] + version]["home"]
    if station["eject_after"] > 0 and eject(s, row, now):
        s.clock[0]["stale"] = max(1, s.clock[0]["stale"])
    index = _choose(s, row, now)
    leave_line(s, index, now)
    if now < full_until_s(s, index, now) or sheds(s, index, now):
        if not copy:
            hear_later(s, index, True, now)
        return True, heard_s(s, node, now, gives_up_s)
    effect = s.effects[station["first_version"] + version, cohort]
    work_s = duration(station["kind"], station["p0"], station["p1"], draw_bits(s.draw))
    work_s = work_s * effect["factor"] + effect["add_s"]
    leaves_s = gives_up_s if s.calls[s.nodes[node]["call"]]["cancel"] != 0 else math.inf
    if caller != NONE and s.jobs[caller]["leaves_s"] < gives_up_s:  # later it has nobody left to end with
        leaves_s = s.jobs[caller]["leaves_s"]
    if station["linked"] != 0:
        slot = take_slot(s, node)
        if slot == NONE:  # behind so many, one more has no answer
            return True, gives_up_s
        job = s.jobs[slot]
        job["cohort"], job["version"], job["attempt"], job["copy"] = cohort, version, attempt, copy
        job["replica"], job["caller"], job["came_s"], job["work_s"] = index, caller, now, work_s
        job["number_of_caller"] = s.jobs[caller]["number"] if caller != NONE else 0
        job["gives_up_s"], job["leaves_s"] = gives_up_s, leaves_s
        job["child"] = first_call(s, s.nodes[node]["child"], version)
        if min(gives_up_s, leaves_s) < math.inf:
            keep(s, min(gives_up_s, leaves_s), JOB_GIVEN_UP, node, cohort, 0, slot)
        station["entered"] += 1.0
        begin_or_wait(s, slot, now)
        return False, math.inf
    calls_s, failed = 0.0, draw_unit(s.draw) < effect["error"]
    if not failed and s.nodes[node]["child"] >= 0:
        calls_s, failed = _draw_calls(s, node, cohort, version)
    holds_s = work_s + calls_s if station["holds_worker"] != 0 else work_s
    begins_s = take_worker(s, index, now, holds_s, leaves_s)
    ends_s = begins_s + work_s + calls_s
    station["entered"] += 1.0
    if not copy:
        hear_later(s, index, failed or ends_s >= gives_up_s, min(ends_s, gives_up_s))
    answered_s = heard_s(s, node, ends_s, gives_up_s)
    return failed or answered_s >= gives_up_s, answered_s


@inlined
def route(s: State, node: int, cohort: int) -> int:
    """The version that a retry comes to, by the weights; -1 where a breaker holds it back."""
    held = s.calls[s.nodes[node]["call"]]["held"]
    if held > 0.0 and draw_unit(s.draw) < held:
        return -1
    station = s.stations[s.nodes[node]["station"]]
    left, chosen = draw_unit(s.draw), -1
    for version in range(station["versions"]):
        weight = s.weights[station["first_version"] + version, cohort]
        if weight > 0.0 and left >= 0.0:
            chosen = version
            left -= weight
    return chosen


@outlined
def makes_again(
    s: State, node: int, cohort: int, attempt: int, copy: bool, caller: int, failed: bool, at_s: float, now: float
) -> bool:
    """Whether a caller makes a call again at once that it hears of at `at_s`. Else it does so later, or it is over."""
    index = s.nodes[node]["call"]
    call = s.calls[index]
    again = failed and attempt < call["retries"] and not (copy and caller == NONE)
    if again and (call["allow"] >= 1.0 or draw_unit(s.draw) < call["allow"]):
        at_s += waits_s(s, index, attempt)
        if at_s <= now:
            return True
        keep(s, at_s, CALL_COMES, node, cohort, attempt + 1, caller)
    elif caller != NONE:
        keep(s, at_s, JOB_ANSWERED, node, cohort, failed, caller)
    return False


@outlined
def make_call(
    s: State, node: int, cohort: int, version: int, attempt: int, copy: bool, caller: int, now: float
) -> None:
    """A call comes to a version, and where it fails to any of them again: at once, or when its backoff is over."""
    while version >= 0:
        failed, at_s = _come(s, node, cohort, version, attempt, copy, caller, now)
        if at_s == math.inf or not makes_again(s, node, cohort, attempt, copy, caller, failed, at_s, now):
            return
        attempt += 1
        version = route(s, node, cohort)
    if caller != NONE:  # a breaker holds it back
        keep(s, now, JOB_ANSWERED, node, cohort, 1, caller)
