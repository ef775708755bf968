"""The store is undone like a fault: who served whom, and by which schema, is put back as the staging was brought up.

Rows stay as they are; only what a drill does to servers and schema is taken back.
"""

from __future__ import annotations

from chaos.faults.base import Rung
from chaos.faults.store_servers import HasStore
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry

__all__ = ["STORE_UNDO", "plan_store"]

_RESET_TIMEOUT_S = 120.0


def plan_store(surface: Surface, store: str, drill_id: str) -> JournalEntry:
    """The entry that brings a store's servers and schema back."""
    return new_entry(surface.token(), drill_id, STORE_UNDO.kind, store, {})


class StoreUndo:
    """The kind `store`."""

    kind = "store"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The servers first, then the schema; both leave alone what is as it was."""
        return (Rung("restore baseline", _restore, _RESET_TIMEOUT_S),)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Servers and schema that differ from how the staging was brought up."""
        assert isinstance(surface, HasStore), "no other staging has such an entry"
        return "; ".join(surface.store_differences(entry.target)) or None


def _restore(surface: Surface, entry: JournalEntry) -> None:
    assert isinstance(surface, HasStore), "no other staging has such an entry"
    surface.reset_store(entry.target)


STORE_UNDO = StoreUndo()
