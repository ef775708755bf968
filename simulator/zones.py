"""Zones that go out: every replica in one dies, whatever its service and version."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

import simpy

from scenarios.models import Zone
from simulator.environment import SimulationEnvironment
from simulator.fleet import Fleet
from simulator.tended_fleet import TendedFleet

__all__ = ["Zones"]


class Zones:
    """The zones by name, and the fleets that stand in them: all but those of third parties."""

    def __init__(self, env: SimulationEnvironment, names: Sequence[str], fleets: Iterable[Fleet]) -> None:
        self._env = env
        self._names = list(names)
        self._fleets = [fleet for fleet in fleets if isinstance(fleet, TendedFleet)]
        self._out: set[str] = set()

    def lose(self, outage: Zone) -> None:
        """The zone is out; lost replicas are replaced elsewhere where the outage says after how long."""
        self._out.add(outage.of)
        for fleet in self._fleets:
            fleet.lose_zone(self._names.index(outage.of))
        if outage.replaced_after_s is not None:
            self._env.process(self._replace(outage.of, outage.replaced_after_s))

    def regain(self, outage: Zone) -> simpy.Event:
        """The zone is back; fires when all that is ordered serves again."""
        self._out.discard(outage.of)
        return simpy.AllOf(self._env, [fleet.regain_zone(self._names.index(outage.of)) for fleet in self._fleets])

    def _replace(self, zone: str, after_s: float) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(after_s)
        if zone in self._out:
            for fleet in self._fleets:
                fleet.restore()
