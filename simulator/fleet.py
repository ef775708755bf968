"""The replicas of one version of one service: ordered, started, stopped, killed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from simulator.environment import SimulationEnvironment

__all__ = ["Fleet"]


class Fleet:
    """`ordered` counts the replicas that a deploy asked for last, `ready` holds the numbers of those that serve.

    Started replicas are ready after `startup_s`, all at the same time. A stopped replica takes nothing new at once and
    finishes what it has; should its number be started again before it has finished, it goes on with what is left.
    """

    def __init__(
        self, env: SimulationEnvironment, station: int, version: int, capacity: int, startup_s: float, ordered: int
    ) -> None:
        self._env = env
        self._station = station
        self._version = version
        self.capacity = capacity
        self._startup_s = startup_s
        self._last: simpy.Event | None = None
        self.ordered = ordered
        self.ready: frozenset[int] = frozenset()
        self._serve(frozenset(range(ordered)))

    def deploy(self, replicas: int, takes_s: float = 0.0, zones: frozenset[int] = frozenset()) -> simpy.Event:
        """Have exactly so many ready, after `takes_s`; takes effect after the change before has finished.

        This fleet knows no `zones`: where a scenario has some, all fleets but those of third parties are tended.
        """
        assert not zones, zones
        return self._queue(self._change(self._last, replicas, takes_s))

    def restore(self) -> simpy.Event:
        """Start what was ordered and does not serve."""
        return self._queue(self._change(self._last, None, 0.0))

    def kill(self) -> None:
        """Kill the ready replica with the highest number; there must be one."""
        victim = max(self.ready)
        self._env.plane.kill(self._station, self._version, victim)
        self.ready -= {victim}

    def _queue(self, change: Generator[simpy.Event, Any, None]) -> simpy.Event:
        self._last = self._env.process(change)
        return self._last

    def _change(
        self, before: simpy.Event | None, replicas: int | None, takes_s: float
    ) -> Generator[simpy.Event, Any, None]:
        if before is not None and not before.processed:
            yield before
        if takes_s:
            yield self._env.timeout(takes_s)
        if replicas is not None:
            self.ordered = replicas
        if len(self.ready) > self.ordered:
            self._serve(frozenset(sorted(self.ready)[: self.ordered]))
        free = [number for number in range(self.capacity) if number not in self.ready]
        started = free[: self.ordered - len(self.ready)]
        if started:
            yield self._env.timeout(self._startup_s)
            self._serve(self.ready.union(started))

    def _serve(self, ready: frozenset[int]) -> None:
        self._env.plane.set_ready(self._station, self._version, ready)
        self.ready = ready
