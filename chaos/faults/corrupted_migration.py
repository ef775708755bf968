"""Corrupted migration: one that ended halfway has renamed a column, and every statement that names it fails.

The column's rows are kept under another name, which says whose it is; the undo gives it its name back. Not modelled: a
migration that destroys rows, or that leaves some of them converted.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.database import store_of, store_or_refuse, table_or_refuse
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["CORRUPTED_MIGRATION"]

_SUFFIX = "_half_migrated"


class CorruptedMigrationFault:
    """The kind `corrupted_migration`."""

    kind = "corrupted_migration"
    confirmed = "the database does not know the column"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Give the column its name back; again, since the table may be busy."""
        return (Rung("rename back", _rename_back, 15.0), Rung("rename back again", _rename_back, 30.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a table or column that there is not."""
        effect = fault.corrupted_migration
        assert effect is not None
        store = store_or_refuse(surface, self.kind, effect.of)
        columns = table_or_refuse(store, self.kind, effect.of, effect.table)
        if effect.column not in columns:
            raise FaultRefused(
                f"corrupted_migration of {effect.of}: column(={effect.column}) must be one of {effect.table}'s: "
                f"{', '.join(sorted(columns))}"
            )
        undo = {
            "store": effect.of,
            "table": effect.table,
            "column": effect.column,
            "renamed": f"{effect.column}{_SUFFIX}",
        }
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Rename the column."""
        undo = entry.undo
        store_of(surface, entry).rename_column(undo["table"], undo["column"], undo["renamed"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The database does not know the column."""
        columns = store_of(surface, entry).columns(entry.undo["table"])
        if entry.undo["column"] in columns or entry.undo["renamed"] not in columns:
            raise FaultNotConfirmed(
                f"corrupted_migration of {entry.target}: {entry.undo['table']} has {sorted(columns)}, "
                f"must have {entry.undo['renamed']} in the place of {entry.undo['column']}"
            )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The column under its other name."""
        if entry.undo["renamed"] in store_of(surface, entry).columns(entry.undo["table"]):
            return f"{entry.undo['table']} of {entry.target} has {entry.undo['renamed']}"
        return None


def _rename_back(surface: Surface, entry: JournalEntry) -> None:
    store, undo = store_of(surface, entry), entry.undo
    if undo["renamed"] in store.columns(undo["table"]):
        store.rename_column(undo["table"], undo["renamed"], undo["column"])


CORRUPTED_MIGRATION = CorruptedMigrationFault()
