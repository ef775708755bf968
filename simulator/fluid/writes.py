"""Writes of the running cell by fate, and their rows in the write log: each stands for all that share a fate."""

import math

from simulator.draws import Stream, nth
from simulator.fluid.counts import begin_draws, binomial, draw_unit
from simulator.fluid.layout import State
from simulator.kernel.inline import outlined

_WRITE = int(Stream.WRITE)
STORED, LOST, FAILED, UNKNOWN = 0, 1, 2, 3


@outlined
def note_writes(s: State, node: int, cohort: int, writes: int, fate: int) -> None:
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
    """Write down the running cell's writes since `begins_s`, or since the last time in parts.

    Of those lost the first has a row of its own: the RPO counts from it.
    """
    clock = s.clock[0]
    moment = int(begins_s / clock["resolution"])
    if clock["parts"] > 1:
        begins_s = max(begins_s, clock["logged"])
        moment = int(begins_s * 1e6)
        clock["logged"] = ends_s
    for node in range(len(s.nodes)):
        if s.nodes[node]["writes"] == 0:
            continue
        for cohort in range(s.written.shape[1]):
            for version in range(s.written.shape[2]):
                counts = s.written[node, cohort, version]
                if counts[0] + counts[1] + counts[2] + counts[3] == 0:
                    continue
                begin_draws(s.draw, s.keys, _WRITE, node * s.written.shape[1] + cohort, moment)
                for fate in range(4):
                    _log(s, node, cohort, version, fate, counts[fate], begins_s, ends_s)
                    counts[fate] = 0


@outlined
def _log(s: State, node: int, cohort: int, version: int, fate: int, count: int, begins_s: float, ends_s: float) -> None:
    if count == 0:
        return
    if fate == LOST and count > 1:
        first = 1.0 - draw_unit(s.draw) ** (1.0 / count)
        _log_row(s, node, cohort, version, fate, 1, begins_s + first * (ends_s - begins_s))
        last = first + (1.0 - first) * draw_unit(s.draw) ** (1.0 / (count - 1))
        _log_row(s, node, cohort, version, fate, count - 1, begins_s + last * (ends_s - begins_s))
        return
    if s.clock[0]["parts"] > 1 and fate != LOST:
        parts = min(count, s.clock[0]["parts"])
        ahead = draw_unit(s.draw) if count > parts else 0.0  # rounded down, all would be late by half a write
        told = 0
        for part in range(parts):
            at_s = begins_s + (part + draw_unit(s.draw)) / parts * (ends_s - begins_s)
            upto = int((part + 1) * count / parts + ahead)
            _log_row(s, node, cohort, version, fate, upto - told, at_s)
            told = upto
        return
    at = draw_unit(s.draw) if fate == LOST else 0.5
    _log_row(s, node, cohort, version, fate, count, begins_s + at * (ends_s - begins_s))


@outlined
def _log_row(s: State, node: int, cohort: int, version: int, fate: int, count: int, at_s: float) -> None:
    place = s.clock[0]["log_n"]
    row = s.log[place]
    row["key"] = place if s.clock[0]["parts"] == 1 else nth(s.draw[0], 4 * version + fate)
    row["request"] = 0
    row["attempt"] = 0
    row["invoked_s"] = at_s + s.flows[node, cohort]["begins_s"]
    row["acknowledged_s"] = math.nan
    row["node"], row["cohort"] = s.nodes[node]["number"], cohort
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
