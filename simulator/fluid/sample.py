"""From flows to counts: Poisson arrivals, and what becomes of them, drawn cell by cell.

Each step's requests are followed down the call graph as counts. Of what failed at a caller, some failed because of a
call: these are failures of the callee too, with their retries. So what a client saw fail, a guardrail saw fail. Every
row draws from a key of its own and of the cell, so that two strategies whose flows agree in a cell draw the same counts
there.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Stream, nth
from simulator.fluid.breaker import hear
from simulator.fluid.calls import erring, first_call, goes_on, next_call
from simulator.fluid.counts import begin_draws, binomial, burst_at, draw_unit, failing, poisson
from simulator.fluid.layout import State
from simulator.fluid.sent import send, send_to, sends
from simulator.fluid.writes import FAILED, STORED, UNKNOWN, note_writes
from simulator.kernel.inline import inlined, merged, outlined
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED, TIMEOUT

_ARRIVAL, _SERVICE, _ROUTE = int(Stream.ARRIVAL), int(Stream.SERVICE), int(Stream.ROUTE)
_COHORT, _REQUEST, _LATENCY = int(Stream.COHORT), int(Stream.REQUEST), int(Stream.LATENCY)
_MIRROR = int(Stream.MIRROR)
_TINY = 1e-12


@outlined
def draw_arrivals(s: State, cell: int, begins_s: float, ends_s: float) -> None:
    """How many requests of each function and cohort come in a cell; the steps within it share them out."""
    for index in range(len(s.functions)):
        due = due_between(s, index, begins_s, ends_s)
        s.functions[index]["mass_left"] = due
        for cohort in range(s.shares.shape[1]):
            begin_draws(s.draw, s.keys, _ARRIVAL, index * s.shares.shape[1] + cohort, cell)
            s.arrivals[index, cohort] = poisson(s.draw, due * s.shares[index, cohort])


@outlined
def due_between(s: State, index: int, begins_s: float, ends_s: float) -> float:
    """Expected requests of a function between two times."""
    function = s.functions[index]
    segment = function["segment"]
    total, t = 0.0, begins_s
    while t < ends_s - 1e-12:
        until = min(ends_s, s.rate_until[index, segment])
        total += max(0.0, until - t) * s.rate[index, segment]
        t = until
        if t < ends_s - 1e-12:
            segment += 1
    return total


@merged
def sample(s: State, begins_s: float, ends_s: float) -> None:
    """Count what the requests of a step lead to; it lies within one cell."""
    cohorts, cell = s.shares.shape[1], min(int(begins_s / s.clock[0]["resolution"] + 1e-9), len(s.client) - 1)
    for index in range(len(s.functions)):
        due = due_between(s, index, begins_s, ends_s)
        left = s.functions[index]["mass_left"]
        share = 1.0 if left <= due * (1.0 + 1e-9) else due / left
        s.functions[index]["mass_left"] = left - due
        for cohort in range(cohorts):
            begin_draws(s.draw, s.keys, _COHORT, index * cohorts + cohort, _moment(cell, begins_s))
            s.luck[0] = draw_unit(s.draw)
            came = binomial(s.draw, s.arrivals[index, cohort], share)
            s.arrivals[index, cohort] -= came
            if came > 0:
                _sample_request(s, index, cohort, came, cell, begins_s, ends_s)
                _sample_calls(s, index, cohort, cell, begins_s, ends_s)
                if s.clock[0]["mirrored"] != 0:
                    _sample_copies(s, index, cohort, cell, begins_s, ends_s)


@inlined
def _moment(cell: int, begins_s: float) -> int:
    """A number for a step: the same for all strategies that have a step there."""
    return cell * 1024 + int(begins_s * 1024) % 1024


@outlined
def _kinds(draw: NDArray[np.uint64], kinds: NDArray[np.int64], shares: NDArray[np.float64], failed: int) -> None:
    """Draw of which kind the failed are into `kinds`."""
    left, mass = failed, failing(shares)
    for column in range(ERROR, REFUSED + 1):
        kinds[column] = 0
    for column in range(ERROR, REFUSED + 1):
        if left == 0 or mass <= _TINY:
            break
        found = binomial(draw, left, min(1.0, shares[column] / mass))
        kinds[column] = found
        left -= found
        mass -= shares[column]


@outlined
def _count(
    draw: NDArray[np.uint64],
    kinds: NDArray[np.int64],
    middles: NDArray[np.float64],
    resolution_s: float,
    table: NDArray[np.int32],
    row: int,
    arrived_cell: int,
    shares: NDArray[np.float64],
    order: NDArray[np.int16],
    ok: int,
    failed: int,
    sent_s: float,
    timeout_s: float,
    lasts_s: float,
    bins_key: np.uint64,
    detailed: int,
) -> None:
    """Count successes and failures of calls, in the cell of their arrival or (-1) in those of the answers.

    Answers behind the last cell are not counted. `kinds` gets the failures by kind. Latency bins are drawn by a key
    of their own, so where a row that is not `detailed` has all successes of a cell in one bin, nothing else differs.
    """
    _kinds(draw, kinds, shares, failed)
    for column in range(ERROR, REFUSED + 1):
        if kinds[column] > 0:
            after_s = _answered_after(middles, column, timeout_s, lasts_s)
            _put(table, row, arrived_cell, column, kinds[column], int((sent_s + after_s) / resolution_s))
    if ok == 0:
        return
    if detailed == 0 and _one_cell(middles, order, sent_s, lasts_s, resolution_s):
        column = int(order[0])
        after_s = _answered_after(middles, column, timeout_s, lasts_s)
        _put(table, row, arrived_cell, column, ok, int((sent_s + after_s) / resolution_s))
        return
    resume = draw[0]
    draw[0] = bins_key
    left, mass = ok, 1.0 - failing(shares)
    for place in range(len(order)):
        column = int(order[place])
        if column < 0 or left == 0 or mass <= _TINY:
            break
        found = binomial(draw, left, min(1.0, shares[column] / mass))
        left -= found
        mass -= shares[column]
        if found > 0:
            after_s = _answered_after(middles, column, timeout_s, lasts_s)
            _put(table, row, arrived_cell, column, found, int((sent_s + after_s) / resolution_s))
    draw[0] = resume


@outlined
def _one_cell(
    middles: NDArray[np.float64], order: NDArray[np.int16], sent_s: float, lasts_s: float, resolution_s: float
) -> bool:
    """Whether all successes are answered in one cell. Without any bin there is nowhere to count them."""
    slowest = 0
    for place in range(len(order)):
        if order[place] < 0:
            break
        slowest = max(slowest, int(order[place]))
    if slowest == 0:
        return False
    return int((sent_s + _answered_after(middles, slowest, math.inf, lasts_s)) / resolution_s) == int(
        sent_s / resolution_s
    )


@inlined
def _put(table: NDArray[np.int32], row: int, arrived_cell: int, column: int, found: int, answered_cell: int) -> None:
    if answered_cell < len(table):
        table[answered_cell if arrived_cell < 0 else arrived_cell, row, column] += found


@outlined
def _answered_after(middles: NDArray[np.float64], column: int, timeout_s: float, lasts_s: float) -> float:
    """When an answer of a column comes; `lasts_s` on the mean, which tells it where the column does not."""
    if column == REFUSED:
        return 0.0
    if column == TIMEOUT:
        return timeout_s
    if column == ERROR:
        return min(lasts_s, timeout_s)
    if column == len(middles) - 1 + FIRST_BIN:
        return max(lasts_s, middles[column - FIRST_BIN])
    return middles[column - FIRST_BIN]


@inlined
def _sample_request(s: State, index: int, cohort: int, came: int, cell: int, begins_s: float, ends_s: float) -> None:
    """The clients' row: what the function's first service answers, as the client sees it."""
    root, cohorts = s.functions[index]["root"], s.shares.shape[1]
    row = index * cohorts + cohort
    s.client[cell, row, ARRIVED] += came
    alike = s.alike[root, cohort]
    shares, reply = s.seen[index, alike], s.replies[root, alike]
    begin_draws(s.draw, s.keys, _SERVICE, root * cohorts + cohort, _moment(cell, begins_s))
    failed = _fail(s, came, failing(shares), reply["burst"], came)
    _count(
        s.draw, s.failed, s.middles, s.clock[0]["resolution"], s.client, row, cell, shares, s.seen_order[index, alike],
        came - failed, failed, 0.5 * (begins_s + ends_s),
        s.nodes[root]["timeout_s"], reply["lasts_s"], nth(nth(s.keys[_REQUEST], row), _moment(cell, begins_s)), 1,
    )  # fmt: skip
    s.begun[root], s.doomed[root] = came, failed


@inlined
def _fail(s: State, calls: int, mass: float, burst: float, most: int) -> int:
    """How many of the calls fail, at the most `most`.

    All of a step take the same quantile: it is mostly one cause that makes calls fail all the way up.
    """
    if calls == 0 or mass <= _TINY:
        return 0
    return calls if mass >= 1.0 - _TINY else burst_at(s.luck[0], calls, mass, burst, most)


@inlined
def _sample_calls(s: State, index: int, cohort: int, cell: int, begins_s: float, ends_s: float) -> None:
    """Service rows and writes of all the calls that a function's requests of one cohort lead to."""
    cohorts, moment = s.shares.shape[1], _moment(cell, begins_s)
    root = s.functions[index]["root"]
    for node in range(root, len(s.nodes)):
        record = s.nodes[node]
        if record["function"] != index:
            break
        begun, doomed = s.begun[node], s.doomed[node]
        s.begun[node] = s.doomed[node] = 0
        if begun == 0:
            continue
        call = s.calls[record["call"]]
        if call["cut"] != 0:
            tried = begun * (1 + call["retries"])
            hear(s, record["call"], tried, tried, begins_s)
            if call["retries"] > 0 and sends(s, node):
                begin_draws(s.draw, s.keys, _ROUTE, node * cohorts + cohort, moment)
                send(s, node, cohort, begun)
            continue
        begin_draws(s.draw, s.keys, _ROUTE, node * cohorts + cohort, moment)
        sent_s = 0.5 * (begins_s + ends_s) + s.flows[node, cohort]["begins_s"]
        _sample_node(s, node, cohort, begun, doomed, sent_s, moment, 0)


