"""Levels chosen by a pilot: each is reached by about one in five of the trajectories that reached the one before.

One in five is near the optimum of e^-2 for the conditional probability (Garvels 2000, 2.2). The pilot has roots of its
own, so that the estimate is not biased by levels that were fitted to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.rare.paths import Path
from simulator.rare.splitting import Play, branches

__all__ = ["pilot_levels"]

_ONE_IN = 5
_LEVELS_MAX = 30
_REACHED_MIN = 4


def pilot_levels(paths: Sequence[Path], play: Play) -> tuple[float, ...]:
    """The levels of one event, from these roots; none when it is not rare.

    There are none either when no trajectory of the pilot met the event, however many jobs it had: levels would cost
    without leading anywhere. Where some did, but not more and more of them, the levels up to there are kept.
    """
    levels: list[float] = []
    met = False
    while True:
        outcomes = play(paths)
        hits = sum(outcome.hit for outcome in outcomes)
        met = met or hits > 0
        if hits * _ONE_IN >= len(outcomes):
            return tuple(levels)
        importance = _next_level([outcome.peak for outcome in outcomes])
        if len(levels) == _LEVELS_MAX or (levels and importance <= levels[-1]):
            return tuple(levels) if met else ()
        paths, _ = branches(paths, outcomes, importance, len(levels))
        levels.append(importance)


def _next_level(peaks: Sequence[float]) -> float:
    """The peak that nearest to one in five trajectories reached: peaks are counts, with many ties."""
    values = np.array(peaks)
    candidates = np.unique(values)
    reached = (values >= candidates[:, None]).sum(axis=1)
    distance = np.abs(np.log(reached * _ONE_IN / len(values)))
    enough = reached >= min(_REACHED_MIN, len(values))
    return float(candidates[np.argmin(np.where(enough, distance, np.inf))])
