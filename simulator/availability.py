"""Third parties that are up and down in turn: an alternating renewal process, in its equilibrium from the start.

Times between outages are exponential, outages as the scenario draws them. The process does not begin with an outage
or without one, but as it is found at a moment that nobody chose, so that at any time the chance to be up is the uptime
(D. R. Cox, Renewal Theory, 1962, chapter 7). An outage found under way is length-biased, a uniform share is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from rollout.people import draw_s
from scenarios.models import Availability, Distribution

__all__ = ["outages"]


def outages(availability: Availability, until_s: float, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """(start, end) in seconds of each outage that begins before `until_s`, in order; the first may start at 0."""
    time_s = 0.0
    if rng.random() >= availability.uptime:
        time_s = rng.random() * _length_biased_s(availability.outage, rng)
        yield 0.0, time_s
    while True:
        time_s += rng.exponential(availability.up_mean_s)
        if time_s >= until_s:
            return
        ends_s = time_s + draw_s(availability.outage, rng)
        yield time_s, ends_s
        time_s = ends_s


def _length_biased_s(distribution: Distribution, rng: np.random.Generator) -> float:
    """A draw of density proportional to x f(x): a long outage is the likelier one to be met."""
    first, second = distribution.params
    if distribution.kind == "constant":
        return first
    if distribution.kind == "exponential":
        return float(rng.gamma(2.0, first))
    if distribution.kind == "lognormal":
        return float(rng.lognormal(first + second * second, second))
    return math.sqrt(first * first + rng.random() * (second * second - first * first))
