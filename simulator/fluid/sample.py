"""From flows to counts: Poisson arrivals, and what becomes of them, drawn cell by cell.

Counts above `_EXACT_MAX` on the mean are drawn from the normal distribution with the Cornish-Fisher term for skewness;
smaller ones by inversion. Every row draws from a key of its own and of the cell, so that two strategies whose flows
agree in a cell draw the same counts there.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.draws import GOLDEN, Stream, mix, normal_quantile, nth, unit
from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED, TIMEOUT

_ARRIVAL, _SERVICE, _WRITE, _ROUTE = int(Stream.ARRIVAL), int(Stream.SERVICE), int(Stream.WRITE), int(Stream.ROUTE)
_COHORT, _REQUEST, _LATENCY = int(Stream.COHORT), int(Stream.REQUEST), int(Stream.LATENCY)
_EXACT_MAX = 12.0
STORED, LOST, FAILED, UNKNOWN = 0, 1, 2, 3


@outlined
def begin_draws(s: State, stream: int, row: int, cell: int) -> None:
    """Draw from the beginning of a row's sequence for a cell."""
    s.draw[0] = nth(nth(s.keys[stream], row), cell)


@inlined
def _unit(draw: NDArray[np.uint64]) -> float:
    draw[0] += GOLDEN
    return unit(mix(draw[0]))


@outlined
def poisson(draw: NDArray[np.uint64], mean: float) -> int:
    """A Poisson count."""
    if mean <= 0.0:
        return 0
    u = _unit(draw)
    if mean > _EXACT_MAX:
        return _near_normal(u, mean, math.sqrt(mean), 1.0 / math.sqrt(mean))
    term = math.exp(-mean)
    below, count = term, 0
    while u > below and count < 100:
        count += 1
        term *= mean / count
        below += term
    return count


@outlined
def _near_normal(u: float, mean: float, deviation: float, skewness: float) -> int:
    z = normal_quantile(u)
    return max(0, math.floor(mean + deviation * (z + (z * z - 1.0) * skewness / 6.0) + 0.5))


