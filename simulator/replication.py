"""One replication: a release played once over one draw of everything that is random."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.events import Event
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.measuring import measure
from evidence.tables import Ledger, Samples
from rollout.controller import Controller
from scenarios.models import Defect, Scenario, Strategy
from simulator.compile import Compiled, compile_scenario
from simulator.contracts import links_apart
from simulator.environment import SimulationEnvironment
from simulator.errors import RequestError
from simulator.fidelity import plane_of, played_singly, require_modelled
from simulator.parts import judged_services
from simulator.recorded import Traffic
from simulator.rows import are_followed
from simulator.streams import defects_drawn, people, risks_drawn, tools
from simulator.world import SimulatedWorld

__all__ = ["Player", "Timeline", "Watch", "named_defects"]

Watch = Callable[[SimulationEnvironment], None]


@dataclass(frozen=True)
class Timeline:
    """All that one replication left for the record."""

    replication: int
    events: list[Event]
    samples: Samples
    ledger: Ledger


class Player:
    """Plays replications of one scenario under one strategy; each depends on the seed and its own number alone.

    `defects` None: drawn in each replication by their probabilities; else the names of those that the new version has
    in all of them. Raises RequestError for a name that the scenario does not have, and for what its fidelity
    does not model.
    """

    def __init__(
        self,
        scenario: Scenario,
        strategy: Strategy,
        seed: int,
        defects: Sequence[str] | None = None,
    ) -> None:
        self._scenario = scenario
        self._strategy = strategy
        self._seed = seed
        self._forced = None if defects is None else named_defects(scenario, defects)
        self._compiled: Compiled = compile_scenario(scenario, toggled=strategy.toggle is not None)
        self._plan = MeasurePlan.of(scenario)
        self._judged_names = {*judged_services(scenario.release), *judged_services(strategy)}
        self._judged = frozenset(self._compiled.station(name) for name in self._judged_names)
        require_modelled(scenario)

    def measures(self, replication: int, watch: Watch | None = None) -> list[FunctionMeasure]:
        """Play, and measure each function; `watch` may start processes of its own before the first moment."""
        events, traffic = self._play(replication, watch, detailed=self._judged)
        return measure(
            self._plan,
            events,
            traffic.clients(),
            traffic.writes(),
            strategy=self._strategy.kind,
            replication=replication,
            services=traffic.services(),
        )

    def _singly(self, defects: Collection[Defect]) -> frozenset[int]:
        return played_singly(self._scenario, self._compiled, self._judged_names, defects)

    def load(self) -> None:
        """Load, or compile, the kernel that plays this, so that processes forked from now on have it."""
        singly = self._singly(self._scenario.release.defects)
        plane_of(self._scenario.fidelity, self._compiled.network, self._seed, 0, singly=singly)

    def latency_s(self, replication: int) -> NDArray[np.float64]:
        """Play; the mean latency of the successful answers by cell, of all functions: the upper edges of their bins."""
        _, traffic = self._play(replication)
        counts = np.einsum("tfcb->tb", traffic.clients().latency)
        edges = np.append(self._plan.edges, self._plan.edges[-1])
        return np.asarray(counts @ edges / np.maximum(1, counts.sum(axis=1)), dtype=np.float64)

    def timeline(self, replication: int) -> Timeline:
        """Play, and keep everything."""
        events, traffic = self._play(replication)
        stores, functions = self._compiled.stores, self._compiled.functions
        return Timeline(
            replication,
            events,
            traffic.samples(replication),
            traffic.writes().ledger(stores, functions, replication=replication),
        )

    def _play(
        self, replication: int, watch: Watch | None = None, detailed: Collection[int] | None = None
    ) -> tuple[list[Event], Traffic]:
        """`detailed`: stations of whose answers more than their number will be read, None: all."""
        scenario = self._scenario
        defects = self._forced
        if defects is None:
            defects = defects_drawn(scenario.release.defects, self._seed, replication)
        plane = plane_of(
            scenario.fidelity,
            self._compiled.network,
            self._seed,
            replication,
            detailed,
            rows_followed=are_followed(scenario),
            apart=links_apart(scenario, self._compiled),
            singly=self._singly(defects),
        )
        world = SimulatedWorld(
            scenario, self._compiled, plane, defects, tools(self._seed, replication), replication, self._seed
        )
        names = [defect.name for defect in defects]
        world.record("load-start", "load")
        risks = risks_drawn(scenario.release.rollback_risks, self._seed, replication)
        Controller(world, scenario, self._strategy, names, people(self._seed, replication), risks).start()
        try:
            if watch is not None:
                watch(world.clock)
            world.play(scenario.duration_s)
            for station, near_s in plane.near_capacity_s().items():
                world.record("near-capacity", self._compiled.name_of(station), for_s=near_s)
            world.record("load-end", "load")
            world.drain()
            recording = plane.recording()
            return world.events, Traffic(self._compiled, recording, world.found(recording.writes))
        finally:
            plane.close()


def named_defects(scenario: Scenario, names: Sequence[str]) -> list[Defect]:
    """The scenario's defects of these names; raises RequestError for one that it does not have."""
    known = {defect.name: defect for defect in scenario.release.defects}
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "(there is none)"
            raise RequestError(f"defect(={name}) must be one of the scenario's: {listed}")
    return [known[name] for name in dict.fromkeys(names)]
