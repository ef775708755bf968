"""Standby: the server that stands by for the store is gone, by SIGKILL: it neither takes over nor acknowledges.

The undo brings it back: on its own data, from where it goes on streaming.

Not modelled: more than one standby; a standby that answers and does not keep up (`lag` does that).
"""

from __future__ import annotations

from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultRefused
from chaos.faults.server_kill import ServerKill
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["STANDBY"]


class StandbyFault(ServerKill):
    """The kind `standby`."""

    kind = "standby"

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Whoever stands by now."""
        effect, servers = fault.standby, servers_of(surface)
        assert effect is not None
        name = servers.other()
        if not servers.alive(name):
            raise FaultRefused(f"standby of {effect.of}: no standby runs")
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, {"server": name})


STANDBY = StandbyFault()