@outlined
def binomial(draw: NDArray[np.uint64], n: int, p: float) -> int:
    """Successes among n."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    return binomial_at(_unit(draw), n, p)


@outlined
def binomial_at(u: float, n: int, p: float) -> int:
    """The u-quantile of the successes among n, for p strictly inside (0, 1)."""
    if p > 0.5:
        return n - _binomial_low(1.0 - u, n, 1.0 - p)
    return _binomial_low(u, n, p)


@outlined
def _binomial_low(u: float, n: int, p: float) -> int:
    """For p up to one half."""
    mean = n * p
    if mean > _EXACT_MAX:
        deviation = math.sqrt(mean * (1.0 - p))
        return min(n, _near_normal(u, mean, deviation, (1.0 - 2.0 * p) / deviation))
    term = math.exp(n * math.log1p(-p))
    below, count, odds = term, 0, p / (1.0 - p)
    while u > below and count < n and count < 100:
        term *= odds * (n - count) / (count + 1)
        count += 1
        below += term
    return count


@outlined
def burst_at(u: float, n: int, p: float, burst: float, most: int) -> int:
    """As `binomial_at`, with the variance larger by `burst` times the mean: negative binomial, up to `most`."""
    mean = n * p
    index = 1.0 - p + burst
    if index <= 1.0:
        return binomial_at(u, n, p)
    if mean > _EXACT_MAX * index:
        deviation = math.sqrt(mean * index)
        return min(most, _near_normal(u, mean, deviation, (2.0 * index - 1.0) / deviation))
    size, q = mean / (index - 1.0), 1.0 - 1.0 / index
    term = math.exp(-size * math.log(index))
    below, count = term, 0
    while u > below and count < most and count < 1000:
        term *= q * (count + size) / (count + 1)
        count += 1
        below += term
    return count


@outlined
def draw_arrivals(s: State, cell: int, begins_s: float, ends_s: float) -> None:
    """How many requests of each function and cohort come in a cell; the steps within it share them out."""
    for index in range(len(s.functions)):
        due = due_between(s, index, begins_s, ends_s)
        s.functions[index]["mass_left"] = due
        for cohort in range(s.shares.shape[1]):
            begin_draws(s, _ARRIVAL, index * s.shares.shape[1] + cohort, cell)
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


@outlined
def sample(s: State, cell: int, begins_s: float, ends_s: float) -> None:
    """Count what the requests of a step lead to; it lies within one cell."""
    cohorts = s.shares.shape[1]
    for index in range(len(s.functions)):
        due = due_between(s, index, begins_s, ends_s)
        left = s.functions[index]["mass_left"]
        share = 1.0 if left <= due * (1.0 + 1e-9) else due / left
        s.functions[index]["mass_left"] = left - due
        for cohort in range(cohorts):
            begin_draws(s, _COHORT, index * cohorts + cohort, _moment(cell, begins_s))
            s.luck[0] = _unit(s.draw)
            came = binomial(s.draw, s.arrivals[index, cohort], share)
            s.arrivals[index, cohort] -= came
            expected = due * s.shares[index, cohort]
            if came > 0:
                _sample_request(s, index, cohort, came, cell, begins_s, ends_s)
            if expected > 0.0:
                _sample_calls(s, index, cohort, came / expected, cell, begins_s, ends_s)


@outlined
def _moment(cell: int, begins_s: float) -> int:
    """A number for a step: the same for all strategies that have a step there."""
    return cell * 1024 + int(begins_s * 1024) % 1024


@outlined
def _fail(s: State, shares: NDArray[np.float64], calls: int, burst: float, most: int) -> int:
    """Draw how many of the calls fail, at the most `most`, by kind into `s.failed`; returns how many do not.

    All rows of a step take the same quantile: it is mostly one cause that makes calls fail all the way up, so a burst
    of failures that clients see is the burst that a guardrail sees.
    """
    s.failed[:] = 0
    mass = shares[ERROR] + shares[TIMEOUT] + shares[REFUSED]
    if calls == 0 or mass <= 1e-12:
        return calls
    failed = calls if mass >= 1.0 - 1e-12 else burst_at(s.luck[0], calls, mass, burst, most)
    left = failed
    for column in range(ERROR, REFUSED + 1):
        if left == 0 or mass <= 1e-12:
            break
        found = binomial(s.draw, left, min(1.0, shares[column] / mass))
        s.failed[column] = found
        left -= found
        mass -= shares[column]
    return max(0, calls - failed)


@outlined
def _count(
    s: State,
    table: NDArray[np.int32],
    row: int,
    arrived_cell: int,
    shares: NDArray[np.float64],
    order: NDArray[np.int16],
    calls: int,
    sent_s: float,
    timeout_s: float,
    lasts_s: float,
    burst: float,
    bins_key: np.uint64,
    detailed: int,
) -> int:
    """Count what becomes of calls, in the cell of their arrival or (-1) in those of the answers; returns successes.

    Answers behind the last cell are not counted. `s.failed` has the failures by kind. Latency bins are drawn by a key
    of their own, so where a row that is not `detailed` has all successes of a cell in one bin, nothing else differs.
    """
    # With a burst come its retries, so more calls than on the mean; but no client has more answers than requests.
    ok = _fail(s, shares, calls, burst, calls if arrived_cell >= 0 else 2 * calls)
    for column in range(ERROR, REFUSED + 1):
        if s.failed[column] > 0:
            _put(s, table, row, arrived_cell, column, s.failed[column], sent_s, timeout_s, lasts_s)
    if ok == 0:
        return ok
    if detailed == 0 and _one_cell(s, order, sent_s, lasts_s):
        _put(s, table, row, arrived_cell, int(order[0]), ok, sent_s, timeout_s, lasts_s)
        return ok
    resume = s.draw[0]
    s.draw[0] = bins_key
    left, mass = ok, 1.0 - (shares[ERROR] + shares[TIMEOUT] + shares[REFUSED])
    for place in range(len(order)):
        column = int(order[place])
        if column < 0 or left == 0 or mass <= 1e-12:
            break
        found = binomial(s.draw, left, min(1.0, shares[column] / mass))
        left -= found
        mass -= shares[column]
        if found > 0:
            _put(s, table, row, arrived_cell, column, found, sent_s, timeout_s, lasts_s)
    s.draw[0] = resume
    return ok


@outlined
def _one_cell(s: State, order: NDArray[np.int16], sent_s: float, lasts_s: float) -> bool:
    """Whether all successes are answered in one cell. Without any bin there is nowhere to count them."""
    slowest = 0
    for place in range(len(order)):
        if order[place] < 0:
            break
        slowest = max(slowest, int(order[place]))
    if slowest == 0:
        return False
    resolution = s.clock[0]["resolution"]
    return int((sent_s + _answered_after(s, slowest, math.inf, lasts_s)) / resolution) == int(sent_s / resolution)


@outlined
def _put(
    s: State,
    table: NDArray[np.int32],
    row: int,
    arrived_cell: int,
    column: int,
    found: int,
    sent_s: float,
    timeout_s: float,
    lasts_s: float,
) -> None:
    cell = int((sent_s + _answered_after(s, column, timeout_s, lasts_s)) / s.clock[0]["resolution"])
    if cell < len(table):
        table[cell if arrived_cell < 0 else arrived_cell, row, column] += found


@outlined
def _answered_after(s: State, column: int, timeout_s: float, lasts_s: float) -> float:
    """When an answer of a column comes; `lasts_s` on the mean, which tells it where the column does not."""
    if column == REFUSED:
        return 0.0
    if column == TIMEOUT:
        return timeout_s
    if column == ERROR:
        return min(lasts_s, timeout_s)
    if column == len(s.middles) - 1 + FIRST_BIN:
        return max(lasts_s, s.middles[column - FIRST_BIN])
    return s.middles[column - FIRST_BIN]


@outlined
def _sample_request(s: State, index: int, cohort: int, came: int, cell: int, begins_s: float, ends_s: float) -> None:
    """The clients' row: what the function's first service answers, as the client sees it."""
    root, cohorts = s.functions[index]["root"], s.shares.shape[1]
    row = index * cohorts + cohort
    s.client[cell, row, ARRIVED] += came
    alike = s.alike[root, cohort]
    begin_draws(s, _SERVICE, root * cohorts + cohort, _moment(cell, begins_s))
    _count(
        s, s.client, row, cell, s.seen[index, alike], s.seen_order[index, alike], came, 0.5 * (begins_s + ends_s),
        s.nodes[root]["timeout_s"], s.replies[root, alike]["lasts_s"], s.replies[root, alike]["burst"],
        nth(nth(s.keys[_REQUEST], row), _moment(cell, begins_s)), 1,
    )  # fmt: skip


@outlined
def _sample_calls(s: State, index: int, cohort: int, luck: float, cell: int, begins_s: float, ends_s: float) -> None:
    """Service rows and writes of all the calls that a function's requests of one cohort lead to."""
    cohorts, moment = s.shares.shape[1], _moment(cell, begins_s)
    for node in range(s.functions[index]["root"], len(s.nodes)):
        record = s.nodes[node]
        if record["function"] != index:
            break
        flow = s.flows[node, cohort]
        if flow["calls"] <= 0.0 or s.calls[record["call"]]["cut"] != 0:
            continue
        station = s.stations[record["station"]]
        begin_draws(s, _ROUTE, node * cohorts + cohort, moment)
        expected = flow["calls"] * (ends_s - begins_s) * luck
        calls = poisson(s.draw, expected) if record["parent"] >= 0 else int(expected + 0.5)
        unrouted = 1.0
        for version in range(station["versions"]):
            weight = s.weights[station["first_version"] + version, cohort]
            if weight <= 0.0:
                continue
            taken = binomial(s.draw, calls, min(1.0, weight / unrouted))
            unrouted = max(1e-12, unrouted - weight)
            calls -= taken
            if taken > 0:
                _sample_row(s, node, cohort, version, taken, 0.5 * (begins_s + ends_s) + flow["begins_s"], moment)


