"""Standby: the server that stands by for the store is gone, by SIGKILL: it neither takes over nor acknowledges.

The undo brings it back: on its own data, from where it goes on streaming.

Not modelled: more than one standby; a standby that answers and does not keep up (`lag` does that).
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["STANDBY"]


class StandbyFault:
    """The kind `standby`."""

    kind = "standby"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Bring the server back; if that does not do, put all servers of the store back as they were."""
        return (Rung("bring back", _bring_back, 60.0), Rung("reset servers", _reset, 120.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Whoever stands by now."""
        effect, servers = fault.standby, servers_of(surface)
        assert effect is not None
        name = servers.other()
        if not servers.alive(name):
            raise FaultRefused(f"standby of {effect.of}: no standby runs")
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, {"server": name})

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGKILL."""
        servers_of(surface).kill(entry.undo["server"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """It does not run."""
        if servers_of(surface).alive(entry.undo["server"]):
            raise FaultNotConfirmed(f"standby of {entry.target}: {entry.undo['server']} still runs")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The server, while it is gone."""
        name = entry.undo["server"]
        return None if servers_of(surface).alive(name) else f"{name} of {entry.target} does not run"


def _bring_back(surface: Surface, entry: JournalEntry) -> None:
    servers_of(surface).bring_back(entry.undo["server"])


def _reset(surface: Surface, entry: JournalEntry) -> None:
    del entry
    servers_of(surface).reset()


STANDBY = StandbyFault()
