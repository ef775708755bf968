"""What callers do for a call beyond making it: circuit breaker and retry budget."""

import math
from typing import Any

import numpy as np

from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.jobs import answer_at, answer_later
from simulator.kernel.mechanics import BUDGET_MEMORY_S
from simulator.kernel.variant import MECHANICS
from simulator.layout import BREAKER, BUCKETS, BUDGET, CLOSED, CUT, HALF_OPEN, OK, OPEN, REFUSED, UNSENT, State


@inlined
def refill(link: Any, now: float) -> float:
    """The retry budget's balance now."""
    level = link["budget_per_s"] * BUDGET_MEMORY_S
    kept = (link["tokens"] - level) * math.exp(-(now - link["tokens_s"]) / BUDGET_MEMORY_S)
    link["tokens_s"] = now
    link["tokens"] = level + kept
    return link["tokens"]


@inlined
def lets_through(link: Any, now: float) -> bool:
    """Whether the breaker lets a call through, which in half-open mode makes it a probe."""
    if link["mode"] == CLOSED:
        return True
    # Probes whose callers were killed are never heard of: after as long as it was open, it probes anew.
    if (link["mode"] == OPEN or link["probed"] >= link["probes"]) and now >= link["since_s"] + link["open_s"]:
        link["mode"] = HALF_OPEN
        link["since_s"] = now
        link["probed"] = 0
        link["passed"] = 0
    if link["mode"] == OPEN or link["probed"] >= link["probes"]:
        return False
    link["probed"] += 1
    return True


@outlined
def held_back(s: State, slot: int, now: float) -> bool:
    """A call with features is about to be made. Whether it does not get as far as the service; then it is answered."""
    job = s.jobs[u(slot)]
    node = s.nodes[u(job["node"])]
    features = s.calls[u(node["call"])]["features"]
    link = s.links[u(node["call"])]
    if MECHANICS and features & BUDGET and job["attempt"] == 0:
        link["tokens"] = refill(link, now) + link["budget_share"]
    outcome = OK
    if MECHANICS and features & BREAKER and not lets_through(link, now):
        outcome = UNSENT
    elif features & CUT:
        outcome = REFUSED
    if outcome == OK:
        return False
    job["version_row"] = s.stations[u(node["station"])]["first_version"]
    job["counted"] = 1  # it never reaches the service
    if MECHANICS and outcome == UNSENT:
        answer_at(s, slot, outcome, now)
    else:
        answer_later(s, slot, outcome, now)
    return True


@inlined
def forget(s: State, call_index: int, upto: int) -> None:
    """Clear the buckets that have left the window when number `upto` is the newest."""
    link = s.links[u(call_index)]
    for number in range(max(link["bucket"] + 1, upto - BUCKETS + 1), upto + 1):
        s.outcomes[u(call_index), u(number % BUCKETS), 0] = 0
        s.outcomes[u(call_index), u(number % BUCKETS), 1] = 0
    link["bucket"] = upto


@inlined
def trips(s: State, call_index: int, failed: bool, now: float) -> bool:
    """Write an outcome into the window; whether the breaker opens."""
    link = s.links[u(call_index)]
    number = np.int64(now / link["bucket_s"])
    forget(s, call_index, number)
    s.outcomes[u(call_index), u(number % BUCKETS), 0] += 1
    s.outcomes[u(call_index), u(number % BUCKETS), 1] += np.int64(failed)
    answers = 0
    failures = 0
    for bucket in range(BUCKETS):
        answers += s.outcomes[u(call_index), u(bucket), 0]
        failures += s.outcomes[u(call_index), u(bucket), 1]
    return answers >= link["trip_minimum"] and failures >= link["trip_share"] * answers


@inlined
def turn_to(s: State, call_index: int, mode: int, now: float) -> None:
    """Open or close the breaker, with an empty window."""
    link = s.links[u(call_index)]
    link["mode"] = mode
    link["since_s"] = now
    for bucket in range(BUCKETS):
        s.outcomes[u(call_index), u(bucket), 0] = 0
        s.outcomes[u(call_index), u(bucket), 1] = 0


@outlined
def hear(s: State, call_index: int, sent_s: float, outcome: int, now: float) -> None:
    """The breaker learns how a call ended. Those made before the present mode began say nothing about it."""
    link = s.links[u(call_index)]
    if outcome == UNSENT or sent_s < link["since_s"] or link["mode"] == OPEN:
        return
    if link["mode"] == CLOSED:
        if trips(s, call_index, outcome != OK, now):
            turn_to(s, call_index, OPEN, now)
    elif outcome != OK:
        turn_to(s, call_index, OPEN, now)
    else:
        link["passed"] += 1
        if link["passed"] >= link["probes"]:
            turn_to(s, call_index, CLOSED, now)


@outlined
def may_retry(s: State, call_index: int, outcome: int, now: float) -> bool:
    """Whether a failed attempt may be followed by another: not when the breaker is open or the budget is spent."""
    if outcome == UNSENT:
        return False
    if s.calls[u(call_index)]["features"] & BUDGET == 0:
        return True
    link = s.links[u(call_index)]
    if refill(link, now) < 1.0:
        return False
    link["tokens"] -= 1.0
    return True
