"""Support tickets: the customers whose requests failed, heard after a while; the slowest detection, and the last."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from rollout.people import People, draw_s
from rollout.world import World
from scenarios.models import Tickets

__all__ = ["Desk"]

# Tickets are counted this often; it costs little, and support is not faster than that.
_EVERY_S = 5.0


class Desk:
    """Takes the tickets about one function, and pages once when there are many within a window."""

    def __init__(
        self, world: World, tickets: Tickets, function: str, people: People, on_alarm: Callable[[str], None]
    ) -> None:
        self._world = world
        self._tickets = tickets
        self._function = function
        self._rng: np.random.Generator = people.stream(f"tickets {function}")
        # Background tickets from a stream of their own: they shift nothing of those about failures.
        self._noise: np.random.Generator = people.stream(f"tickets about nothing {function}")
        self._on_alarm = on_alarm
        self._coming: list[float] = []
        self._came: list[float] = []
        self._failed = 0
        self._told = False

    def work(self) -> Generator[simpy.Event, Any, None]:
        """Take tickets about what fails from now on, to the end of the run."""
        self._failed = self._world.failed(self._function)
        while True:
            yield self._world.env.timeout(_EVERY_S)
            failed = self._world.failed(self._function)
            self._expect(failed - self._failed)
            self._failed = failed
            self._take()

    def _expect(self, failed: int) -> None:
        now_s = self._world.env.now
        for _ in range(int(self._rng.binomial(failed, self._tickets.share)) if failed > 0 else 0):
            heapq.heappush(self._coming, now_s + draw_s(self._tickets.after, self._rng))
        if self._tickets.background_per_s is not None:
            for _ in range(int(self._noise.poisson(self._tickets.background_per_s * _EVERY_S))):
                heapq.heappush(self._coming, now_s)

    def _take(self) -> None:
        now_s, before = self._world.env.now, len(self._came)
        while self._coming and self._coming[0] <= now_s:
            self._came.append(heapq.heappop(self._coming))
        news = len(self._came) - before
        if not news:
            return
        self._world.record("tickets", self._function, count=news)
        alarm = self._tickets.page
        if alarm is None or self._told:
            return
        recent = len(self._came) - bisect_right(self._came, now_s - alarm.window_s)
        if recent > alarm.above:
            self._told = True
            name = f"tickets of {self._function}"
            self._world.record("guardrail-trip", name, value=recent, above=alarm.above, action="page")
            self._on_alarm(name)
