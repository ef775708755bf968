"""The world of real staging: the controller's verbs, carried out on processes and read back.

Blocking work runs in threads of the wall-clock environment; verbs on one object are queued, so that they take effect in
the order in which the controller called them (the contract of `rollout.world.World`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import simpy

from chaos.bad_data import BadRows
from chaos.data import StagingData
from chaos.errors import ChaosError, NotSettled
from chaos.faults.base import PlanContext
from chaos.faults.zoned import HasZones
from chaos.observer import Observer
from chaos.safety.guard import Guard
from chaos.safety.journal import JournalEntry
from chaos.staging.adapter import StagingAdapter
from chaos.staging.config import Defect
from evidence.events import Event
from evidence.histogram import edges_s
from rollout.errors import WorldError
from rollout.people import People
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Fault, Scenario, Worse

__all__ = ["StagingWorld"]

# The router keeps weights in ten-thousandths.
_WEIGHT_TOLERANCE = 1e-4
_DEPLOY_TIMEOUT_S = 60.0
_FLAG_LOOK_S = 0.02
# A replica polls once a propagation; what it needs to read, and we to ask, comes on top.
_FLAG_GRACE_S = 2.0


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
        seed: int,
    ) -> None:
        change = scenario.release.change
        self.env: simpy.Environment = env
        self.edges_s = edges_s(scenario)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        bad = _bad_rows(env, staging, scenario, defects, self.record)
        self.data = StagingData(env, staging.data, scenario, self.record, self._page, rng, bad)
        self._people = People(self, scenario, rng)
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
        # Services whose flag was ordered.
        self._flagged: set[str] = set()
        # The last action on each object; the next one on it waits for its end.
        self._last: dict[tuple[str, ...], simpy.Process] = {}

    def deploy(self, service: str, version: str, replicas: int, zones: Sequence[str] = ()) -> simpy.Event:
        """Start or stop replica processes until exactly that many are ready and in rotation."""
        return self._queued(("deploy", service, version), self._deploy, service, version, replicas, tuple(zones))

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
        """Write the flag's file and wait until every replica's provider has followed, which is measured.

        It does not wait for an order before it, which it takes the place of: a kill switch must not wait.
        """
        return self.env.process(self._after(None, self._flag, (service, share, tuple(cohorts), within_s)))

    def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
        """What Envoy saw; at once, since the observer polls on its own."""
        return self.env.timeout(0, self._observer.observe(service, version, window_s))

    def procedure(self, service: str, old: str, new: str) -> simpy.Event:
        """As the staging has it; read back by verify, as everything is."""
        return self._queued(("procedure", service), self._staging.procedure, service, old, new)

    def inject(self, fault: Fault) -> simpy.Event:
        """Journal the undo, apply, confirm."""
        return self._queued(("fault", fault.kind, fault.target), self._inject, fault)

    def heal(self, fault: Fault) -> simpy.Event:
        """Undo and read back; what was destroyed is the recovery's to bring back, until the drill's end."""
        if fault.primary is not None and fault.primary.destroyed:
            return self.env.process(self._heal_recovered(fault))
        return self._queued_heal(fault)

    def worsen(self, service: str, version: str, worse: Worse | None) -> simpy.Event:
        """The staging's old version has no defects to be given."""
        return self.env.event().fail(WorldError(f"worsen {service} {version}: {worse}: the staging cannot"))

    def verify(self, dark: Collection[str] = ()) -> simpy.Event:
        """Compare processes, weights and what else steers requests with the baseline, once the store can be asked."""
        return self.env.process(self._verify(frozenset(dark)))

    def record(self, kind: str, subject: str, /, **detail: object) -> None:
        """Write on the timeline, at the moment of the clock."""
        self._on_event(Event(self._clock.wall_s(), kind, subject, detail))
        if kind == "release-start":
            self.data.begun()
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

    def _deploy(self, service: str, version: str, replicas: int, zones: tuple[str, ...]) -> None:
        change = self._scenario.release.change
        is_new = (service, version) == (change.service, change.new)
        if replicas and is_new:
            self._staging.set_defects(service, version, self._defects)
        drained = self._staging.deploy(service, version, replicas, _DEPLOY_TIMEOUT_S, zones)
        if not replicas and is_new:
            # What is wrong with it goes with it: after a complete rollback nothing is left to undo.
            self._staging.set_defects(service, version, ())
            if service in self._flagged:
                self._staging.flag(service, 0.0, ())
                self._flagged.discard(service)
        detail: dict[str, object] = {}
        if drained is not None:
            detail["drained"] = {**asdict(drained), "took_s": round(drained.took_s, 3)}
        standing = self._staging.standing(service).get(version)
        if standing:
            detail["zones"] = dict(standing)
        self._clock.call_soon(lambda: self.record("deploy", service, version=version, replicas=replicas, **detail))

    def _route(self, service: str, weights: dict[str, float], cohorts: dict[str, dict[str, float]]) -> None:
        self._staging.route(service, weights, cohorts)
        own = {"cohorts": cohorts} if cohorts else {}
        self._clock.call_soon(lambda: self.record("route", service, weights=weights, **own))

    def _mirror(self, service: str, version: str, share: float) -> None:
        self._staging.mirror(service, version, share)
        self._clock.call_soon(lambda: self.record("mirror", service, version=version, share=share))

    def _flag(self, service: str, share: float, cohorts: tuple[str, ...], within_s: float) -> None:
        ordered_s = self._clock.wall_s()
        order = self._staging.flag(service, share, cohorts)
        self._flagged.add(service)
        deadline_s, begun = ordered_s + within_s + _FLAG_GRACE_S, False
        while True:
            orders = self._staging.flag_orders(service)
            followed = [each for each in orders if each >= order]
            took_s = round(self._clock.wall_s() - ordered_s, 3)
            detail = {"share": share, "cohorts": sorted(cohorts), "propagation_s": took_s}
            if followed and not begun:
                begun = True
                self._tell_flag(service, {**detail, "phase": "start"})
            if len(followed) == len(orders):
                self._tell_flag(service, {**detail, "phase": "end", "replicas": len(orders)})
                return
            if self._clock.wall_s() > deadline_s:
                raise NotSettled(
                    f"flag of {service}: replicas that follow(={len(followed)}) must be {len(orders)} "
                    f"within {within_s:g} s"
                )
            time.sleep(_FLAG_LOOK_S)

    def _tell_flag(self, service: str, detail: dict[str, object]) -> None:
        self._clock.call_soon(lambda: self.record("flag", service, **detail))

    def _inject(self, fault: Fault) -> None:
        self._entries[id(fault)] = self._guard.inject(fault, self._context)
        if fault.primary is not None:
            self._clock.call_soon(partial(self.data.primary_lost, fault.primary))
        if fault.zone is not None and fault.zone.replaced_after_s is not None:
            self._clock.call_soon(partial(self._replace_lost_after, fault, fault.zone.replaced_after_s))

    def _replace_lost_after(self, fault: Fault, after_s: float) -> None:
        self.env.process(self._replace_lost(fault, after_s))

    def _replace_lost(self, fault: Fault, after_s: float) -> Generator[simpy.Event, Any, None]:
        """As a platform does that has waited for a zone long enough."""
        surface = self._guard.surface
        assert isinstance(surface, HasZones), "the fault was injected there"
        yield self.env.timeout(after_s)
        if id(fault) not in self._entries:
            return
        self.record("replace", str(fault.target), phase="start")
        try:
            yield self._clock.in_thread(surface.replace_lost)
        except ChaosError as error:
            self.record("error", str(fault.target), during="replacing what was lost", message=str(error))
            return
        self.record("replace", str(fault.target), phase="end")

    def _queued_heal(self, fault: Fault) -> simpy.Process:
        return self._queued(("fault", fault.kind, fault.target), self._heal, fault)

    def _heal_recovered(self, fault: Fault) -> Generator[simpy.Event, Any, None]:
        """What nobody recovers is left to the drill's end."""
        yield self.data.served()
        yield self._queued_heal(fault)

    def _heal(self, fault: Fault) -> None:
        entry = self._entries.pop(id(fault))
        unmet = self._guard.unmet(fault, entry)
        result = self._guard.heal(entry)
        if unmet is not None:
            subject = f"{fault.kind} on {fault.target}"
            self._clock.call_soon(lambda: self.record("error", subject, during="fault", message=unmet))
        if fault.primary is not None:
            self._clock.call_soon(self.data.primary_back)
        self._clock.call_soon(lambda: self.record("undo", str(fault.target), kind=fault.kind, rung=result.rung))

    def _page(self, subject: str) -> Generator[simpy.Event, Any, None]:
        yield from self._people.page(subject)

    def _verify(self, dark: frozenset[str]) -> Generator[simpy.Event, Any, object]:
        """A store that is lost while it is asked is waited for as well."""
        while True:
            yield self.data.served()
            try:
                return (yield self._queued(("verify",), self._differences, dark))
            except WorldError:
                if self.data.serves():
                    raise

    def _differences(self, dark: frozenset[str]) -> list[str]:
        """What differs from before the release; faults that still stand are not the release's."""
        change = self._scenario.release.change
        service = change.service
        serving = change.new if service in dark else change.old
        replicas = self._scenario.system.services[service].replicas
        found = self._staging.differences()
        running = dict(self._guard.surface.ready(service))
        if running != {serving: replicas}:
            found.append(f"{service} runs {running}, must run {{{serving!r}: {replicas}}}")
        shares = dict(self._guard.surface.routes(service))
        if not np.isclose(shares.get(serving, 0.0), 1.0, atol=_WEIGHT_TOLERANCE):
            found.append(f"{service} routes {shares}, must route {{{serving!r}: 1.0}}")
        found += [f"{service}: {line}" for line in self._guard.surface.steering(service)]
        return found


def _bad_rows(
    env: WallClockEnvironment,
    staging: StagingAdapter,
    scenario: Scenario,
    defects: Sequence[Defect],
    record: Callable[..., None],
) -> BadRows | None:
    """Of the defect that writes wrong rows, if it is played, and the staging knows which are."""
    played, data = {defect.name for defect in defects}, staging.data
    if data is None or not data.tells_wrong:
        return None
    for defect in scenario.release.defects:
        if defect.bad_data is not None and defect.name in played:
            return BadRows(env, data, defect, record)
    return None
