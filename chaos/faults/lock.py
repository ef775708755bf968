"""Lock: somebody holds a table locked, so that every statement on it waits: a forgotten session, a long migration.

Held by a prepared transaction (ACCESS EXCLUSIVE), which outlives the harness and is found by its name. Confirmed by a
writer's lock that is refused. Statements that wait keep their connection, also after the shop has given them up. Not
modelled: locks on rows; deadlocks, which PostgreSQL ends by itself.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.database import store_of, store_or_refuse, table_or_refuse
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["LOCK"]


class LockFault:
    """The kind `lock`."""

    kind = "lock"
    confirmed = "a lock of our own on the table is refused"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Give the lock back; again, since the server may be busy."""
        return (Rung("unlock", _unlock, 15.0), Rung("unlock again", _unlock, 30.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a table that there is not, and one that is locked by a fault already."""
        effect = fault.lock
        assert effect is not None
        store = store_or_refuse(surface, self.kind, effect.of)
        table_or_refuse(store, self.kind, effect.of, effect.table)
        if effect.table in store.locks().values():
            raise FaultRefused(f"lock of {effect.of}: {effect.table} is locked already; faults cannot overlap")
        undo = {"store": effect.of, "table": effect.table}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Take the lock."""
        store_of(surface, entry).lock(_name(entry), entry.undo["table"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The server lists it, and refuses a writer."""
        store, table = store_of(surface, entry), entry.undo["table"]
        if store.locks().get(_name(entry)) != table or not store.is_locked(table):
            raise FaultNotConfirmed(f"lock of {entry.target}: {table} is not locked, must be")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The lock, if it is still held."""
        held = _name(entry) in store_of(surface, entry).locks()
        return f"{entry.undo['table']} of {entry.target} is locked" if held else None


def _name(entry: JournalEntry) -> str:
    return f"windtunnel-{entry.id}"


def _unlock(surface: Surface, entry: JournalEntry) -> None:
    store_of(surface, entry).unlock(_name(entry))


LOCK = LockFault()
