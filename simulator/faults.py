"""The scenario's faults on the data plane.

Not modelled: what chaos/faults lists for the real ones, and the time it takes to put a fault in force or to take it
back; only killed replicas need their startup. A zone takes no store with it, and no third party.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import simpy

from rollout.errors import WorldError
from scenarios.models import Cut, Error, Fault, Kill, Lag, Latency, Outage, Primary, Standby, Zone
from simulator.compile import Compiled
from simulator.environment import SimulationEnvironment
from simulator.fleet import Fleet
from simulator.stores import Stores
from simulator.zones import Zones

__all__ = ["Faults"]


class Faults:
    """Puts faults in force and takes them back. `fleets` are those of our services by version, old before new."""

    def __init__(
        self,
        env: SimulationEnvironment,
        compiled: Compiled,
        fleets: Mapping[str, Mapping[str, Fleet]],
        stores: Stores,
        zones: Sequence[str] = (),
    ) -> None:
        self._env = env
        self._compiled = compiled
        self._fleets = fleets
        self._stores = stores
        self._victims: dict[str, list[Fleet]] = {}
        self._zones = Zones(env, zones, [fleet for each in fleets.values() for fleet in each.values()])

    def inject(self, fault: Fault) -> None:
        """In force from now on; WorldError when there are fewer replicas than to be killed."""
        effect, plane = fault.effect, self._env.plane
        if isinstance(effect, Latency):
            plane.set_latency(self._link(effect), effect.add_s, effect.jitter_s)
        elif isinstance(effect, Cut):
            plane.set_cut(self._link(effect), cut=True)
        elif isinstance(effect, Outage):
            self._set_outage(effect, cut=True)
        elif isinstance(effect, Error):
            plane.set_error_share(self._compiled.station(effect.on), effect.share)
        elif isinstance(effect, Zone):
            self._zones.lose(effect)
        elif isinstance(effect, Kill):
            self._victims[effect.of] = self._kill(effect)
        else:
            self._stores.inject(fault)  # simulator.unmodelled has refused every other kind

    def heal(self, fault: Fault) -> simpy.Event:
        """Fires when it is gone: at once, or when what was killed, and is still ordered, serves again."""
        effect, plane = fault.effect, self._env.plane
        if isinstance(effect, Latency):
            plane.set_latency(self._link(effect), 0.0, 0.0)
        elif isinstance(effect, Cut):
            plane.set_cut(self._link(effect), cut=False)
        elif isinstance(effect, Outage):
            self._set_outage(effect, cut=False)
        elif isinstance(effect, Error):
            plane.set_error_share(self._compiled.station(effect.on), 0.0)
        elif isinstance(effect, Zone):
            return self._zones.regain(effect)
        elif isinstance(effect, Primary | Standby | Lag):
            self._stores.heal(fault)
        else:
            hit = dict.fromkeys(self._victims.pop(fault.target))
            return simpy.AllOf(self._env, [fleet.restore() for fleet in hit])
        return self._env.event().succeed()

    def _link(self, effect: Latency | Cut) -> int:
        return self._compiled.links[effect.on.caller, effect.on.callee]

    def _set_outage(self, effect: Outage, *, cut: bool) -> None:
        for (_, callee), link in self._compiled.links.items():
            if callee == effect.of:
                self._env.plane.set_cut(link, cut=cut)

    def _kill(self, effect: Kill) -> list[Fleet]:
        """Of any version: first of the one with the most replicas left, as the harness does."""
        fleets = self._fleets[effect.of]
        names = sorted(fleets) if effect.version == "any" else [list(fleets)[effect.version == "new"]]
        running = sum(len(fleets[name].ready) for name in names)
        if running < effect.replicas:
            raise WorldError(
                f"kill of {effect.of}: replicas(={effect.replicas}) must be at most {running}, "
                f"those of version {effect.version} that run"
            )
        victims = []
        for _ in range(effect.replicas):
            fleet = fleets[max(names, key=lambda name: len(fleets[name].ready))]
            fleet.kill()
            victims.append(fleet)
        return victims
