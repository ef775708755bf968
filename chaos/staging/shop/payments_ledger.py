"""The ledger of payments: what was taken for which order, kept apart from the orders' database.

SQLite in a file of the staging: a store of its own, which no fault of the orders' database reaches. A payment is
idempotent by its order, because callers retry.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

__all__ = ["LEDGER_FILE", "LEDGER_FOLDER", "PaymentsLedger"]

# Of a staging, with nothing else in it.
LEDGER_FOLDER = "payments"
LEDGER_FILE = "payments.sqlite"
_BUSY_TIMEOUT_S = 2.0
_TABLE = """
    CREATE TABLE IF NOT EXISTS payments (order_id TEXT PRIMARY KEY, amount REAL NOT NULL, taken_at REAL NOT NULL)
"""


class PaymentsLedger:
    """One replica's hold of the ledger. `taken_at` is in seconds since the epoch."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        # A killed process loses nothing that it wrote; only the machine's death would, and the staging with it.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_TABLE)

    def take(self, order_id: str, amount: float) -> None:
        """Take the money, once for each order. About 30 us, so it is done in the loop. Raises sqlite3.Error."""
        self._database.execute(
            "INSERT INTO payments VALUES (?, ?, ?) ON CONFLICT (order_id) DO NOTHING", (order_id, amount, time.time())
        )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
