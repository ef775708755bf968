"""Faults' surface of a store (chaos.faults.store_surface) on PostgreSQL itself, not through Toxiproxy.

A lock is held by a prepared transaction: it outlives whoever took it, has a name, and is listed by the server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, sql

from chaos.errors import StagingError

__all__ = ["PostgresFaults"]

_STATEMENT_TIMEOUT_MS = 8_000
_LOCK_TIMEOUT_MS = 5_000
_RELOAD_TIMEOUT_S = 3.0
_POLL_S = 0.05
_SETTING = "default_transaction_read_only"
_FREE = """
    SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - count(*) FILTER (WHERE pid <> pg_backend_pid())
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
_LOCKS = """
    SELECT x.gid, c.relname FROM pg_prepared_xacts x
    JOIN pg_locks own ON own.locktype = 'transactionid' AND own.transactionid = x.transaction AND own.granted
    JOIN pg_locks l ON l.virtualtransaction = own.virtualtransaction
    JOIN pg_class c ON c.oid = l.relation
    WHERE x.database = current_database() AND l.mode = 'AccessExclusiveLock' AND c.relkind = 'r'
"""
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
# libpq tells why it could not connect in words alone: no slot is left, or none but those reserved.
_FULL = ("too many clients already", "remaining connection slots are reserved")


class PostgresFaults:
    """Fulfils StoreSurface. Opens a connection for each call; `dsn` is a superuser's, `clients` that of the replicas.

    A superuser's finds a slot also when clients have taken all of theirs.
    """

    def __init__(self, dsn: str, clients: str) -> None:
        self._dsn = dsn
        self._clients = clients

    def free_connections(self) -> int:
        """0 when not even one more is taken."""
        try:
            psycopg.connect(self._clients).close()
        except psycopg.Error as error:
            if any(words in str(error) for words in _FULL):
                return 0
            raise StagingError(f"database: {str(error).strip()}") from error
        with self._connection() as connection:
            row = connection.execute(_FREE).fetchone()
            assert row is not None
            return max(0, int(row[0]))

    def refuses_writes(self) -> bool:
        """Tried on the staging's own table."""
        with self._connection(as_clients=True) as connection, connection.transaction(force_rollback=True):
            try:
                connection.execute("INSERT INTO windtunnel_staging VALUES ('tried')")
            except errors.ReadOnlySqlTransaction:
                return True
        return False

    def read_only(self) -> bool:
        """As a client that connects now has it."""
        with self._connection(as_clients=True) as connection:
            return connection.execute(f"SHOW {_SETTING}").fetchone() == ("on",)

    def set_read_only(self, on: bool) -> None:
        """By the server's own configuration, read back; off is as if it had never been set."""
        order = f"ALTER SYSTEM SET {_SETTING} = on" if on else f"ALTER SYSTEM RESET {_SETTING}"
        with self._connection() as connection:
            connection.execute(order)
            connection.execute("SELECT pg_reload_conf()")
        deadline_s = time.monotonic() + _RELOAD_TIMEOUT_S
        while self.read_only() is not on:
            if time.monotonic() > deadline_s:
                raise StagingError(f"{_SETTING}(={self.read_only()}) must be {on}")
            time.sleep(_POLL_S)

    def locks(self) -> Mapping[str, str]:
        """Held by prepared transactions."""
        with self._connection() as connection:
            return dict(connection.execute(_LOCKS).fetchall())

    def lock(self, name: str, table: str) -> None:
        """Waits for those at work on the table."""
        with self._connection(autocommit=False) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
            connection.execute(sql.SQL("PREPARE TRANSACTION {}").format(sql.Literal(name)))

    def unlock(self, name: str) -> None:
        """Rolled back: it changed nothing."""
        with self._connection() as connection:
            held = connection.execute("SELECT 1 FROM pg_prepared_xacts WHERE gid = %s", (name,)).fetchone()
            if held is not None:
                connection.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(name)))

    def is_locked(self, table: str) -> bool:
        """Tried with the lock that an insert takes."""
        query = sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE NOWAIT").format(sql.Identifier(table))
        with self._connection() as connection, connection.transaction(force_rollback=True):
            try:
                connection.execute(query)
            except errors.LockNotAvailable:
                return True
        return False

    def columns(self, table: str) -> set[str]:
        """As the catalogue has them."""
        with self._connection() as connection:
            return {name for (name,) in connection.execute(_COLUMNS, (table,)).fetchall()}

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Waits for those at work on the table."""
        names = (sql.Identifier(name) for name in (table, old, new))
        with self._connection() as connection:
            connection.execute(sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(*names))

    @contextmanager
    def _connection(
        self, *, autocommit: bool = True, as_clients: bool = False
    ) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """`as_clients`: read only where the server is; else never, so that an undo can undo that."""
        options = f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c lock_timeout={_LOCK_TIMEOUT_MS}"
        if not as_clients:
            options += f" -c {_SETTING}=off"
        try:
            with psycopg.connect(self._dsn, autocommit=autocommit, options=options) as connection:
                yield connection
        except psycopg.Error as error:
            raise StagingError(f"database: {str(error).strip()}") from error
