"""Primary: the server that takes the store's writes is gone at once, by SIGKILL, and what it had not yet sent with it.

The undo brings it back on its own data; when a standby took over, or a restored server, it comes back as a standby of
that one, from a fresh copy: an old primary never serves again. `destroyed` deletes its data as well.

Not modelled: a primary that hangs or is cut off and still believes to serve (`cut` does that to its callers, and a
failover fences it); a machine whose address no longer answers instead of refusing.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultRefused
from chaos.faults.server_kill import ServerKill
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["PRIMARY"]


class PrimaryFault(ServerKill):
    """The kind `primary`."""

    kind = "primary"

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Whoever serves now."""
        effect, servers = fault.primary, servers_of(surface)
        assert effect is not None
        if not servers.alive(servers.serving):
            raise FaultRefused(f"primary of {effect.of}: {servers.serving} does not run")
        undo = {"server": servers.serving, "destroyed": effect.destroyed}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)


PRIMARY = PrimaryFault()
