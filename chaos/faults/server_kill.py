"""What a lost primary and a lost standby have in common: a server of the store is gone by SIGKILL, and brought back."""

from __future__ import annotations

from chaos.faults.base import Rung
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry

__all__ = ["ServerKill"]


class ServerKill:
    """Base of such kinds; an entry names its `server`, and whether its data is `destroyed` as well."""

    kind: str
    confirmed = "the server's process does not run"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Bring the server back; if that does not do, put all servers of the store back as they were."""
        return (Rung("bring back", _bring_back, 60.0), Rung("reset servers", _reset, 120.0))

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGKILL."""
        servers_of(surface).kill(entry.undo["server"], destroy=entry.undo.get("destroyed", False))

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """It does not run."""
        if servers_of(surface).alive(entry.undo["server"]):
            raise FaultNotConfirmed(f"{self.kind} of {entry.target}: {entry.undo['server']} still runs")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The server, while it is gone."""
        name = entry.undo["server"]
        return None if servers_of(surface).alive(name) else f"{name} of {entry.target} does not run"


def _bring_back(surface: Surface, entry: JournalEntry) -> None:
    servers_of(surface).bring_back(entry.undo["server"])


def _reset(surface: Surface, entry: JournalEntry) -> None:
    del entry
    servers_of(surface).reset()
