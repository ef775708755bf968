"""The world of real staging: the controller's verbs, carried out on processes and read back.

Blocking work runs in threads of the wall-clock environment; verbs on one object are queued, so that they take effect in
the order in which the controller called them (the contract of `rollout.world.World`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import simpy

from chaos.data import NoData
from chaos.errors import ChaosError
from chaos.faults.base import PlanContext
from chaos.observer import Observer
from chaos.safety.guard import Guard
from chaos.safety.journal import JournalEntry
from chaos.staging.adapter import StagingAdapter
from chaos.staging.config import Defect
from evidence.events import Event
from evidence.histogram import edges_s
from rollout.errors import WorldError
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Fault, Scenario, Worse

__all__ = ["StagingWorld"]

# The router keeps weights in ten-thousandths.
_WEIGHT_TOLERANCE = 1e-4
_DEPLOY_TIMEOUT_S = 60.0


class StagingWorld:
    """A `rollout.world.World` on a staging.

    `defects` are switched on in the new version's replicas as they are deployed. `on_event` receives each event of the
    timeline as it is recorded.
    """

    def __init__(
        self,
        env: WallClockEnvironment,
        staging: StagingAdapter,
        guard: Guard,
        observer: Observer,
        scenario: Scenario,
        defects: Sequence[Defect],
        on_event: Callable[[Event], None],
    ) -> None:
        change = scenario.release.change
        self.env: simpy.Environment = env
        self.edges_s = edges_s(scenario)
        self.data = NoData(env)
        self._clock = env
        self._staging = staging
        self._guard = guard
        self._observer = observer
        self._scenario = scenario
        self._defects = tuple(defects)
        self._on_event = on_event
        self._listeners: list[Callable[[str], None]] = []
        self._context = PlanContext(guard.drill_id, change.service, change.old, change.new)
        self._entries: dict[int, JournalEntry] = {}
        # The last action on each object; the next one on it waits for its end.
        self._last: dict[tuple[str, ...], simpy.Process] = {}

    def deploy(self, service: str, version: str, replicas: int, zones: Sequence[str] = ()) -> simpy.Event:
        """Start or stop replica processes until exactly that many are ready and in rotation; there are no zones."""
        if zones:
            return self._missing(f"deploy of {service}: zones(={list(zones)})")
        return self._queued(("deploy", service, version), self._deploy, service, version, replicas)

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> simpy.Event:
        """Set the router's weights, cohorts' own among them, and read them back."""
        own = {cohort: dict(shares) for cohort, shares in (cohorts or {}).items()}
        return self._queued(("route", service), self._route, service, dict(weights), own)

    def mirror(self, service: str, version: str, share: float) -> simpy.Event:
        """Have the router copy requests, marked so that the shop keeps nothing of what they write."""
        return self._queued(("route", service), self._mirror, service, version, share)

    def flag(self, service: str, share: float, cohorts: Sequence[str], within_s: float) -> simpy.Event:
        """Not on this staging: the shop's versions have no flag."""
        return self._missing(f"flag of {service}: share(={share:g}), cohorts(={list(cohorts)}), within {within_s:g} s")

    def _missing(self, what: str) -> simpy.Event:
        return self.env.event().fail(WorldError(f"{what} cannot be realised on the embedded staging"))

    def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
        """What Envoy saw; at once, since the observer polls on its own."""
        return self.env.timeout(0, self._observer.observe(service, version, window_s))

    def inject(self, fault: Fault) -> simpy.Event:
        """Journal the undo, apply, confirm."""
        return self._queued(("fault", fault.kind, fault.target), self._inject, fault)

    def heal(self, fault: Fault) -> simpy.Event:
        """Undo and read back."""
        return self._queued(("fault", fault.kind, fault.target), self._heal, fault)

    def worsen(self, service: str, version: str, worse: Worse | None) -> simpy.Event:
        """The staging's old version has no defects to be given."""
        return self.env.event().fail(WorldError(f"worsen {service} {version}: {worse}: the staging cannot"))

    def verify(self, dark: Collection[str] = ()) -> simpy.Event:
        """Compare processes and weights with the baseline."""
        assert not dark, "only a toggle leaves services dark, and chaos.unrealised refuses it"
        return self._queued(("verify",), self._differences)

    def record(self, kind: str, subject: str, /, **detail: object) -> None:
        """Write on the timeline, at the moment of the clock."""
        self._on_event(Event(self._clock.wall_s(), kind, subject, detail))
        for hear in self._listeners:
            hear(kind)

    def listen(self, hear: Callable[[str], None]) -> None:
        """Call `hear` with the kind of each event from now on, in the loop of the clock."""
        self._listeners.append(hear)

    def failed(self, function: str) -> int:
        """Nobody files tickets about a staging; `chaos.realise` refuses scenarios that need them."""
        raise WorldError(f"failed requests of {function} cannot be told while a drill runs")

    def _queued(self, key: tuple[str, ...], work: Callable[..., object], *args: object) -> simpy.Process:
        process = self.env.process(self._after(self._last.get(key), work, args))
        self._last[key] = process
        return process

    def _after(
        self, before: simpy.Process | None, work: Callable[..., object], args: tuple[object, ...]
    ) -> Generator[simpy.Event, Any, object]:
        if before is not None and before.is_alive:
            # Whoever asked for it is told of its failure; this one is tried all the same.
            with suppress(WorldError):
                yield before
        try:
            return (yield self._clock.in_thread(work, *args))
        except ChaosError as error:
            raise WorldError(f"{type(error).__name__}: {error}") from error

    def _deploy(self, service: str, version: str, replicas: int) -> None:
        change = self._scenario.release.change
        is_new = (service, version) == (change.service, change.new)
        if replicas and is_new:
            self._staging.set_defects(service, version, self._defects)
        self._staging.deploy(service, version, replicas, _DEPLOY_TIMEOUT_S)
        if not replicas and is_new:
            # What is wrong with it goes with it: after a complete rollback nothing is left to undo.
            self._staging.set_defects(service, version, ())
        self._clock.call_soon(lambda: self.record("deploy", service, version=version, replicas=replicas))

    def _route(self, service: str, weights: dict[str, float], cohorts: dict[str, dict[str, float]]) -> None:
        self._staging.route(service, weights, cohorts)
        own = {"cohorts": cohorts} if cohorts else {}
        self._clock.call_soon(lambda: self.record("route", service, weights=weights, **own))

    def _mirror(self, service: str, version: str, share: float) -> None:
        self._staging.mirror(service, version, share)
        self._clock.call_soon(lambda: self.record("mirror", service, version=version, share=share))

    def _inject(self, fault: Fault) -> None:
        self._entries[id(fault)] = self._guard.inject(fault, self._context)

    def _heal(self, fault: Fault) -> None:
        result = self._guard.heal(self._entries.pop(id(fault)))
        self._clock.call_soon(lambda: self.record("undo", str(fault.target), kind=fault.kind, rung=result.rung))

    def _differences(self) -> list[str]:
        """What differs from before the release; faults that still stand are not the release's."""
        release = self._scenario.release
        service, old = release.change.service, release.change.old
        replicas = self._scenario.system.services[service].replicas
        found = self._staging.differences()
        running = dict(self._guard.surface.ready(service))
        if running != {old: replicas}:
            found.append(f"{service} runs {running}, was {{{old!r}: {replicas}}}")
        shares = dict(self._guard.surface.routes(service))
        if not np.isclose(shares.get(old, 0.0), 1.0, atol=_WEIGHT_TOLERANCE):
            found.append(f"{service} routes {shares}, was {{{old!r}: 1.0}}")
        found += [f"{service}: {line}" for line in self._guard.surface.steering(service)]
        return found