@outlined
def _sample_row(s: State, node: int, cohort: int, version: int, calls: int, sent_s: float, moment: int) -> None:
    """What a version answers, in the cells in which it does."""
    record = s.nodes[node]
    station = s.stations[record["station"]]
    row = record["row"] + version * s.shares.shape[1] + cohort
    alike = s.alike[node, cohort]
    home = s.versions[s.versions[station["first_version"] + version]["home"]]
    held = s.held[node, alike, version]
    ok = _count(
        s, s.service, row, -1, s.answers[node, alike, version], s.answers_order[node, alike, version], calls, sent_s,
        record["timeout_s"], home["waits_s"] + held["mean_s"], held["burst"],
        nth(nth(s.keys[_LATENCY], row), moment), station["detailed"],
    )  # fmt: skip
    if record["writes"] != 0:
        _note_writes(s, node, cohort, s.failed[ERROR] + s.failed[REFUSED], FAILED)
        _note_writes(s, node, cohort, s.failed[TIMEOUT], UNKNOWN)
        _note_writes(s, node, cohort, ok, STORED)


@outlined
def _note_writes(s: State, node: int, cohort: int, writes: int, fate: int) -> None:
    """Share writes out to the versions that made them; some of what a defective one had stored is lost."""
    writers = s.writers[node, cohort]
    parent = s.nodes[node]["parent"]
    if parent < 0 or writes == 0:
        s.written[node, cohort, 0, fate] += writes
        return
    first = s.stations[s.nodes[parent]["station"]]["first_version"]
    total, left = 0.0, writes
    for version in range(len(writers)):
        total += writers[version]
    for version in range(len(writers)):
        if left == 0 or total <= 0.0 or writers[version] <= 0.0:
            continue
        made = binomial(s.draw, left, min(1.0, writers[version] / total))
        total -= writers[version]
        left -= made
        lost = 0
        if fate == STORED:
            lost = binomial(s.draw, made, s.effects[first + version, cohort]["lost"])
            s.written[node, cohort, version, LOST] += lost
        s.written[node, cohort, version, fate] += made - lost