@outlined
def _sample_copies(s: State, index: int, cohort: int, cell: int, begins_s: float, ends_s: float) -> None:
    """Service rows of copies of a function's requests, and of the calls that are made for them."""
    cohorts, moment = s.shares.shape[1], _moment(cell, begins_s)
    for node in range(s.functions[index]["root"], len(s.nodes)):
        if s.nodes[node]["function"] != index:
            break
        begun, doomed, copied = s.begun[node], s.doomed[node], s.copied[node]
        s.begun[node] = s.doomed[node] = s.copied[node] = 0
        if begun + copied == 0 or s.calls[s.nodes[node]["call"]]["cut"] != 0:
            continue
        begin_draws(s.draw, s.keys, _MIRROR, node * cohorts + cohort, moment)
        sent_s = 0.5 * (begins_s + ends_s) + s.flows[node, cohort]["begins_s"]
        if begun > 0:
            _sample_node(s, node, cohort, begun, doomed, sent_s, moment, 1)
        if copied > 0:
            station = s.stations[s.nodes[node]["station"]]
            version = station["mirror_row"] - station["first_version"]
            failed = binomial(s.draw, copied, min(1.0, failing(s.answers[node, s.alike[node, cohort], version])))
            if sends(s, node):
                send_to(s, node, version, copied)
            _sample_row(s, node, cohort, version, copied - failed, 0, failed, sent_s, moment, 1)


