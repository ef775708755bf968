"""Guardrails: watch one metric of one version, and trip when there is enough evidence that it is bad."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from rollout.world import Observation, World
from scenarios.models import Change, Guardrail

__all__ = ["exceeded", "watch"]


def exceeded(guardrail: Guardrail, observation: Observation, edges_s: np.ndarray) -> tuple[bool, float | None]:
    """Whether the metric is above its limit, and its value (a ratio, or the share slower than the limit).

    A quantile q is above the limit when more than 1 - q of the answers took longer; the limit is an edge of the
    histogram, so the comparison is exact. Fewer than `minimum` requests, or no answer at all, never trip.
    """
    if observation.requests < guardrail.minimum:
        return False, None
    if guardrail.quantile is None:
        ratio = observation.errors / observation.requests
        return ratio > guardrail.above, ratio
    answers = int(observation.histogram.sum())
    if answers == 0:
        return False, None
    first_slower = int(np.searchsorted(edges_s, guardrail.above, side="left")) + 1
    slower = int(observation.histogram[first_slower:].sum()) / answers
    return slower > 1.0 - guardrail.quantile + 1e-12, slower


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
            word = "value" if guardrail.quantile is None else "share_slower"
            detail = {word: value, "above": guardrail.above, "requests": observation.requests}
            world.record("guardrail-trip", guardrail.name, **detail)
            on_trip(guardrail)
            return
        yield world.env.timeout(interval_s)
