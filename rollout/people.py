"""What people do: answer a page, sign off. Drawn from the scenario in both worlds, and marked so in the record."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import simpy

from rollout.world import World
from scenarios.clock import within, worked
from scenarios.models import Distribution, OnCall, OutOfHours, Person, Scenario

__all__ = ["People", "draw_s"]

_ON_CALL = "on-call"
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
        asked_s, wait_s = float(self._world.env.now), work_s
        if approval.hours:
            asked = self._now()
            wait_s = (worked(approval.hours, asked, work_s) - asked).total_seconds()
        yield self._world.env.timeout(wait_s)
        self._world.record("approval", name, asked_s=asked_s, work_s=work_s, person=f"{name}, {_DRAWN}")

    def page(self, subject: str, service: str | None = None) -> Generator[simpy.Event, Any, None]:
        """Page the person on call about a service, and wait until somebody has decided.

        Whoever acknowledges first takes it: the person on call, or one to whom the page has been escalated meanwhile.
        Someone who does not know the service hands it over to the first on the list who does.
        """
        on_call = self._scenario.operations.on_call
        assert on_call is not None, "the rules of the language ask for operations.on_call"
        self._world.record("page", subject)
        rings = [self._ring(_ON_CALL)]
        name = yield from self._acknowledged(subject, on_call, rings)
        if service is not None and not self._person(name).knows(service):
            name = next(each for each in self._list(on_call) if self._person(each).knows(service))
            self._world.record("page", subject, person=name, why=f"knows {service}")
            # Who has been paged already is on the way to it: a second page makes nobody later.
            paged = [ring for ring in rings if ring.value == name]
            yield simpy.AnyOf(self._world.env, paged or [self._ring(name)])
            self._acknowledge(subject, name)
        yield self._world.env.timeout(draw_s(self._times(name).decide, self._rng_of(name)))

    def _acknowledged(
        self, subject: str, on_call: OnCall, rings: list[simpy.Timeout]
    ) -> Generator[simpy.Event, Any, str]:
        """Ring one after the other, into `rings`, until one acknowledges; their name."""
        env = self._world.env
        since_s = env.now
        for step in on_call.escalation:
            yield simpy.AnyOf(env, [*rings, env.timeout(since_s + step.after_s - env.now)])
            if any(ring.processed for ring in rings):
                break
            self._world.record("page", subject, person=step.to, why=f"nobody has acknowledged in {step.after_s:g} s")
            rings.append(self._ring(step.to))
        else:
            yield rings[0] if len(rings) == 1 else simpy.AnyOf(env, rings)
        name = str(next(ring.value for ring in rings if ring.processed))
        self._acknowledge(subject, name)
        return name

    def _ring(self, name: str) -> simpy.Timeout:
        """Fires with the name when they acknowledge a page of now."""
        return self._world.env.timeout(draw_s(self._times(name).acknowledge, self._rng_of(name)), name)

    def _acknowledge(self, subject: str, name: str) -> None:
        self._world.record("acknowledge", subject, person=f"{name}, {_DRAWN}")

    def _list(self, on_call: OnCall) -> list[str]:
        return [_ON_CALL, *(step.to for step in on_call.escalation)]

    def _person(self, name: str) -> Person:
        operations = self._scenario.operations
        person = operations.on_call if name == _ON_CALL else operations.people[name]
        assert person is not None, "the rules of the language ask for operations.on_call"
        return person

    def _times(self, name: str) -> Person | OutOfHours:
        """How long this person takes now."""
        person = self._person(name)
        if person.out_of_hours is None or within(person.hours, self._now()):
            return person
        return person.out_of_hours

    def _rng_of(self, name: str) -> np.random.Generator:
        return self._rng if name == _ON_CALL else self.stream(f"person {name}")

    def _now(self) -> datetime:
        clock = self._scenario.clock
        assert clock is not None, "the rules of the language ask for start"
        return clock + timedelta(seconds=self._world.env.now)
