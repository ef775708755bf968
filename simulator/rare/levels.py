"""Levels chosen by a pilot: each is reached by about one in five of the trajectories that reached the one before.

One in five is near the optimum of e^-2 for the conditional probability (Garvels 2000, 2.2). The pilot has roots of its
own, so that the estimate is not biased by levels that were fitted to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.rare.paths import Path
from simulator.rare.splitting import Play, branches

__all__ = ["NOT_RARE", "Pilot", "pilot"]

NOT_RARE = 0.01
"""From this probability on plain replications cost no more than splitting, and there are no levels."""
_ONE_IN = 5
_LEVELS_MAX = 30
_REACHED_MIN = 4


@dataclass(frozen=True, slots=True)
class Pilot:
    """Its levels, a first idea of the probability, and what share of its roots came as far as its last trajectories."""

    levels: tuple[float, ...]
    probability: float
    reach: float
    trajectories: int


def pilot(paths: Sequence[Path], play: Play, floor: float = 0.0) -> Pilot:
    """From these roots; without levels where the event is not rare.

    There are none either when no trajectory met the event, however many jobs it had: levels would cost without leading
    anywhere. Where some did, but not more and more of them, the levels up to there are kept. It gives up where less
    than the share `floor` of the roots would come, if none of them has met the event by then.
    """
    levels: list[float] = []
    probability, reach, trajectories, seen = 0.0, 1.0, 0, False
    while True:
        outcomes = play(paths)
        trajectories += len(paths)
        importance = _next_level([outcome.peak for outcome in outcomes])
        met = sum(outcome.hit for outcome in outcomes)
        seen = seen or met > 0
        last = met * _ONE_IN >= len(outcomes) or len(levels) == _LEVELS_MAX or (levels and importance <= levels[-1])
        if last or (not seen and reach < floor):
            # One that was seen, and whose branches did not meet it again, is no nothing.
            probability += reach * max(met, int(seen and probability == 0.0)) / len(outcomes)
            rare = 0.0 < probability < NOT_RARE
            return Pilot(tuple(levels) if rare else (), probability, reach, trajectories)
        ended = sum(outcome.hit and outcome.peak < importance for outcome in outcomes)
        probability += reach * ended / len(outcomes)
        paths, reached = branches(paths, outcomes, importance, len(levels))
        reach *= reached / len(outcomes)
        levels.append(importance)


def _next_level(peaks: Sequence[float]) -> float:
    """The peak that nearest to one in five trajectories reached: peaks are counts, with many ties."""
    values = np.array(peaks)
    candidates = np.unique(values)
    reached = (values >= candidates[:, None]).sum(axis=1)
    distance = np.abs(np.log(reached * _ONE_IN / len(values)))
    enough = reached >= min(_REACHED_MIN, len(values))
    return float(candidates[np.argmin(np.where(enough, distance, np.inf))])
