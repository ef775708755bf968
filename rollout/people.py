"""What people do: answer a page, sign off. Drawn from the scenario in both worlds, and marked so in the record."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import numpy as np
import simpy

from rollout.world import World
from scenarios.clock import worked
from scenarios.models import Distribution, OnCall, Scenario

__all__ = ["People", "draw_s", "page"]

_DRAWN = "drawn from the scenario"


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


class People:
    """The people of one run. `rng` draws what the person on call does; each of the others has a stream of its own.

    So one more person, or one more sign-off, shifts no draw of the others.
    """

    def __init__(self, world: World, scenario: Scenario, rng: np.random.Generator) -> None:
        self._world = world
        self._scenario = scenario
        self._rng = rng
        self._own: dict[str, np.random.Generator] = {}

    def stream(self, name: str) -> np.random.Generator:
        """What the one named draws from: a stream of its own, from the seed of the run and the name alone."""
        if name not in self._own:
            seed = self._rng.bit_generator.seed_seq
            assert isinstance(seed, np.random.SeedSequence)
            key = (*seed.spawn_key, zlib.crc32(name.encode()))
            self._own[name] = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))
        return self._own[name]

    def approve(self, name: str) -> Generator[simpy.Event, Any, None]:
        """Ask for the sign-off of that name, and wait until it is given."""
        approval = self._scenario.operations.approvals[name]
        work_s = draw_s(approval.takes, self.stream(f"approval {name}"))
        self._world.record("approval-request", name)
        wait_s = work_s
        if approval.hours:
            assert self._scenario.start is not None, "the rules of the language ask for start"
            asked = self._scenario.start + timedelta(seconds=self._world.env.now)
            wait_s = (worked(approval.hours, asked, work_s) - asked).total_seconds()
        yield self._world.env.timeout(wait_s)
        self._world.record("approval", name, work_s=work_s, person=f"{name}, {_DRAWN}")


def page(world: World, on_call: OnCall, subject: str, rng: np.random.Generator) -> Generator[simpy.Event, Any, None]:
    """Page the on-call person and wait until they have decided."""
    world.record("page", subject)
    yield world.env.timeout(draw_s(on_call.acknowledge, rng))
    world.record("acknowledge", subject, person=f"on-call, {_DRAWN}")
    yield world.env.timeout(draw_s(on_call.decide, rng))
