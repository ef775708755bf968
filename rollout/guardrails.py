"""Guardrails: watch one metric of one version, and trip when there is enough evidence that it is bad."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from evidence.histogram import quantile_at_most, quantile_upper_s
from rollout.errors import WorldError
from rollout.world import Observation, World
from scenarios.models import Change, Guardrail

__all__ = ["exceeded", "watch"]


def exceeded(guardrail: Guardrail, observation: Observation, edges_s: NDArray[np.float64]) -> bool:
    """Whether the metric is above its limit.

    The limit is an edge of the histogram, so the comparison is exact. Fewer than `minimum` requests, or for a latency
    no successful answer at all, never trip.
    """
    if observation.requests < guardrail.minimum:
        return False
    if guardrail.quantile is None:
        return observation.errors / observation.requests > guardrail.above
    return quantile_at_most(observation.histogram, edges_s, guardrail.quantile, guardrail.above) is False


def _value(guardrail: Guardrail, observation: Observation, edges_s: NDArray[np.float64]) -> float | None:
    """The metric: a ratio, or in seconds the upper edge of the quantile's bin; None beyond the last edge."""
    if guardrail.quantile is None:
        return observation.errors / observation.requests
    value = quantile_upper_s(observation.histogram, edges_s, guardrail.quantile)
    return value if value is not None and math.isfinite(value) else None


def watch(
    world: World,
    guardrail: Guardrail,
    change: Change,
    interval_s: float,
    on_trip: Callable[[Guardrail], None],
    until: simpy.Event,
) -> Generator[simpy.Event, Any, None]:
    """Observe every `interval_s` seconds until `until`; call `on_trip` once, when the guardrail trips, and end.

    An observation that fails is no evidence against the release. It is recorded, the first of a row only, and the
    guardrail looks again: a short outage of the metrics must not blind it for good.
    """
    version = {"new": change.new, "old": change.old}.get(guardrail.version)
    blind = False
    while not until.triggered:
        try:
            observation = yield world.observe(guardrail.of, version, guardrail.window_s)
        except WorldError as error:
            if not blind:
                world.record("error", guardrail.name, during="observe", message=str(error))
            blind = True
            yield world.env.timeout(interval_s)
            continue
        blind = False
        if exceeded(guardrail, observation, world.edges_s) and not until.triggered:
            world.record(
                "guardrail-trip",
                guardrail.name,
                value=_value(guardrail, observation, world.edges_s),
                above=guardrail.above,
                requests=observation.requests,
                action=guardrail.action,
            )
            on_trip(guardrail)
            return
        yield world.env.timeout(interval_s)
