"""The verbs for data (data_verbs.py) on the embedded staging: the orders in PostgreSQL, the payments in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime

import psycopg
from psycopg import sql

from chaos.errors import StagingError
from chaos.staging import postgres
from chaos.staging.data_verbs import Payment, StoredOrder
from chaos.staging.shop.payments_ledger import LEDGER_FILE
from chaos.staging.state import StateFile

__all__ = ["BASELINE", "OrdersData"]

BASELINE = "baseline"
_STATEMENT_TIMEOUT_MS = 15_000
# Settings that a drill, or somebody before it, may have changed, besides those that the servers were started with.
_ALSO = {"default_transaction_read_only": "off"}
_COLUMNS = """
    SELECT column_name, data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders'
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'orders'"
_REVISION = "SELECT version_num FROM alembic_version"


class OrdersData:
    """The data of an embedded staging. Holds no state of its own: every answer is read from the servers."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def declared(self) -> Mapping[str, str]:
        """As the servers were started, with the schema that both versions know."""
        settings = {name: value.strip("'") for name, value in postgres.SETTINGS.items()} | _ALSO
        columns = {f"column orders.{name}": text for name, text in postgres.COLUMNS.items()}
        indexes = {"index orders_pkey": "CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)"}
        return {
            "schema": BASELINE,
            **columns,
            **indexes,
            **{f"setting {name}": value for name, value in settings.items()},
        }

    def facts(self) -> Mapping[str, str]:
        """Read from the server that serves."""
        with self._connection() as connection:
            names = [*postgres.SETTINGS, *_ALSO]
            query = "SELECT name, current_setting(name) FROM unnest(%s::text[]) name"
            settings = connection.execute(query, (names,)).fetchall()
            columns = connection.execute(_COLUMNS).fetchall()
            indexes = connection.execute(_INDEXES).fetchall()
            return {
                "schema": _revision(connection),
                **{f"column orders.{name}": str(text) for name, text in columns},
                **{f"index {name}": str(text) for name, text in indexes},
                **{f"setting {name}": str(value) for name, value in settings},
            }

    def rows_until(self, moment: datetime) -> str:
        """Amounts count in whichever column the schema of now has them."""
        with self._connection() as connection:
            query = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(id || ':' || coalesce(round({amount}, 2), 0), 0)), 0)"
                " FROM orders WHERE created_at < %s"
            ).format(amount=_amount(connection))
            row = connection.execute(query, (moment,)).fetchone()
        assert row is not None, "an aggregate has one row"
        return f"{row[0]} rows, checksum {row[1]}"

    def orders_since(self, moment: datetime) -> list[StoredOrder]:
        """In the order of their ids."""
        with self._connection() as connection:
            query = sql.SQL("SELECT id, {amount} FROM orders WHERE created_at >= %s ORDER BY id").format(
                amount=_amount(connection)
            )
            rows = connection.execute(query, (moment,)).fetchall()
        return [StoredOrder(str(name), None if amount is None else float(amount)) for name, amount in rows]

    def payments_since(self, moment: datetime) -> list[Payment]:
        """In the order of their ids; none before the first payment of the staging."""
        path = self._file.folder / LEDGER_FILE
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as database:
                query = "SELECT order_id, amount FROM payments WHERE taken_at >= ? ORDER BY order_id"
                rows = database.execute(query, (moment.timestamp(),)).fetchall()
        except sqlite3.Error as error:
            raise StagingError(f"payments ledger {path}: cannot be read: {error}") from error
        return [Payment(str(name), float(amount)) for name, amount in rows]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """To the server that serves, not through Toxiproxy."""
        state = self._file.read()
        try:
            with psycopg.connect(
                postgres.dsn(state.ports["primary"], state.password),
                autocommit=True,
                options=f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
            ) as connection:
                yield connection
        except psycopg.Error as error:
            raise StagingError(f"orders database: {type(error).__name__}: {str(error).strip()}") from error


def _revision(connection: psycopg.Connection) -> str:
    """The migration that the schema stands at; before the first there is none."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return BASELINE
    row = connection.execute(_REVISION).fetchone()
    return BASELINE if row is None else str(row[0])


def _amount(connection: psycopg.Connection) -> sql.Composable:
    """Where the amount is: in the old column, else in the new one."""
    names = {row[0] for row in connection.execute(_COLUMNS).fetchall()}
    new = sql.SQL("amount_cents::numeric / 100")
    if "amount" not in names:
        return new
    return sql.SQL("coalesce(amount, {new})").format(new=new) if "amount_cents" in names else sql.SQL("amount")