@outlined
def _sample_node(
    s: State, node: int, cohort: int, begun: int, doomed: int, sent_s: float, moment: int, copy: int
) -> None:
    """What calls, of which some fail for good, lead to at the versions, attempt by attempt; `copy` 1: for copies."""
    alike = s.alike[node, cohort]
    station, call, reply = s.stations[s.nodes[node]["station"]], s.calls[s.nodes[node]["call"]], s.replies[node, alike]
    if call["held"] > 0.0 and doomed > 0:
        held = binomial(s.draw, doomed, min(1.0, call["held"] / reply["fail"]))
        begun, doomed = begun - held, doomed - held
    if begun == 0:
        return
    ok, late, fails = begun - doomed, 0, reply["attempt_fails"]
    retries = call["retries"]
    if station["singly"] != 0:  # what it meets is known: only which of its attempts do is chance
        saved = binomial(s.draw, retries * ok, min(1.0, reply["saved"]))
    else:
        saved = _fail(s, retries * ok, reply["saved"], reply["attempt_burst"], retries * ok)
    failed = doomed + saved
    if doomed > 0 and retries > 0:
        failed += binomial(s.draw, doomed * retries, min(1.0, (reply["tries"] - 1.0) / retries))
    if failed > 0 and (call["latency_s"] + call["latency_jitter_s"] > 0.0 or fails <= _TINY):
        # Answers that are late because of the way are none that the service failed.
        here = binomial(s.draw, failed, min(1.0, fails / max(_TINY, 1.0 - reply["ok"] / reply["attempts"])))
        late = failed - here
        hear(s, s.nodes[node]["call"], 0, late, sent_s + s.nodes[node]["timeout_s"])
        ok, failed = ok + late, here
    works, attempts = 1.0 - fails, ok + failed
    if sends(s, node):
        send(s, node, cohort, begun)
    for version in range(station["versions"]):
        weight = s.weights[station["first_version"] + version, cohort]
        if weight <= 0.0:
            continue
        mass = s.held[node, alike, version]["fails"]
        lost = binomial(s.draw, failed, min(1.0, mass / max(fails, _TINY)))
        working = binomial(s.draw, ok, min(1.0, (weight - mass) / max(works, _TINY)))
        unheard = 0
        if late > 0 and s.nodes[node]["writes"] != 0:
            unheard = min(late, binomial(s.draw, working, late / ok))
            unheard = max(unheard, late - (ok - working))  # no more than what is left can be later versions'
        late -= unheard
        failed, ok, fails, works = failed - lost, ok - working, fails - mass, works - (weight - mass)
        if lost + working > 0:
            _sample_row(s, node, cohort, version, working, unheard, lost, sent_s, moment, copy)
            if call["breaker"] != 0:
                _tell_breaker(s, node, version, working, sent_s)
    if station["mirror_share"] > 0.0 and copy == 0:
        s.copied[node] += binomial(s.draw, attempts, station["mirror_share"])


