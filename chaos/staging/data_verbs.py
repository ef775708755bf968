"""What a drill needs of a staging's data: change its schema and bring it back; read its books, where it has them.

All calls block, have their own time limits, and raise StagingError when the staging cannot or does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chaos.errors import StagingError

__all__ = ["BASELINE", "PHASES", "BackedUp", "Books", "DataVerbs", "NothingLeft", "Payment", "Restored", "StoredOrder"]

PHASES = ("expand", "backfill", "switch", "contract", "revert")
"""Of a migration."""
BASELINE = "baseline"
"""Where a schema stands before the first phase, and after the revert."""


class NothingLeft(StagingError):
    """What the verb needs is gone for good: no standby, no backup, or a schema past its point of no return."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as the store has it, and when it was written. `amount` is None where none has one, or nobody tells."""

    id: str
    amount: float | None
    written: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the payments ledger has it."""

    order_id: str
    amount: float


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was taken, and verified against its manifest; whether it restores is known when it has."""

    taken: datetime
    size_bytes: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was restored, and read. Rows committed after `kept` are gone; `rows` were counted in it."""

    taken: datetime
    kept: datetime
    rows: int


class Books(Protocol):
    """Orders and payments of one staging, in two places that must agree."""

    def rows_until(self, moment: datetime) -> str:
        """Count and checksum of the rows that were there at that moment, from what is there now."""
        ...

    def orders_since(self, moment: datetime) -> list[StoredOrder]:
        """Orders that were written since."""
        ...

    def payments_since(self, moment: datetime) -> list[Payment]:
        """Payments that were taken since."""
        ...


class DataVerbs(Protocol):
    """The data of one staging."""

    @property
    def tells_wrong(self) -> bool:
        """Whether it knows which rows are wrong."""
        ...

    def wrong_since(self, moment: datetime) -> list[StoredOrder]:
        """Rows that are there, and are not what was acknowledged, of those written since."""
        ...

    def migrate(self, phase: str, lock_s: float) -> None:
        """Play a phase of the migration: expand, backfill, switch, contract or revert. Raises NothingLeft.

        For `lock_s` it keeps the lock that it takes, so that all statements wait.
        """
        ...

    def migration_state(self) -> str:
        """The last phase that the schema has seen; BASELINE before the first, and after the revert."""
        ...

    def end_migration(self) -> None:
        """End a phase that is at work; it is as if it had not begun, but for batches that it had committed."""
        ...

    def reconcile(self) -> int:
        """Put right what rows are wrong, and give the old schema what only the new one has; in how many rows."""
        ...

    def fail_over(self) -> datetime | None:
        """Have a standby take over; the old primary is fenced. Raises NothingLeft.

        When the last write was made that the new one has, or None when it has all that there was.
        """
        ...

    def back_up(self) -> BackedUp:
        """Take a backup and verify it."""
        ...

    def restore(self, until: datetime) -> Restored:
        """A fresh instance from the last backup, played on to this moment, serves from now on. Raises NothingLeft."""
        ...
