"""The verbs of the world that say who answers: routes, copies and flags, in force in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import Any

import simpy

from rollout.errors import WorldError
from scenarios.models import Change, Scenario
from simulator.compile import Compiled
from simulator.environment import SimulationEnvironment
from simulator.routing import FlagState, Routing, are_shares

__all__ = ["Routes"]


class Routes:
    """Routes of all services; at first the first version of each answers everything.

    `takes_s` draws what a change of routes takes; `changed` is called with a service when other requests than before
    come to its versions; `record` writes on the timeline.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        scenario: Scenario,
        compiled: Compiled,
        takes_s: Callable[[], float],
        changed: Callable[[str], None],
        record: Callable[..., None],
    ) -> None:
        self._env = env
        self._compiled = compiled
        self._takes_s = takes_s
        self._changed = changed
        self._record = record
        self._last: dict[str, simpy.Event] = {}
        self._flag_orders = 0
        self.of = {
            name: Routing(env.plane, compiled, name, service.replicas)
            for name, service in scenario.system.services.items()
        }

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]]
    ) -> simpy.Event:
        """Share the service's requests; fails with WorldError for weights that make no sense."""
        versions = self._compiled.versions.get(service, ())
        for shares in (weights, *cohorts.values()):
            if not are_shares(shares, versions):
                known = ", ".join(versions)
                return self._failed(
                    f"route of {service}: weights(={dict(shares)}) must be shares >= 0 of {known}, sum 1"
                )
        for cohort in cohorts:
            if cohort not in self._compiled.cohorts:
                known = ", ".join(self._compiled.cohorts)
                return self._failed(f"route of {service}: cohort(={cohort!r}) must be one of {known}")
        whole = {version: weights.get(version, 0.0) for version in versions}
        return self._in_turn(service, lambda: self._route(service, whole, cohorts))

    def mirror(self, service: str, version: str, share: float) -> simpy.Event:
        """Copy requests; fails with WorldError for a version or share that cannot be."""
        if version not in self._compiled.versions.get(service, ())[1:] or not 0 <= share <= 1:
            return self._failed(f"mirror: {service} {version!r}, share(={share}) must be a new version and in 0..1")
        return self._in_turn(service, lambda: self._mirror(service, version, share))

    def flag(self, service: str, share: float, cohorts: Sequence[str], within_s: float) -> simpy.Event:
        """Every replica follows at its poll, evenly spread; fails with WorldError for a service without a flag."""
        if service not in self.of or not self.of[service].flags or not 0 <= share <= 1:
            return self._failed(f"flag: {service}, share(={share}) must be a service with a flag and a share in 0..1")
        self._flag_orders += 1
        flag = FlagState(self._flag_orders, share, frozenset(cohorts))
        return self._env.process(self._spread(service, flag, within_s))

    def differences(self, change: Change, *, dark: bool) -> Iterator[str]:
        """From the baseline, of one released service."""
        return self.of[change.service].differences(change, dark=dark)

    def _in_turn(self, service: str, put: Callable[[], None]) -> simpy.Event:
        """After what was ordered for the same service before; other services wait for none of it."""
        self._last[service] = self._env.process(self._put_in_force(self._last.get(service), put))
        return self._last[service]

    def _put_in_force(self, before: simpy.Event | None, put: Callable[[], None]) -> Generator[simpy.Event, Any, None]:
        takes_s = self._takes_s()
        if before is not None and not before.processed:
            yield before
        if takes_s:
            yield self._env.timeout(takes_s)
        put()

    def _route(self, service: str, weights: dict[str, float], cohorts: Mapping[str, Mapping[str, float]]) -> None:
        self.of[service].route(weights, cohorts)
        self._changed(service)
        own: dict[str, Collection[str]] = {"cohorts": dict(cohorts)} if cohorts else {}
        self._record("route", service, weights=weights, **own)

    def _mirror(self, service: str, version: str, share: float) -> None:
        self.of[service].mirror(version, share)
        self._changed(service)
        self._record("mirror", service, version=version, share=share)

    def _spread(self, service: str, flag: FlagState, within_s: float) -> Generator[simpy.Event, Any, None]:
        routing = self.of[service]
        for replica in range(len(routing.flags)):
            if within_s:
                yield self._env.timeout(within_s / len(routing.flags))
            routing.follow(replica, flag)
            self._changed(service)
            if not replica:
                self._record_flag(service, flag, "start")
        self._record_flag(service, flag, "end")

    def _record_flag(self, service: str, flag: FlagState, phase: str) -> None:
        self._record("flag", service, share=flag.share, cohorts=sorted(flag.cohorts), phase=phase)

    def _failed(self, message: str) -> simpy.Event:
        return self._env.event().fail(WorldError(message))