@outlined
def _tell_breaker(s: State, node: int, version: int, ok: int, sent_s: float) -> None:
    """Let a breaker hear, in time, of the calls that a version has just answered; `s.failed` has those that failed."""
    call, timeout_s = s.nodes[node]["call"], s.nodes[node]["timeout_s"]
    home = s.versions[s.versions[s.stations[s.nodes[node]["station"]]["first_version"] + version]["home"]]
    lasts_s = home["waits_s"] + home["hold_s"]
    hear(s, call, ok, 0, sent_s + min(lasts_s, timeout_s))
    for column in range(ERROR, REFUSED + 1):
        after_s = _answered_after(s.middles, column, timeout_s, lasts_s)
        hear(s, call, s.failed[column], s.failed[column], sent_s + after_s)


@outlined
def _sample_row(
    s: State,
    node: int,
    cohort: int,
    version: int,
    ok: int,
    unheard: int,
    failed: int,
    sent_s: float,
    moment: int,
    copy: int,
) -> None:
    """What a version answers, in the cells in which it does, and the calls that it makes in turn.

    Nobody waits any longer for the answers to `unheard` of the good ones: what they wrote is indeterminate.
    """
    record = s.nodes[node]
    station = s.stations[record["station"]]
    row = record["row"] + version * s.shares.shape[1] + cohort
    alike = s.alike[node, cohort]
    home = s.versions[s.versions[station["first_version"] + version]["home"]]
    held = s.held[node, alike, version]
    _count(
        s.draw, s.failed, s.middles, s.clock[0]["resolution"], s.service, row, -1,
        s.answers[node, alike, version], s.answers_order[node, alike, version], ok, failed,
        sent_s, record["timeout_s"], home["waits_s"] + held["mean_s"], nth(nth(s.keys[_LATENCY], row), moment),
        station["detailed"],
    )  # fmt: skip
    if station["quota_per_s"] > 0.0 and home["ready"] > 0:
        _take(s, node, cohort, version, ok + failed)
    if record["writes"] != 0 and copy == 0:
        if failed > 0:
            note_writes(s, node, cohort, s.failed[ERROR] + s.failed[REFUSED], FAILED)
            note_writes(s, node, cohort, s.failed[TIMEOUT], UNKNOWN)
        note_writes(s, node, cohort, unheard, UNKNOWN)
        note_writes(s, node, cohort, ok - unheard, STORED)
    if record["child"] >= 0:
        drive = home["drive"]
        if station["singly"] != 0 and drive > 1.0:
            # Of those counted now some get through later: they start no more than has come and is let in now.
            served = ok + s.failed[ERROR] + s.failed[TIMEOUT]
            drive = min(drive, (ok + failed) * (1.0 - home["refused"]) * drive / max(1, served))
        _call_on(s, node, cohort, version, ok, drive)


