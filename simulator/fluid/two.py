"""Waits where the better of two replicas drawn at random takes a request.

With many replicas the share of them that has k requests or more is a fixed point (Vvedenskaya, Dobrushin, Karpelevich
1996; Mitzenmacher 2001): what comes to those with k - 1, and so finds both drawn with no fewer, balances what leaves
those with k. Of two replicas both are always drawn, which is one queue for both.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.bounded import bounded
from simulator.fluid.steady import BUSY_MAX, steady
from simulator.kernel.inline import inlined, outlined

_BISECTIONS = 50
_LEAST = 1e-150
"""A share of full replicas that is smaller refuses nobody."""
_TAIL = 1e-12


@inlined
def _share_with_any(workers: int, last: int, load: float, top: float, above: float) -> float:
    """The share of replicas that has 0 or more, to be 1, when so many have `last` or more and `above` one more."""
    share, more = top, above
    for k in range(last, 0, -1):
        leaving = min(k, workers) * max(0.0, share - more)
        share, more = math.sqrt(share * share + leaving / load), share
        if share > 2.0:
            break
    return share


@inlined
def _find_top(workers: int, last: int, load: float, bounded: bool) -> float:
    """The share of replicas that has `last` or more, by bisection of its logarithm."""
    low, high = math.log(_LEAST), 0.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        top = math.exp(middle)
        above = 0.0 if bounded else load / workers * top * top
        if _share_with_any(workers, last, load, top, above) > 1.0:
            high = middle
        else:
            low = middle
    return math.exp(low)


@outlined
def _of_many(workers: int, queue: int, load: float, variability: float) -> tuple[float, float, float]:
    """Of one of endlessly many replicas: share refused, share of the rest that waits, mean number that waits."""
    if queue >= 0:
        places = workers + (max(1, round(queue / variability)) if queue > 0 else 0)
        share, more, waiting = _find_top(workers, places, load, True), 0.0, 0.0
        refused = share * share
        if share > 1e3 * _LEAST:
            for _ in range(places - workers):
                waiting += share
                leaving = workers * max(0.0, share - more)
                share, more = math.sqrt(share * share + leaving / load), share
            return refused, (share * share - refused) / (1.0 - refused), waiting
    share = _find_top(workers, workers, min(load, BUSY_MAX * workers), False)
    waits, waiting = share * share, 0.0
    while share > _TAIL:
        share = min(load / workers, BUSY_MAX) * share * share
        waiting += share
    return 0.0, waits, waiting


@inlined
def _free_elsewhere(workers: int, ready: int) -> float:
    """Places of each replica that are free when two drawn at random are full.

    Measured for 2 to 16 replicas of 1 to 8 workers and 4 to 12 places, from 85 % of the capacity to it: one more each
    time that they are twice as many, and somewhat more where there are few workers to even it out.
    """
    return (0.2 + math.log2(0.5 * ready)) * (0.95 + 0.4 / workers)


@outlined
def of_two(
    levels: NDArray[np.float64],
    more: NDArray[np.float64],
    workers: int,
    queue: int,
    load: float,
    hold_s: float,
    variability: float,
    ready: int,
) -> tuple[float, float, float]:
    """Share refused, share of the rest that waits, and their mean wait, of at least two replicas with `load` each.

    What a few differ from endlessly many falls as 1 / R (Gast, Van Houdt 2017), and is known for two; from there to
    ten the share that waits was measured to fall as 2 / R, and waits as 1.5 / (R - 0.5), for 1 to 16 workers. Refusals
    fall much faster: all have one queue, but for the places that are free at others when both drawn are full. Waits
    grow with the root of `variability` only, for who would wait long behind a long request goes elsewhere: measured,
    for four workers and coefficients of variation of 0 to 3, as 0.64 to 2.3 times those of exponential times.
    """
    if load <= 1e-9:
        return 0.0, 0.0, 0.0
    root = math.sqrt(variability)
    refused, waits, waiting = _of_many(workers, queue, load, root)
    wait_s = hold_s * waiting / load / (1.0 - refused)
    if queue >= 0:
        _, both_wait, both_wait_s, _, _ = bounded(
            levels, more, 2 * workers, 2.0 * queue / root, 2.0 * load, hold_s, 1, root
        )
        places = max(0.0, queue - _free_elsewhere(workers, ready)) * ready / variability
        refused = max(refused, bounded(levels, more, ready * workers, places, ready * load, hold_s, 1, variability)[0])
    else:
        both_wait, both_wait_s = steady(2 * workers, 2.0 * load, hold_s, root)
    few, few_waits = 2.0 / ready, 1.5 / (ready - 0.5)
    waits += few * (both_wait - waits)
    wait_s = root * wait_s * (1.0 - few_waits) + few_waits * both_wait * both_wait_s
    return refused, waits, wait_s / max(waits, 1e-12)
