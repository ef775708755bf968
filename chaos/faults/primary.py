"""Primary: the server that takes the store's writes is gone at once, by SIGKILL, and what it had not yet sent with it.

The undo brings it back on its own data; when a standby took over, or a restored server, it comes back as a standby of
that one, from a fresh copy: an old primary never serves again. `destroyed` deletes its data as well.

Not modelled: a primary that hangs or is cut off and still believes to serve (`cut` does that to its callers, and a
failover fences it); a machine whose address no longer answers instead of refusing.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["PRIMARY"]


class PrimaryFault:
    """The kind `primary`."""

    kind = "primary"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Bring the server back; if that does not do, put all servers of the store back as they were."""
        return (Rung("bring back", _bring_back, 60.0), Rung("reset servers", _reset, 120.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Whoever serves now."""
        effect, servers = fault.primary, servers_of(surface)
        assert effect is not None
        if not servers.alive(servers.serving):
            raise FaultRefused(f"primary of {effect.of}: {servers.serving} does not run")
        undo = {"server": servers.serving, "destroyed": effect.destroyed}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGKILL."""
        servers_of(surface).kill(entry.undo["server"], destroy=entry.undo["destroyed"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """It does not run."""
        if servers_of(surface).alive(entry.undo["server"]):
            raise FaultNotConfirmed(f"primary of {entry.target}: {entry.undo['server']} still runs")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The server, while it is gone."""
        name = entry.undo["server"]
        return None if servers_of(surface).alive(name) else f"{name} of {entry.target} does not run"


def _bring_back(surface: Surface, entry: JournalEntry) -> None:
    servers_of(surface).bring_back(entry.undo["server"])


def _reset(surface: Surface, entry: JournalEntry) -> None:
    del entry
    servers_of(surface).reset()


PRIMARY = PrimaryFault()
