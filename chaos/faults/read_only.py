"""Read only: the database refuses every write, by its own configuration (default_transaction_read_only).

Holds for transactions that begin from then on, of connections that are open too. Confirmed by a write that is tried.
Not modelled: a client that sets its session to read and write; a standby that somebody writes to.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.database import store_of, store_or_refuse
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["READ_ONLY"]


class ReadOnlyFault:
    """The kind `read_only`."""

    kind = "read_only"
    confirmed = "a write of our own is refused"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Reset the setting; again, since the server may be busy."""
        return (Rung("reset setting", _reset, 15.0), Rung("reset setting again", _reset, 30.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a database that is read only already."""
        effect = fault.read_only
        assert effect is not None
        if store_or_refuse(surface, self.kind, effect.of).read_only():
            raise FaultRefused(f"read_only of {effect.of}: it is read only already; faults cannot overlap")
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, {"store": effect.of})

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Set it."""
        store_of(surface, entry).set_read_only(True)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """A write is refused."""
        if not store_of(surface, entry).refuses_writes():
            raise FaultNotConfirmed(f"read_only of {entry.target}: it took a write, must refuse it")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The setting, or a write that is still refused."""
        store = store_of(surface, entry)
        return f"{entry.target} is read only" if store.read_only() or store.refuses_writes() else None


def _reset(surface: Surface, entry: JournalEntry) -> None:
    store_of(surface, entry).set_read_only(False)


READ_ONLY = ReadOnlyFault()
