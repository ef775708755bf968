"""Primary: the server that takes the store's writes is gone at once, by SIGKILL, and what it had not yet sent with it.

`partitioned`, it runs on instead, cut off from callers and standby alike: it may believe that it serves, and who takes
over must fence it first. `destroyed` deletes its data as well.

The undo brings it back on its own data, or lets it back; when a standby took over, or a restored server, it comes back
as a standby of that one, from a fresh copy: an old primary never serves again.

Not modelled: a primary that hangs; one that some callers still reach, who would write to it beside the new one; a
machine whose address no longer answers instead of refusing.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.server_kill import ServerKill
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["PRIMARY"]


class PrimaryFault(ServerKill):
    """The kind `primary`."""

    kind = "primary"
    confirmed = "the server's process does not run; partitioned, it runs and no way leads to it"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Let it back where it runs on; then as after any kill."""
        return (Rung("let back", _let_back, 60.0), *super().rungs)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Whoever serves now; refused while it is cut off already, which the undo of the one would lift for both."""
        effect, servers = fault.primary, servers_of(surface)
        assert effect is not None
        if not servers.alive(servers.serving):
            raise FaultRefused(f"primary of {effect.of}: {servers.serving} does not run")
        if effect.partitioned and not servers.connected():
            raise FaultRefused(f"primary of {effect.of}: {servers.serving} is cut off already; faults cannot overlap")
        undo = {"server": servers.serving, "destroyed": effect.destroyed, "partitioned": effect.partitioned}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Cut off, or killed."""
        if _partitioned(entry):
            servers_of(surface).cut_off()
        else:
            super().apply(surface, entry)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """It does not run; or it does, and nobody reaches it."""
        if not _partitioned(entry):
            super().confirm(surface, entry)
        elif not servers_of(surface).alive(entry.undo["server"]) or servers_of(surface).connected():
            raise FaultNotConfirmed(
                f"primary of {entry.target}: {entry.undo['server']} must run, with no way to it from callers or standby"
            )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The server, while it is gone or cut off."""
        if not _partitioned(entry) or not servers_of(surface).alive(entry.undo["server"]):
            return super().residue(surface, entry)
        return None if servers_of(surface).connected() else f"{entry.undo['server']} of {entry.target} is cut off"


def _partitioned(entry: JournalEntry) -> bool:
    return bool(entry.undo.get("partitioned", False))


def _let_back(surface: Surface, entry: JournalEntry) -> None:
    if _partitioned(entry):
        servers_of(surface).let_back()


PRIMARY = PrimaryFault()
