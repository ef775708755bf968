"""A fleet whose replicas each have a life of their own: they crash, are probed, are started again, and stand in zones.

What a plain `Fleet` does for all of them at once takes a process a replica here, so a service that has none of
probes, autoscaling, zones, drawn start-up times and crashing versions is played by the plain one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from rollout.people import draw_s
from scenarios.models import Distribution, Probe
from simulator.backoff import RestartBackoff
from simulator.environment import SimulationEnvironment
from simulator.fleet import Fleet
from simulator.probes import ProbeWatch, answers

__all__ = ["Care", "TendedFleet"]

# Two times this close are one: sums of periods round.
_SAME_S = 1e-9


@dataclass(frozen=True)
class Care:
    """What replicas go through. `crash_ratio` of their starts fail; `crash_after_s` is None for replicas that last."""

    startup: Distribution | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    crash_ratio: float = 0.0
    crash_after_s: float | None = None
    zones: int = 1


class TendedFleet(Fleet):
    """`ordered` and `ready` as for a `Fleet`; besides, replicas that are ordered may be starting, waiting or failing.

    A replica has a number, and stands in zone number % zones; new ones take the lowest free numbers outside of zones
    that are out. Orders take effect in their order, but the second does not wait until the first is fulfilled: a crash
    loop must not hold up the rollback. A deploy is over when the ordered number is ready, or when the next one takes
    its place.

    `rng_of` gives each replica number the generator that its draws come from; `record` writes what happens to it.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        station: int,
        version: int,
        capacity: int,
        care: Care,
        ordered: int,
        rng_of: Callable[[int], np.random.Generator],
        record: Callable[[str, int], None],
    ) -> None:
        self._care = care
        self._rng_of = rng_of
        self._rngs: dict[int, np.random.Generator] = {}
        self._record = record
        self._lives: dict[int, simpy.Process] = {}
        self._zones_out: set[int] = set()
        self._zones_open = frozenset(range(care.zones))
        self._placed: simpy.Event | None = None
        self._waiting: list[simpy.Event] = []
        super().__init__(env, station, version, capacity, 0.0, ordered)
        for number in sorted(self.ready):
            self._lives[number] = env.process(self._live(number, before_the_load=True))

    @property
    def not_ready(self) -> int:
        """Replicas that are ordered and do not serve."""
        return self.ordered - len(self.ready)

    def deploy(self, replicas: int, takes_s: float = 0.0, zones: frozenset[int] = frozenset()) -> simpy.Event:
        """Have exactly so many ready, in these zones (none: in any), `takes_s` later; orders take effect in turn.

        The event's value is false when the next order has taken its place.
        """
        before, self._placed = self._placed, self._env.event()
        return self._env.process(self._deploy(before, self._placed, replicas, takes_s, zones))

    def _deploy(
        self, before: simpy.Event | None, placed: simpy.Event, replicas: int, takes_s: float, zones: frozenset[int]
    ) -> Generator[simpy.Event, Any, bool]:
        if before is not None and not before.triggered:
            yield before
        if takes_s:
            yield self._env.timeout(takes_s)
        self._tell_waiting(fulfilled=False)
        self._zones_open = zones or frozenset(range(self._care.zones))
        self.order(replicas)
        placed.succeed()
        return bool((yield self._fulfilled()))

    def order(self, replicas: int) -> None:
        """Want so many from now on, without waiting for them: what autoscaling does."""
        self.ordered = replicas
        if len(self._lives) > replicas:
            # Those in zones that are to be left go first; then, as a ReplicaSet chooses, those that do not serve, and
            # the latest.
            going = sorted(self._lives, key=lambda number: (self._is_open(number), number in self.ready, -number))
            for number in going[: len(self._lives) - replicas]:
                self._end(number)
            self._serve(self.ready.intersection(self._lives))
        self._start_missing()
        self._look()

    def restore(self) -> simpy.Event:
        """Start what was ordered and is not there; fires when as many as ordered serve."""
        self._start_missing()
        return self._fulfilled()

    def kill(self) -> None:
        """Kill the ready replica with the highest number; it stays away until `restore`. There must be one."""
        self._kill(max(self.ready))

    def lose_zone(self, zone: int) -> None:
        """Kill all that stands in a zone, and start nothing there until `regain_zone`."""
        self._zones_out.add(zone)
        for number in sorted(self._lives):
            if number % self._care.zones == zone:
                self._kill(number)

    def regain_zone(self, zone: int) -> simpy.Event:
        """The zone takes replicas again; fires when as many as ordered serve."""
        self._zones_out.discard(zone)
        return self.restore()

    def _start_missing(self) -> None:
        free = (
            number
            for number in range(self.capacity)
            if number not in self._lives and self._is_open(number) and number % self._care.zones not in self._zones_out
        )
        for number in [number for number, _ in zip(free, range(self.ordered - len(self._lives)), strict=False)]:
            self._lives[number] = self._env.process(self._live(number))

    def _is_open(self, number: int) -> bool:
        return number % self._care.zones in self._zones_open

    def _end(self, number: int) -> None:
        self._lives.pop(number).interrupt("stopped")

    def _kill(self, number: int) -> None:
        self._end(number)
        self._die(number)

    def _die(self, number: int) -> None:
        self._env.plane.kill(self._station, self._version, number)
        self.ready -= {number}

    def _fulfilled(self) -> simpy.Event:
        """Fires when as many as ordered serve, or when the next deploy takes this one's place."""
        fulfilled = self._env.event()
        self._waiting.append(fulfilled)
        self._look()
        return fulfilled

    def _look(self) -> None:
        if len(self.ready) >= self.ordered:
            self._tell_waiting(fulfilled=True)

    def _tell_waiting(self, *, fulfilled: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            event.succeed(fulfilled)

    # -- the life of one replica

    def _live(self, number: int, *, before_the_load: bool = False) -> Generator[simpy.Event, Any, None]:
        """Start, run, die, wait, and again; until it is stopped."""
        backoff, running, cause = RestartBackoff(), before_the_load, "crash at start"
        try:
            while True:
                begun_s = self._env.now
                if not running:
                    yield self._env.timeout(self._startup_of(number))
                if running or not self._crashes_at_start(number):
                    cause = yield from self._run(number, begun_s, running=running)
                    self._die(number)
                running = False
                self._record(cause, number)
                yield self._env.timeout(backoff.next_s(self._env.now - begun_s))
        except simpy.Interrupt:
            return

    def _startup_of(self, number: int) -> float:
        startup = self._care.startup
        return 0.0 if startup is None else draw_s(startup, self._rng(number))

    def _crashes_at_start(self, number: int) -> bool:
        return self._care.crash_ratio > 0 and self._rng(number).random() < self._care.crash_ratio

    def _rng(self, number: int) -> np.random.Generator:
        if number not in self._rngs:
            self._rngs[number] = self._rng_of(number)
        return self._rngs[number]

    def _run(self, number: int, begun_s: float, *, running: bool) -> Generator[simpy.Event, Any, str]:
        """Serve, under the probes, until it dies; returns of what.

        Probes of a replica come at multiples of their period since it was begun; liveness waits until it has started
        (as behind a startup probe). One that ran before the load has its probes at a drawn moment of the period.
        """
        now_s, care = self._env.now, self._care
        death_s = math.inf if care.crash_after_s is None else now_s + care.crash_after_s
        readiness, liveness = (
            None if probe is None else ProbeWatch(probe, self._first_s(probe, number, begun_s, running=running))
            for probe in (care.readiness, care.liveness)
        )
        if liveness is not None and liveness.due_s < now_s + _SAME_S:
            liveness.saw(answered=True)
        if readiness is None:
            self._admit(number)
        while True:
            due_s = min([death_s, *(watch.due_s for watch in (readiness, liveness) if watch is not None)])
            yield self._env.event() if due_s == math.inf else self._env.timeout(max(0.0, due_s - self._env.now))
            if self._env.now >= death_s - _SAME_S:
                return "crash"
            if liveness is not None and self._is_due(liveness):
                liveness.saw(answered=self._answers(number, liveness))
                if liveness.failing:
                    return "liveness"
            if readiness is not None and self._is_due(readiness):
                answered = self._answers(number, readiness)
                readiness.saw(answered=answered)
                if answered:
                    self._admit(number)
                elif readiness.failing:
                    self._withdraw(number)

    def _first_s(self, probe: Probe, number: int, begun_s: float, *, running: bool) -> float:
        if running:
            return begun_s + probe.period_s * self._rng(number).random()
        periods = math.ceil((self._env.now - begun_s) / probe.period_s - _SAME_S)
        return begun_s + periods * probe.period_s

    def _is_due(self, watch: ProbeWatch) -> bool:
        return bool(self._env.now >= watch.due_s - _SAME_S)

    def _answers(self, number: int, watch: ProbeWatch) -> bool:
        return answers(self._env.plane, self._station, self._version, number, watch.timeout_s)

    def _admit(self, number: int) -> None:
        if number not in self.ready:
            self._serve(self.ready | {number})
            self._look()

    def _withdraw(self, number: int) -> None:
        if number in self.ready:
            self._serve(self.ready - {number})
            self._record("not-ready", number)
