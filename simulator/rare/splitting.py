"""Multilevel splitting with fixed effort: an unbiased estimate of a rare event's probability.

Levels of an importance stand between the usual and the event. A run plays a number of trajectories from the start; from
where they cross the first level, as many go on with draws of their own; from where those cross the second, again; and
so on. The share that crosses a level estimates a conditional probability, and their product that of coming so far
(Garvels, The splitting method in rare event simulation, thesis, Twente 2000, chapter 2; L'Ecuyer, Demers, Tuffin:
Splitting for rare-event simulation, WSC 2006, section 3). The estimate is unbiased for any importance and any fixed
levels; they decide only how much is gained. Effort is fixed for each level, and not a factor, so that levels too close
together cost a little more instead of a number of trajectories that explodes.

An event may come before the last level is reached: it then counts by the product of the shares up to its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from evidence.statistics import CONFIDENCE, Estimate, mean_with_interval, share_with_interval
from simulator.rare.paths import Outcome, Path, Split

__all__ = ["Play", "PlayTo", "Run", "branches", "estimate", "split_run", "weighed"]

Play = Callable[[Sequence[Path]], list[Outcome]]
"""Plays paths, in order."""
PlayTo = Callable[[Sequence[Path], float], list[Outcome]]
"""Plays paths, in order, each as far as it must be played: once it has that importance, the rest tells nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run's estimate of the probability, the trajectories that it played, and those that hit the event."""

    probability: float
    trajectories: int
    hits: int


def branches(
    paths: Sequence[Path], outcomes: Sequence[Outcome], importance: float, level: int
) -> tuple[list[Path], int]:
    """As many branches as there are paths, from those that reached the importance, in turn; and how many those are."""
    ends = [(path, outcome.crossing(importance)) for path, outcome in zip(paths, outcomes, strict=True)]
    reached = [(path, tick) for path, tick in ends if tick is not None]
    split = []
    for number in range(len(paths) if reached else 0):
        path, tick = reached[number % len(reached)]
        split.append(Path(path.root, (*path.splits, Split(tick, level, number // len(reached)))))
    return split, len(reached)


def split_run(levels: Sequence[float], paths: Sequence[Path], play: PlayTo) -> Run:
    """One run from these roots; runs with roots of their own are independent of each other."""
    effort = len(paths)
    probability, reach, trajectories, hits = 0.0, 1.0, 0, 0
    for place in range(len(levels) + 1):
        following = levels[place] if place < len(levels) else math.inf
        outcomes = play(paths, following)
        trajectories += effort
        # One that goes on to the next level is counted there, by its branches.
        ended = sum(outcome.hit and outcome.peak < following for outcome in outcomes)
        hits += ended
        probability += reach * ended / effort
        paths, reached = branches(paths, outcomes, following, place)
        reach *= reached / effort
        if not paths:
            break
    return Run(probability, trajectories, hits)


def estimate(runs: Sequence[Run], roots: int, confidence: float = CONFIDENCE) -> Estimate:
    """The probability with its interval, from independent runs (at least 2) that had `roots` roots in all.

    Estimates of runs are skewed to the right; so the interval is the t interval on the scale of the logarithm (delta
    method), which stays above 0 and reaches further up than down. Where runs are so skewed that a mean's interval
    reaches up further still, it does too. Without any hit it goes from 0 to what that many plain replications would
    have missed by chance. docs/verification.md says how often it covers.
    """
    values = np.array([run.probability for run in runs])
    n, mean = len(values), float(values.mean())
    if mean == 0.0:
        return share_with_interval(0, roots, confidence)
    relative = float(values.std(ddof=1)) / math.sqrt(n) / mean
    spread = math.exp(float(special.stdtrit(n - 1, 0.5 + confidence / 2.0)) * relative)
    high = max(mean * spread, mean_with_interval(values, confidence).high)
    return Estimate(mean, mean / spread, min(1.0, high), roots)


def weighed(parts: Sequence[tuple[float, Estimate]]) -> Estimate:
    """The sum of independent estimates, each times its share.

    Its interval recovers the variance of each part from the part's own interval, towards either side (MOVER: Zou,
    Donner, Statistics in Medicine 27, 2008): parts that are bounded only, from 0 up, reach up and not down.
    """
    value = sum(share * each.value for share, each in parts)
    if len(parts) == 1:
        ((share, alone),) = parts
        return Estimate(value, share * alone.low, share * alone.high, alone.n)
    down = math.hypot(*(share * (each.value - each.low) for share, each in parts))
    up = math.hypot(*(share * (each.high - each.value) for share, each in parts))
    return Estimate(value, max(0.0, value - down), min(1.0, value + up), sum(each.n for _, each in parts))
