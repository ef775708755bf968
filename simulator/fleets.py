"""The fleets of a scenario's services, each as simple as its service allows, and what scales them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np

from scenarios.models import Defect, Scenario, Service
from simulator.autoscaling import Autoscaler
from simulator.compile import Compiled, capacity_of
from simulator.environment import SimulationEnvironment
from simulator.fleet import Fleet
from simulator.tended_fleet import Care, TendedFleet

__all__ = ["Replicas"]


class Replicas:
    """One service's fleets by version, old before new. Plans count in replicas of the scenario, autoscaling in its own.

    `defects` are those of each version; `rng_of` gives a version's replica its generator; `record` takes the version,
    what happened and the number of a replica; `scaled` the number that autoscaling wants.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        scenario: Scenario,
        compiled: Compiled,
        name: str,
        defects: Sequence[Sequence[Defect]],
        rng_of: Callable[[int, int], np.random.Generator],
        record: Callable[[str, str, int], None],
        scaled: Callable[[int], None],
    ) -> None:
        service = scenario.system.services[name]
        self._service = service
        self._env = env
        self._station = compiled.station(name)
        self._rng_of = rng_of
        self._record = record
        self._scaled = scaled
        self.planned = {
            version: 0 if place else service.replicas for place, version in enumerate(compiled.versions[name])
        }
        self.by_version: dict[str, Fleet] = {}
        self._serving = {next(iter(self.planned))}
        for place, version in enumerate(self.planned):
            care = _care(scenario, service, defects[place] if place < len(defects) else ())
            self.by_version[version] = self._fleet(place, version, capacity_of(scenario, service), care)
        self._worked_s: dict[tuple[int, int], float] = {}
        self._looked_s = 0.0
        self._autoscaler = None
        if service.autoscaling is not None:
            self._autoscaler = Autoscaler(
                env, service.autoscaling, service.replicas, self._utilisations, self._not_ready, self._scale
            )

    def _fleet(self, place: int, version: str, capacity: int, care: Care | None) -> Fleet:
        env, ordered = self._env, self.planned[version]
        if care is None:
            startup_s = 0.0 if self._service.startup is None else self._service.startup.params[0]
            return Fleet(env, self._station, place, capacity, startup_s, ordered)
        return TendedFleet(
            env,
            self._station,
            place,
            capacity,
            care,
            ordered,
            lambda number: self._rng_of(place, number),
            lambda what, number: self._record(version, what, number),
        )

    def wanted(self, replicas: int) -> int:
        """What a plan's number of replicas means now: autoscaling multiplies it."""
        if self._autoscaler is None:
            return replicas
        return math.ceil(replicas * self._autoscaler.wanted / self._service.replicas - 1e-9)

    def _scale(self, replicas: int) -> None:
        self._scaled(replicas)
        for version, fleet in self.by_version.items():
            assert isinstance(fleet, TendedFleet)
            fleet.order(self.wanted(self.planned[version]))

    def serve(self, versions: Collection[str]) -> None:
        """These versions get traffic: their replicas are the ones that autoscaling looks at."""
        self._serving = set(versions)

    def _not_ready(self) -> int:
        return sum(fleet.ordered - len(fleet.ready) for name, fleet in self.by_version.items() if name in self._serving)

    def _utilisations(self) -> list[float]:
        """Share of the workers' time that was work, since the last look, of each ready replica that gets traffic."""
        since_s, self._looked_s = self._looked_s, self._env.now
        workers_s = self._service.workers * (self._env.now - since_s)
        shares = []
        for place, (version, fleet) in enumerate(self.by_version.items()):
            for number in sorted(fleet.ready) if version in self._serving else ():
                worked_s = self._env.plane.worked_s(self._station, place, number)
                # One that was killed since counts anew; one that only drained had work of its own.
                share = (worked_s - self._worked_s.get((place, number), 0.0)) / workers_s
                self._worked_s[place, number] = worked_s
                shares.append(min(1.0, max(0.0, share)))
        return shares


def _care(scenario: Scenario, service: Service, defects: Sequence[Defect]) -> Care | None:
    """What the replicas of a version go through; None when a plain fleet tells as much."""
    zones = 0 if service.external else len(scenario.system.zones)
    lasts = [defect.crash_after_s for defect in defects if defect.crash_after_s is not None]
    starts = math.prod(1.0 - defect.crash for defect in defects)
    drawn = service.startup is not None and service.startup.kind != "constant"
    if not (zones or drawn or lasts or starts < 1 or service.readiness or service.liveness or service.autoscaling):
        return None
    return Care(
        startup=service.startup,
        readiness=service.readiness,
        liveness=service.liveness,
        crash_ratio=1.0 - starts,
        crash_after_s=min(lasts, default=None),
        zones=max(1, zones),
    )
