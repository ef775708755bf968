"""Guardrails: watch one metric of one version, and trip when there is enough evidence that it is bad."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from evidence.histogram import quantile_at_most, quantile_upper_s
from rollout.world import Observation, World
from scenarios.models import Change, Guardrail

__all__ = ["exceeded", "watch"]


def exceeded(guardrail: Guardrail, observation: Observation, edges_s: NDArray[np.float64]) -> tuple[bool, float | None]:
    """Whether the metric is above its limit, and its value (a ratio, or the quantile's upper edge in seconds).

    The limit is an edge of the histogram, so the comparison is exact. Fewer than `minimum` requests, or for a latency no
    successful answer at all, never trip: value None.
    """
    if observation.requests < guardrail.minimum:
        return False, None
    if guardrail.quantile is None:
        ratio = observation.errors / observation.requests
        return ratio > guardrail.above, ratio
    within = quantile_at_most(observation.histogram, edges_s, guardrail.quantile, guardrail.above)
    return within is False, quantile_upper_s(observation.histogram, edges_s, guardrail.quantile)


def watch(
    world: World,
    guardrail: Guardrail,
    change: Change,
    interval_s: float,
    on_trip: Callable[[Guardrail], None],
) -> Generator[simpy.Event, Any, None]:
    """Observe every `interval_s` seconds; call `on_trip` once, when the guardrail trips, and end."""
    version = {"new": change.new, "old": change.old}.get(guardrail.version)
    while True:
        observation = yield world.observe(guardrail.of, version, guardrail.window_s)
        trips, value = exceeded(guardrail, observation, world.edges_s)
        if trips:
            # An infinite quantile (slower than the histogram reaches) is no JSON number.
            shown = value if value is not None and math.isfinite(value) else None
            world.record(
                "guardrail-trip",
                guardrail.name,
                value=shown,
                above=guardrail.above,
                requests=observation.requests,
                action=guardrail.action,
            )
            on_trip(guardrail)
            return
        yield world.env.timeout(interval_s)
