"""Services that are played request by request beside the flows, since it matters what each replica has inside.

Where replicas are ejected, where service times vary much more than their mean, where a guardrail hangs on which of two
versions is full, or a full queue answers just in time, outcomes hang on the luck of single replicas. So first attempts
come as they were counted (`sent`), each comes to a replica by the rules of `simulator.kernel.balance` (`coming`), and
takes its place there (`bench`). By then it is known when it ends. So nothing is left to happen later, but that its
caller makes it again where it has failed (`retries`), and that a replica is ejected when its callers hear of failures.
Of callers whose calls are played request by request as well, each request is followed (`jobs`, `waiting`): their
workers are held for as long as that very call takes. Flows see at each step what a request would meet now (`looks`):
the waits of the replicas, and which of them are full.
"""

import math

from simulator.draws import Stream
from simulator.fluid.bench import count_inside
from simulator.fluid.coming import make_call, route
from simulator.fluid.counts import begin_draws, draw_unit
from simulator.fluid.ejection import eject
from simulator.fluid.flows import copying
from simulator.fluid.jobs import NONE
from simulator.fluid.layout import CALL_COMES, JOB_ANSWERED, JOB_WORKED, State
from simulator.fluid.looks import look
from simulator.fluid.retries import keep, next_retry_s, take_first, waits_s
from simulator.fluid.waiting import be_given_up, end_with, hear_answer, tell_following, work_done
from simulator.kernel.inline import inlined, merged, outlined

_BALANCE, _BACKOFF = int(Stream.BALANCE), int(Stream.BACKOFF)


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
        parent = s.nodes[node]["parent"]
        if parent >= 0 and s.stations[s.nodes[parent]["station"]]["linked"] != 0:  # jobs make those
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
    if s.stations[s.versions[row]["station"]]["linked"] != 0:
        first = s.versions[row]["first_replica"]
        for index in range(first, first + s.versions[row]["replicas"]):
            if s.replicas[index]["died"] != 0:
                end_with(s, index, now)
        s.versions[row]["reset"] = 0.0
    while s.versions[row]["reset"] >= 1.0:
        s.versions[row]["reset"] -= 1.0
        _, node, cohort, _, copy = _source(s, row, draw_unit(s.draw) * s.versions[row]["firsts"])
        if node >= 0 and not copy and s.calls[s.nodes[node]["call"]]["retries"] > 0:
            keep(s, now + waits_s(s, s.nodes[node]["call"], 0), CALL_COMES, node, cohort, 1, NONE)
    s.versions[row]["reset"] = 0.0


@outlined
def _begin(s: State, now: float, until_s: float) -> None:
    """Find out who comes to each version first, and when the next one does; the draws of retries begin."""
    moment = int(now * 1024)
    for row in range(len(s.versions)):
        version = s.versions[row]
        if s.stations[version["station"]]["singly"] == 0 or version["home"] != row:
            continue
        begin_draws(s.draw, s.keys, _BALANCE, row, moment)
        version["firsts"] = _source(s, row, math.inf)[0]
        _draw_next(s, row, now, until_s)
    begin_draws(s.draw, s.keys, _BACKOFF, len(s.calls), moment)
    for row in range(len(s.versions)):
        if s.versions[row]["reset"] > 0.0:
            _break_off(s, row, now)


@inlined
def _draw_next(s: State, row: int, now: float, until_s: float) -> None:
    """When the next first attempt comes to a version, the first of so many at random; others may draw until then."""
    version = s.versions[row]
    version["next_s"] = math.inf
    if version["coming"] > 0:
        version["next_s"] = until_s - (until_s - now) * draw_unit(s.draw) ** (1.0 / version["coming"])
        version["coming"] -= 1
    version["draws"] = s.draw[0]


@outlined
def _take_next(s: State, now: float) -> None:
    """What is to come next comes now."""
    what, node, cohort, attempt, job, ended = take_first(s)
    if ended:
        return
    if what == CALL_COMES:
        copy = job != NONE and s.jobs[job]["copy"] != 0
        make_call(s, node, cohort, route(s, node, cohort), attempt, copy, job, now)
    elif what == JOB_WORKED:
        work_done(s, job, now)
    elif what == JOB_ANSWERED:
        hear_answer(s, job, attempt != 0, now)
    else:
        be_given_up(s, job, now)


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
    _begin(s, now, until_s)
    again = s.draw[0]
    while True:
        row, at_s = _next_first(s)
        retry_s = next_retry_s(s)
        if min(at_s, retry_s) >= until_s:
            break
        if retry_s <= at_s:
            s.draw[0] = again
            _take_next(s, retry_s)
            again = s.draw[0]
        else:
            s.draw[0] = s.versions[row]["draws"]
            _, node, cohort, number, copy = _source(s, row, draw_unit(s.draw) * s.versions[row]["firsts"])
            if node >= 0:
                make_call(s, node, cohort, number, 0, copy, NONE, at_s)
            _draw_next(s, row, at_s, until_s)
    changed = False
    for row in range(len(s.versions)):
        station = s.stations[s.versions[row]["station"]]
        if station["singly"] != 0 and station["eject_after"] > 0 and s.versions[row]["home"] == row:
            changed |= eject(s, row, until_s)
    tell_following(s)
    return changed | _find_changes(s, until_s)