@outlined
def log_writes(s: State, begins_s: float, ends_s: float) -> None:
    """Write down a cell's writes. Of those lost the first has a row of its own: the RPO counts from it."""
    for node in range(len(s.nodes)):
        if s.nodes[node]["writes"] == 0:
            continue
        for cohort in range(s.written.shape[1]):
            for version in range(s.written.shape[2]):
                counts = s.written[node, cohort, version]
                if counts[0] + counts[1] + counts[2] + counts[3] == 0:
                    continue
                begin_draws(s, _WRITE, node * s.written.shape[1] + cohort, int(begins_s / s.clock[0]["resolution"]))
                for fate in range(4):
                    _log(s, node, cohort, version, fate, counts[fate], begins_s, ends_s)
                    counts[fate] = 0


@outlined
def _log(s: State, node: int, cohort: int, version: int, fate: int, count: int, begins_s: float, ends_s: float) -> None:
    if count == 0:
        return
    if fate == LOST and count > 1:
        first = 1.0 - _unit(s.draw) ** (1.0 / count)
        _log_row(s, node, cohort, version, fate, 1, begins_s + first * (ends_s - begins_s))
        last = first + (1.0 - first) * _unit(s.draw) ** (1.0 / (count - 1))
        _log_row(s, node, cohort, version, fate, count - 1, begins_s + last * (ends_s - begins_s))
        return
    at = _unit(s.draw) if fate == LOST else 0.5
    _log_row(s, node, cohort, version, fate, count, begins_s + at * (ends_s - begins_s))


@outlined
def _log_row(s: State, node: int, cohort: int, version: int, fate: int, count: int, at_s: float) -> None:
    place = s.clock[0]["log_n"]
    row = s.log[place]
    row["key"] = place
    row["request"] = 0
    row["attempt"] = 0
    row["invoked_s"] = at_s + s.flows[node, cohort]["begins_s"]
    row["acknowledged_s"] = math.nan
    row["node"], row["cohort"] = node, cohort
    row["caller_version"] = version if s.nodes[node]["parent"] >= 0 else -1
    row["stored"] = 1 if fate in (STORED, UNKNOWN) else 0
    row["outcome"] = 0
    if fate == FAILED:
        row["outcome"] = 1
    elif fate == UNKNOWN:
        row["outcome"] = 2
    else:
        row["acknowledged_s"] = row["invoked_s"] + s.replies[node, s.alike[node, cohort]]["lasts_s"]
    s.log_count[place] = count
    s.clock[0]["log_n"] = place + 1
