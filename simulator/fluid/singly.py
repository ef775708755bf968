"""Services that are played request by request beside the flows, since it matters what each replica has inside.

Where replicas are ejected, where service times vary much more than their mean, where a guardrail hangs on which of two
versions is full, or a full queue answers just in time, outcomes hang on the luck of single replicas. So first attempts
are drawn from what flows bring (a Poisson stream), each comes to a replica by the rules of `simulator.kernel.balance`,
and takes its place there (`bench`). By then it is known when it ends. So nothing is left to happen later, but that its
caller makes it again where it has failed (`retries`), and that a replica is ejected when its callers hear of failures.
Flows see at each step what a request would meet now (`looks`): the waits of the replicas, and which of them are full.
"""

import math

from simulator.draws import Stream, duration
from simulator.fluid import lattice
from simulator.fluid.again import in_vain
from simulator.fluid.bench import count_inside, full_until_s, leave_line, sheds, take_worker
from simulator.fluid.calls import erring, first_call, goes_on, next_call, reply_of
from simulator.fluid.counts import begin_draws, draw_bits, draw_unit
from simulator.fluid.ejection import eject, hear_later
from simulator.fluid.flows import copying
from simulator.fluid.layout import State
from simulator.fluid.looks import look
from simulator.fluid.retries import keep, next_retry_s, take_first, waits_s
from simulator.kernel.inline import inlined, merged, outlined

_BALANCE, _BACKOFF = int(Stream.BALANCE), int(Stream.BACKOFF)


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
def _draw_answer(s: State, child: int, cohort: int) -> tuple[float, bool]:
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
            one_s, fails = _draw_answer(s, child, cohort)
            slowest_s, failed = max(slowest_s, one_s), failed or fails
            child = next_call(s, child, version)
            if not goes_on(s, child):
                break
        lasts_s += slowest_s
    return lasts_s, failed


@inlined
def _heard_s(s: State, node: int, answered_s: float, gives_up_s: float) -> float:
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
def _come(s: State, node: int, cohort: int, version: int, attempt: int, copy: bool, now: float) -> tuple[bool, float]:
    """A call comes to a version; whether it fails, and when its caller hears of that."""
    station = s.stations[s.nodes[node]["station"]]
    gives_up_s = math.inf if copy else now + s.nodes[node]["timeout_s"]
    if _turned_away(s, node, cohort, version, attempt, copy):
        return True, _heard_s(s, node, now, gives_up_s)
    row = s.versions[station["first_version"] + version]["home"]
    if station["eject_after"] > 0 and eject(s, row, now):
        s.clock[0]["stale"] = max(1, s.clock[0]["stale"])
    index = _choose(s, row, now)
    leave_line(s, index, now)
    if now < full_until_s(s, index) or sheds(s, index, now):
        if not copy:
            hear_later(s, index, True, now)
        return True, _heard_s(s, node, now, gives_up_s)
    effect = s.effects[station["first_version"] + version, cohort]
    work_s = duration(station["kind"], station["p0"], station["p1"], draw_bits(s.draw))
    work_s = work_s * effect["factor"] + effect["add_s"]
    calls_s, failed = 0.0, draw_unit(s.draw) < effect["error"]
    if not failed and s.nodes[node]["child"] >= 0:
        calls_s, failed = _draw_calls(s, node, cohort, version)
    holds_s = work_s + calls_s if station["holds_worker"] != 0 else work_s
    cancels = s.calls[s.nodes[node]["call"]]["cancel"] != 0
    begins_s = take_worker(s, index, now, holds_s, gives_up_s if cancels else math.inf)
    ends_s = begins_s + work_s + calls_s
    station["entered"] += 1.0
    if not copy:
        hear_later(s, index, failed or ends_s >= gives_up_s, min(ends_s, gives_up_s))
    heard_s = _heard_s(s, node, ends_s, gives_up_s)
    return failed or heard_s >= gives_up_s, heard_s


@inlined
def _route(s: State, node: int, cohort: int) -> int:
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
def _call(s: State, node: int, cohort: int, version: int, attempt: int, copy: bool, now: float) -> None:
    """A call comes to a version, and where it fails to any of them again: at once, or when its backoff is over."""
    index = s.nodes[node]["call"]
    call = s.calls[index]
    while version >= 0:
        failed, at_s = _come(s, node, cohort, version, attempt, copy, now)
        if copy or not failed or attempt >= call["retries"]:
            return
        if call["allow"] < 1.0 and draw_unit(s.draw) >= call["allow"]:
            return
        at_s += waits_s(s, index, attempt)
        attempt += 1
        if at_s > now:
            keep(s, at_s, node, cohort, attempt)
            return
        version = _route(s, node, cohort)


@inlined
def _first_attempts(s: State, node: int, cohort: int, version: int) -> float:
    """Per second, of one node and cohort, to one version; also of those that fail before they come to a replica."""
    reply, call = s.replies[node, s.alike[node, cohort]], s.calls[s.nodes[node]["call"]]
    if reply["attempts"] <= 0.0:
        return 0.0
    row = s.stations[s.nodes[node]["station"]]["first_version"] + version
    return float(s.flows[node, cohort]["calls"] * s.weights[row, cohort] * (1.0 - call["held"]) / reply["attempts"])