@outlined
def _take(s: State, node: int, cohort: int, version: int, calls: int) -> None:
    """Tokens of those that a quota has let through; `s.failed` has the failures by kind."""
    station = s.stations[s.nodes[node]["station"]]
    shares = s.answers[node, s.alike[node, cohort], version]
    refused, erred = s.versions[s.versions[station["first_version"] + version]["home"]]["refused"], 0.0
    if shares[ERROR] > _TINY:
        erred = s.failed[ERROR] * min(1.0, erring(s, node, version) / shares[ERROR])
    over = s.failed[REFUSED] * min(1.0, station["over"] / max(_TINY, refused))
    again = s.flows[node, cohort]["again"] / s.flows[node, cohort]["calls"]
    station["taken"] += (calls - erred - over) * (1.0 - again)
    station["taken_again"] += (calls - erred - over) * again


@inlined
def _call_on(s: State, node: int, cohort: int, version: int, ok: int, drive: float) -> None:
    """Hand what a version works on to the services that it calls, one after the other until one of them fails.

    `s.failed` has the failures by kind. With a backlog, as many are started as the workers take.
    """
    shares = s.answers[node, s.alike[node, cohort], version]
    erred = min(shares[ERROR], erring(s, node, version))  # without any work
    enters = max(0.0, 1.0 - shares[REFUSED] - erred)
    failed = s.failed[ERROR] + s.failed[TIMEOUT]
    if erred > 0.0:
        failed -= binomial(s.draw, s.failed[ERROR], erred / shares[ERROR])
    mass = shares[ERROR] - erred + shares[TIMEOUT]
    reach = enters * (1.0 - s.effects[s.stations[s.nodes[node]["station"]]["first_version"] + version, cohort]["error"])
    own = binomial(s.draw, failed, min(1.0, max(0.0, enters - reach) / max(mass, _TINY)))
    failed, mass = failed - own, mass - (enters - reach)
    rounding = draw_unit(s.draw) if drive != 1.0 else 0.0
    child = first_call(s, s.nodes[node]["child"], version)
    while child >= 0:
        reply = s.replies[child, s.alike[child, cohort]]
        fail, succeed, first = reply["fail"], reply["ok"], child
        child = next_call(s, child, version)
        while goes_on(s, child):
            succeed *= s.replies[child, s.alike[child, cohort]]["ok"]
            fail = 1.0 - succeed
            child = next_call(s, child, version)
        here = binomial(s.draw, failed, min(1.0, reach * fail / max(mass, _TINY)))
        begun = int((ok + failed) * drive + rounding)
        doomed = int(here * drive + rounding) if here > 0 else 0
        while first != child:  # those that start together fail by themselves
            own = s.replies[first, s.alike[first, cohort]]["fail"]
            s.begun[first] += begun
            s.doomed[first] += binomial(s.draw, doomed, min(1.0, own / max(fail, _TINY)))
            first = next_call(s, first, version)
        failed, mass, reach = failed - here, mass - reach * fail, reach * succeed
