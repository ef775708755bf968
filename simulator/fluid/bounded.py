"""A bounded queue in its steady state, as an E_R/M/c/K queue: refusals, waits, and the bursts in which it refuses.

Round robin over R replicas hands each every R-th request of a Poisson stream, so that the time between two has R
exponential phases. The chain of how many are inside, and of the phase, is solved from its last level down: what goes up
from a level comes down to it, and each phase gets what the next one and the level above leave. The last place may be a
part of one: who finds it free gets it so often.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.inline import inlined, outlined

PHASES_MAX = 8
"""Arrivals of more replicas than these are about as regular; what is left of it shortens the queue."""
_SOON = 0.7
"""Variation that a queue feels of lognormal times before it feels how much they vary."""
_LOAD_MIN = 1e-9
_LARGE = 1e100


def levels() -> NDArray[np.float64]:
    """Room to work in: two numbers for each phase of a level."""
    return np.zeros((2, PHASES_MAX))


@inlined
def felt(workers: int, queue: int, variation: float, arrivals: float, forgets: bool) -> float:
    """How much holding times vary (squared coefficient of variation) for a queue with so many places.

    What a long request does shows only while it is there. A queue that fills and empties in less time feels about the
    same variation whatever it is (and one without places none at all: Erlang B); it takes the longer to feel all of it
    the more there is. What is in the workers feels it sooner, the more regular arrivals (their variation) are. A
    holding time that `forgets` how long it has lasted is felt as it is at once. Measured for lognormal and constant
    times: 1 to 64 workers, 2 to 32 places, 1 to 8 replicas, coefficients of variation of 0 to 3, loads of 0.7 to 1.05.
    """
    if queue <= 0:
        return variation
    spread, soon = 1.0 + variation, 1.0 if forgets else _SOON
    at_once = (1.0 - arrivals * arrivals) / spread
    lasts = 1.7 * queue / (workers**0.7 * spread**1.1)
    return soon + (variation - soon) * (at_once + (1.0 - at_once) * lasts / (1.0 + lasts))


@inlined
def _top(workers: int, places: float) -> tuple[int, float]:
    """The last level of a queue with so many places, and how often one that is on the level below gets there."""
    last = math.ceil(places - 1e-6)
    return workers + last, 1.0 if last == 0 else min(1.0, places - (last - 1))


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
    levels: NDArray[np.float64], workers: int, places: float, load: float, hold_s: float, phases: int, slower: float
) -> tuple[float, float, float, float]:
    """Share refused, share of the rest that waits, their mean wait, and how likely the last level's first phase is.

    `load` is in work on the mean. `slower`: how much more all of it varies than the chain, by which `places` have been
    divided.
    """
    if load < _LOAD_MIN:
        return 0.0, 0.0, 0.0, 0.0
    rate = load * phases
    top, part = _top(workers, places)
    first, total, waiting, waited = 1.0, 0.0, 0.0, 0.0
    _fill_top(levels, phases, rate, float(min(top, workers)), first)
    refused = levels[0, phases - 1]
    for level in range(top - 1, -1, -1):
        takes = part if level == top - 1 else 1.0
        total += _go_down(
            levels, phases, rate, rate * takes, float(min(level + 1, workers)), float(min(level, workers))
        )
        met = levels[0, phases - 1]
        refused += (1.0 - takes) * met
        if level >= workers:
            waiting += takes * met
            waited += takes * met * (level - workers + 1)
        if met > _LARGE:
            first, total, refused = first / _LARGE, total / _LARGE, refused / _LARGE
            waiting, waited = waiting / _LARGE, waited / _LARGE
            for phase in range(phases):
                levels[0, phase] /= _LARGE
    for phase in range(phases):
        total += levels[0, phase]
    refused = min(1.0, refused * phases / total)
    if waiting <= 0.0 or refused >= 1.0:
        return refused, 0.0, 0.0, first / total
    waits = min(1.0, waiting * phases / total / (1.0 - refused))
    return refused, waits, slower * hold_s / workers * waited / waiting, first / total


@outlined
def burst_of(
    levels: NDArray[np.float64], workers: int, places: float, load: float, phases: int, refused: float, first: float
) -> float:
    """By how much more than a Poisson count's the refusals vary over a long time, as a share of their mean.

    A queue that is full refuses one after the other, so refusals come in bursts. Each leaves the chain in the first
    phase of its level. From there it is expected to refuse more than on the mean, by a row of the deviation matrix,
    times the rate; twice that is the burst. The row comes down the levels as the probabilities do, and sums to 0.
    `refused` and `first` are what `bounded` found, and not small.
    """
    rate = load * phases
    top, part = _top(workers, places)
    leave = float(min(top, workers))
    _fill_top(levels, phases, rate, leave, first)
    levels[1, 0] = 0.0
    for phase in range(1, phases):
        levels[1, phase] = (rate * levels[1, phase - 1] - levels[0, phase]) / (rate + leave)
    seen, begun = levels[1, phases - 1], phases * levels[0, phases - 1] / refused
    rows = upto = 0.0
    for level in range(top - 1, -1, -1):
        takes = part if level == top - 1 else 1.0
        above, leave = float(min(level + 1, workers)), float(min(level, workers))
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
    return 2.0 * rate * (seen - rows * refused / phases)