@outlined
def _source(s: State, row: int, upto: float) -> tuple[float, int, int, int, bool]:
    """Count the calls per second that flows bring to a version's replicas, `upto` some at the most.

    Returns how many those are, of the last one node, cohort and version, and whether it is a copy. Retries are none of
    them: those come when what was played has failed.
    """
    index = s.versions[row]["station"]
    station = s.stations[index]
    total, last_node, last_cohort, last_version, last_copy = 0.0, -1, -1, -1, False
    for node in range(len(s.nodes)):
        call = s.calls[s.nodes[node]["call"]]
        if s.nodes[node]["station"] != index or (call["cut"] != 0 and call["retries"] == 0):
            continue
        for cohort in range(s.shares.shape[1]):
            if s.flows[node, cohort]["calls"] <= 0.0:
                continue
            for version in range(station["versions"]):
                if s.versions[station["first_version"] + version]["home"] != row:
                    continue
                for copy in (False, True):
                    comes = copying(s, node, cohort, version) if copy else _first_attempts(s, node, cohort, version)
                    if comes <= 0.0:
                        continue
                    last_node, last_cohort, last_version, last_copy = node, cohort, version, copy
                    total += comes
                    if total > upto:
                        return total, node, cohort, version, copy
    return total, last_node, last_cohort, last_version, last_copy


@outlined
def _break_off(s: State, row: int, now: float) -> None:
    """Callers of what was inside a replica that died make their calls again."""
    while s.versions[row]["reset"] >= 1.0:
        s.versions[row]["reset"] -= 1.0
        _, node, cohort, _, copy = _source(s, row, draw_unit(s.draw) * s.versions[row]["firsts"])
        if node >= 0 and not copy and s.calls[s.nodes[node]["call"]]["retries"] > 0:
            keep(s, now + waits_s(s, s.nodes[node]["call"], 0), node, cohort, 1)
    s.versions[row]["reset"] = 0.0


@outlined
def _begin(s: State, now: float) -> None:
    """Find out how many come to each version first, and when the next one does; the draws of retries begin."""
    moment = int(now * 1024)
    for row in range(len(s.versions)):
        version = s.versions[row]
        if s.stations[version["station"]]["singly"] == 0 or version["home"] != row:
            continue
        begin_draws(s.draw, s.keys, _BALANCE, row, moment)
        version["firsts"] = _source(s, row, math.inf)[0]
        _draw_next(s, row, now)
    begin_draws(s.draw, s.keys, _BACKOFF, len(s.calls), moment)
    for row in range(len(s.versions)):
        if s.versions[row]["reset"] > 0.0:
            _break_off(s, row, now)


@inlined
def _draw_next(s: State, row: int, now: float) -> None:
    """When the next first attempt comes to a version; others may draw until then."""
    version = s.versions[row]
    version["next_s"] = math.inf
    if version["firsts"] > 0.0:
        version["next_s"] = now - math.log(draw_unit(s.draw)) / version["firsts"]
    version["draws"] = s.draw[0]


@inlined
def _next_first(s: State) -> tuple[int, float]:
    """The version to which the next first attempt comes, and when."""
    first, at_s = -1, math.inf
    for row in range(len(s.versions)):
        if s.versions[row]["next_s"] < at_s:
            first, at_s = row, s.versions[row]["next_s"]
    return first, at_s


@outlined
def _find_changes(s: State, now: float) -> bool:
    """Whether what requests meet is not what they met when flows were found."""
    changed = False
    for index in range(len(s.replicas)):
        replica = s.replicas[index]
        row = replica["version"]
        if s.stations[s.versions[row]["station"]]["singly"] == 0:
            continue
        replica["inside"] = count_inside(s, index, now)
        if replica["ready"] != 0:
            refused, wait_s = look(s, row, index, now)
            changed |= replica["behind_s"] != wait_s or replica["refused"] != refused
    return changed


@merged
def play(s: State, now: float, until_s: float) -> bool:
    """Play the services that are played singly until then; whether flows must be found anew."""
    if len(s.free) == 0:
        return False
    _begin(s, now)
    again = s.draw[0]
    while True:
        row, at_s = _next_first(s)
        retry_s = next_retry_s(s)
        if min(at_s, retry_s) >= until_s:
            break
        if retry_s <= at_s:
            s.draw[0] = again
            node, cohort, attempt = take_first(s)
            _call(s, node, cohort, _route(s, node, cohort), attempt, False, retry_s)
            again = s.draw[0]
        else:
            s.draw[0] = s.versions[row]["draws"]
            _, node, cohort, number, copy = _source(s, row, draw_unit(s.draw) * s.versions[row]["firsts"])
            _call(s, node, cohort, number, 0, copy, at_s)
            _draw_next(s, row, at_s)
    changed = False
    for row in range(len(s.versions)):
        station = s.stations[s.versions[row]["station"]]
        if station["singly"] != 0 and station["eject_after"] > 0 and s.versions[row]["home"] == row:
            changed |= eject(s, row, until_s)
    return changed | _find_changes(s, until_s)
