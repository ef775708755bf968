"""A bounded queue in its steady state, as an E_R/M/c/K queue: refusals, waits, and the bursts in which it refuses.

Round robin over R replicas hands each every R-th request of a Poisson stream, so that the time between two has R
exponential phases. The chain of how many are inside, and of the phase, is solved from its last level down: what goes up
from a level comes down to it, and each phase gets what the next one and the level above leave. The last place may be a
part of one: who finds it free gets it so often.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.walk import LEVELS
from simulator.kernel.inline import inlined, outlined

PHASES_MAX = 8
"""Arrivals of more replicas than these are about as regular; what is left of it shortens the queue."""
_SOON = 0.7
"""Variation that a queue feels of lognormal times before it feels how much they vary."""
_LOAD_MIN = 1e-9
_LARGE = 1e100


def levels() -> NDArray[np.float64]:
    """Room to work in: two numbers for each phase of a level, and two for each level of a walk."""
    return np.zeros((4, LEVELS))


@inlined
def felt(workers: int, queue: int, load: float, variation: float, arrivals: float, forgets: bool) -> float:
    """How much holding times vary (squared coefficient of variation) for a queue with so many places.

    What a long request does shows only while it is there. A queue that fills and empties in less time feels about the
    same variation whatever it is (and one without places none at all: Erlang B); it takes the longer to feel all of it
    the more there is. What is in the workers feels it sooner, the more regular arrivals (their variation) are. Above
    its capacity a queue moves over a part of its places only, and its workers have no rest. A
    holding time that `forgets` how long it has lasted is felt as it is at once. Measured for lognormal and constant
    times: 1 to 64 workers, 2 to 48 places, 1 to 8 replicas, coefficients of variation of 0 to 3, loads of 0.7 to 1.5.
    """
    if queue <= 0:
        return variation
    spread, soon, found = 1.0 + variation, 1.0 if forgets else _SOON, variation
    drifts = 4.0 * max(0.0, load - workers) / (load + workers)
    for _ in range(3 if drifts > 0.0 else 1):
        moves = 1.0 / (1.0 + queue * drifts / (arrivals + found))  # share of its places
        at_once = moves * (1.0 - arrivals * arrivals) / spread
        lasts = 1.7 * moves * queue / (workers**0.7 * spread**1.1)
        found = soon + (variation - soon) * (at_once + (1.0 - at_once) * lasts / (1.0 + lasts))
    return float(found)


@inlined
def _top(workers: int, places: float) -> tuple[int, float]:
    """The last level of a queue with so many places, and how often one that is on the level below gets there."""
    last = math.ceil(places - 1e-6)
    return workers + last, 1.0 if last == 0 else min(1.0, places - (last - 1))


@inlined
def _comes(more: NDArray[np.float64], free: float, phases: int) -> float:
    """How much comes, as a multiple of the load, to a level below which the last place is so many places away."""
    down = max(0.0, free) / (0.5 + 0.5 / phases)  # a walk's level is as long as one of arrivals without phases
    level = min(int(down), LEVELS - 2)
    part = min(1.0, down - level)
    return 1.0 + (1.0 - part) * more[level] + part * more[level + 1]


@inlined
def _fill_top(levels: NDArray[np.float64], phases: int, rate: float, leave: float, first: float) -> None:
    """The last level, by phase, from its first."""
    levels[0, 0] = first
    for phase in range(1, phases):
        levels[0, phase] = levels[0, phase - 1] * rate / (rate + leave)


@inlined
def _go_down(levels: NDArray[np.float64], phases: int, rate: float, up: float, above: float, leave: float) -> float:
    """From one level to the next below, which goes up by `up` and loses `leave`; returns all of the level above."""
    total = 0.0
    for phase in range(phases):
        total += levels[0, phase]
    share = above * total / up
    for phase in range(phases - 1, -1, -1):
        before = levels[0, phase]
        levels[0, phase] = share
        share = ((rate + leave) * share - above * before) / rate
    return total


@outlined
def bounded(
    levels: NDArray[np.float64],
    more: NDArray[np.float64],
    workers: int,
    places: float,
    load: float,
    hold_s: float,
    phases: int,
    slower: float,
) -> tuple[float, float, float, float, float]:
    """Share refused, share of the rest that waits, and their mean wait, with `load` in work on the mean.

    Then how likely the last level's first phase is, and that who comes next is refused. `more` of the load comes by
    itself to each level of a walk, from the last one down. `slower`: how much more all of it varies than the chain, by
    which `places` have been divided.
    """
    if load < _LOAD_MIN:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    top, part = _top(workers, places)
    first, total, waiting, waited = 1.0, 0.0, 0.0, 0.0
    _fill_top(levels, phases, load * phases * _comes(more, 0.0, phases), float(min(top, workers)), first)
    refused = seen = levels[0, phases - 1]
    for level in range(top - 1, -1, -1):
        takes = part if level == top - 1 else 1.0
        rate = load * phases * _comes(more, top - level - (1.0 - part), phases)
        total += _go_down(
            levels, phases, rate, rate * takes, float(min(level + 1, workers)), float(min(level, workers))
        )
        met = levels[0, phases - 1]
        seen += met
        refused += (1.0 - takes) * met
        if level >= workers:
            waiting += takes * met
            waited += takes * met * (level - workers + 1)
        if met > _LARGE:
            first, total, refused, seen = first / _LARGE, total / _LARGE, refused / _LARGE, seen / _LARGE
            waiting, waited = waiting / _LARGE, waited / _LARGE
            for phase in range(phases):
                levels[0, phase] /= _LARGE
    for phase in range(phases):
        total += levels[0, phase]
    full = min(1.0, refused / seen)
    if waiting <= 0.0 or full >= 1.0:
        return full, 0.0, 0.0, first / total, refused / total
    waits = min(1.0, waiting / seen / (1.0 - full))
    return full, waits, slower * hold_s / workers * waited / waiting, first / total, refused / total


@outlined
def burst_of(
    levels: NDArray[np.float64],
    more: NDArray[np.float64],
    workers: int,
    places: float,
    load: float,
    phases: int,
    first: float,
    full: float,
) -> float:
    """By how much more than a Poisson count's the refusals vary over a long time, as a share of their mean.

    A queue that is full refuses one after the other, so refusals come in bursts. Each leaves the chain in the first
    phase of its level. From there it is expected to refuse more than on the mean, by a row of the deviation matrix,
    times the rate; twice that is the burst. The row comes down the levels as the probabilities do, and sums to 0.
    `first` and `full` are the last two that `bounded` found, and not small.
    """
    top, part = _top(workers, places)
    leave, rate = float(min(top, workers)), load * phases * _comes(more, 0.0, phases)
    _fill_top(levels, phases, rate, leave, first)
    levels[1, 0] = 0.0
    for phase in range(1, phases):
        levels[1, phase] = (rate * levels[1, phase - 1] - levels[0, phase]) / (rate + leave)
    seen, begun = levels[1, phases - 1], levels[0, phases - 1] / full
    rows = upto = 0.0
    for level in range(top - 1, -1, -1):
        takes = part if level == top - 1 else 1.0
        above, leave = float(min(level + 1, workers)), float(min(level, workers))
        rate = load * phases * _comes(more, top - level - (1.0 - part), phases)
        row = 0.0
        for phase in range(phases):
            row += levels[1, phase]
        rows += row
        upto += _go_down(levels, phases, rate, rate * takes, above, leave)
        share = (above * row + upto - begun) / (rate * takes)
        for phase in range(phases - 1, -1, -1):
            before = levels[1, phase]
            levels[1, phase] = share
            share = ((rate + leave) * share - above * before + levels[0, phase]) / rate
        seen += (1.0 - takes) * levels[1, phases - 1]
        begun = 1.0
    for phase in range(phases):
        rows += levels[1, phase]
    return 2.0 * load * phases * (seen - rows * full)
