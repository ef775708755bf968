"""The person who is paged. Drawn from the scenario's distributions in both worlds, and marked so in the record."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import simpy

from rollout.world import World
from scenarios.models import Distribution, OnCall

__all__ = ["draw_s", "page"]


def draw_s(distribution: Distribution, rng: np.random.Generator) -> float:
    """One draw, in seconds."""
    first, second = distribution.params
    if distribution.kind == "constant":
        return first
    if distribution.kind == "exponential":
        return float(rng.exponential(first))
    if distribution.kind == "lognormal":
        return float(rng.lognormal(first, second))
    return float(rng.uniform(first, second))


def page(world: World, on_call: OnCall, subject: str, rng: np.random.Generator) -> Generator[simpy.Event, Any, None]:
    """Page the on-call person and wait until they have decided."""
    world.record("page", subject)
    yield world.env.timeout(draw_s(on_call.acknowledge, rng))
    world.record("acknowledge", subject, person="on-call, drawn from the scenario")
    yield world.env.timeout(draw_s(on_call.decide, rng))
