"""Quotas: the tokens of each bucket, and which share of what comes finds none.

Tokens are taken by the requests that were drawn, not by their mean: whether a burst is enough for a peak is chance.
What becomes of a request is told at once, but its retries come to the bucket, and take their tokens, when they do: a
bucket that runs empty first fills the callers' backoffs, and only then do requests fail that have no attempt left.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.fluid.layout import State
from simulator.kernel.inline import inlined, outlined

_SURE = 5.0
"""Standard deviations of what comes, by which there must be more tokens for none to be refused."""


@inlined
def _spare(s: State, station: int, spell_s: float) -> float:
    """How many more tokens than requests there are on the mean in what is to come, in deviations of a Poisson count."""
    record = s.stations[station]
    mean = record["asked"] * spell_s
    return (record["tokens"] + record["quota_per_s"] * spell_s - mean) / math.sqrt(max(mean, 1e-9))


@outlined
def find_over(s: State, spell_s: float) -> None:
    """What quotas refuse of what comes within a spell: the mean of a normal count beyond the tokens."""
    for index in range(len(s.stations)):
        station = s.stations[index]
        if station["quota_per_s"] <= 0.0:
            continue
        station["over"] = 0.0
        mean, z = station["asked"] * spell_s, _spare(s, index, spell_s)
        if mean > 0.0 and z < _SURE:
            beyond = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) - z * 0.5 * math.erfc(z / math.sqrt(2.0))
            station["over"] = min(1.0, max(0.0, beyond) / math.sqrt(mean))


@outlined
def runs_out(s: State, spell_s: float) -> bool:
    """Whether a quota may refuse anything within a spell."""
    for index in range(len(s.stations)):
        if s.stations[index]["quota_per_s"] > 0.0 and _spare(s, index, spell_s) < _SURE:
            return True
    return False


@inlined
def _come(line: NDArray[np.float64], more: float, after_s: float, step_s: float) -> float:
    """How many come in a step of those that are under way for so long on the mean, and of `more` that set out."""
    share = step_s / (step_s + after_s / len(line))
    for stage in range(len(line)):
        line[stage] += more
        more = line[stage] * share
        line[stage] -= more
    return more


@outlined
def take_tokens(s: State, step_s: float, next_s: float) -> bool:
    """Take the tokens of a step that was drawn; whether flows must be found anew for a next one of `next_s`.

    Tokens may become fewer than none, since how many are refused is drawn beforehand: then more will be.
    """
    changed = False
    for index in range(len(s.stations)):
        station = s.stations[index]
        if station["quota_per_s"] <= 0.0:
            continue
        again_s = station["again_s"]
        came = _come(station["late"], station["again"] * step_s, again_s, step_s)
        station["asked"] += came / step_s - station["later"]
        station["later"] = came / step_s
        taken = station["taken"] + _come(station["owed"], station["taken_again"], again_s, step_s)
        station["tokens"] = min(station["quota_burst"], station["tokens"] + station["quota_per_s"] * step_s - taken)
        station["taken"] = station["taken_again"] = 0.0
        changed |= station["over"] > 0.0 or _spare(s, index, next_s) < _SURE
    return changed
