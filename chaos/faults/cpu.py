"""CPU: a service's processes run for a share of the time only, as under the CPU quota of a container.

A process of its own (agents/) stops and continues all replicas of the service together, ten times a second, those
that start meanwhile too; it ends by its own time at the latest. Confirmed by replicas that are found stopped. Not
modelled: neighbours that compete for the processor, which would slow down the load generator as well.
"""

from __future__ import annotations

import time

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.processes import ProcessId
from scenarios.models import Fault

__all__ = ["CPU"]

_AGENT = "throttle"
_SHARE_MIN = 0.05
_SHARE_MAX = 0.95
_AFTERWARDS_S = 60.0
_CONFIRM_TIMEOUT_S = 15.0
_POLL_S = 0.003


class CpuFault:
    """The kind `cpu`."""

    kind = "cpu"
    confirmed = "a replica is found stopped"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """End the agent and let all replicas go on; again."""
        return (Rung("end throttling", _end, 15.0), Rung("end throttling again", _end, 15.0))

    def require_possible(self, fault: Fault) -> None:
        """Refuses a share that ten turns a second cannot keep."""
        effect = fault.cpu
        assert effect is not None
        if not _SHARE_MIN <= effect.share <= _SHARE_MAX:
            raise FaultRefused(
                f"cpu of {effect.of}: share(={effect.share:g}) must be in {_SHARE_MIN:g}..{_SHARE_MAX:g}"
            )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses replicas that stand still already."""
        self.require_possible(fault)
        effect = fault.cpu
        assert effect is not None
        try:
            replicas = _replicas(surface, effect.of)
        except StagingError as error:
            raise FaultRefused(f"cpu of {effect.of}: {error}") from error
        if not replicas or any(surface.state(process) == "paused" for process in replicas):
            raise FaultRefused(f"cpu of {effect.of}: must have replicas, none of which stands still already")
        undo = {"service": effect.of, "share": effect.share, "lifetime_s": fault.for_s + _AFTERWARDS_S}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Start the agent."""
        arguments = {"service": entry.undo["service"], "share": entry.undo["share"]}
        surface.start_agent(entry.id, _AGENT, arguments, entry.undo["lifetime_s"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The agent runs, and a replica is found stopped."""
        deadline_s = time.monotonic() + _CONFIRM_TIMEOUT_S
        replicas = _replicas(surface, entry.undo["service"])
        while not any(surface.state(process) == "paused" for process in replicas):
            if not surface.agents(entry.id):
                raise FaultNotConfirmed(f"cpu of {entry.target}: its agent does not run, must")
            if time.monotonic() > deadline_s:
                raise FaultNotConfirmed(
                    f"cpu of {entry.target}: no replica was stopped within {_CONFIRM_TIMEOUT_S:g} s, must be"
                )
            time.sleep(_POLL_S)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """An agent that runs, or a replica that it left stopped."""
        if surface.agents(entry.id):
            return f"{entry.target} is throttled"
        left = [process for process in _replicas(surface, entry.target) if surface.state(process) == "paused"]
        return f"{entry.target}: {len(left)} replicas stand still" if left else None


def _replicas(surface: Surface, service: str) -> list[ProcessId]:
    return [process for version in surface.running(service).values() for process in version]


def _end(surface: Surface, entry: JournalEntry) -> None:
    surface.stop_agents(entry.id)
    for process in _replicas(surface, entry.undo["service"]):
        surface.resume(process)


CPU = CpuFault()
