"""What a drill needs of a staging's data: read it, change its schema, bring it back. One protocol for every adapter.

All calls block, have their own time limits, and raise StagingError when the staging cannot or does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["DataVerbs", "Payment", "StoredOrder"]


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as the store has it. `amount` is None where the old schema's column is empty or gone."""

    id: str
    amount: float | None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the payments ledger has it."""

    order_id: str
    amount: float


class DataVerbs(Protocol):
    """The data of one staging."""

    def rows_until(self, moment: datetime) -> str:
        """Count and checksum of the rows that were there at that moment, from what is there now."""
        ...

    def orders_since(self, moment: datetime) -> list[StoredOrder]:
        """Orders that were written since."""
        ...

    def payments_since(self, moment: datetime) -> list[Payment]:
        """Payments that were taken since."""
        ...
