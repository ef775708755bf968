"""The verbs for data (data_verbs.py) on the embedded staging: the orders in PostgreSQL, the payments in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import UTC, datetime

from psycopg import sql

from chaos.errors import StagingError
from chaos.invariants import wrong_orders
from chaos.staging import postgres
from chaos.staging.backups import Backups
from chaos.staging.data_verbs import BASELINE, BackedUp, Payment, Restored, StoredOrder
from chaos.staging.migrating import Migrations
from chaos.staging.servers import Servers
from chaos.staging.shop.payments_ledger import LEDGER_FILE, LEDGER_FOLDER
from chaos.staging.state import StateFile

__all__ = ["OrdersData"]

# Settings that a drill, or somebody before it, may have changed, besides those that the servers were started with.
_ALSO = {"default_transaction_read_only": "off"}
# What else somebody has set for this database, by the server's own configuration, for the database, or for a user;
# without what the servers set for each other.
_OTHER = "setting any other"
_OURS = (
    *("archive_mode", "archive_command", "archive_timeout", "primary_conninfo", "synchronous_standby_names"),
    *("restore_command", "recovery_target_time", "recovery_target_action", "recovery_target_inclusive"),
)
_OTHERS = """
    SELECT coalesce(string_agg(name || ' = ' || setting, ', ' ORDER BY name), 'none') FROM pg_settings
    WHERE (source IN ('database', 'user', 'database user') OR sourcefile LIKE '%%postgresql.auto.conf')
        AND name <> ALL(%s)
"""
_EVER = datetime(2000, 1, 1, tzinfo=UTC)
# Columns of an amount, and what each has of a payment's.
_PAID = {"amount": "amount = paid.amount", "amount_cents": "amount_cents = round(paid.amount * 100)"}
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'orders'"


class OrdersData:
    """The data of an embedded staging. Holds no state of its own: every answer is read from the servers."""

    def __init__(self, file: StateFile, servers: Servers) -> None:
        self._file = file
        self._servers = servers
        self._migrations = Migrations(file, servers)
        self._backups = Backups(file, servers)

    def declared(self) -> Mapping[str, str]:
        """As the servers were started, with the schema that both versions know."""
        settings = {name: value.strip("'") for name, value in postgres.SETTINGS.items()} | _ALSO
        columns = {f"column orders.{name}": text for name, text in postgres.COLUMNS.items()}
        indexes = {"index orders_pkey": "CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)"}
        return {
            **self._servers.declared(),
            "schema": BASELINE,
            **columns,
            **indexes,
            **{f"setting {name}": value for name, value in settings.items()},
            _OTHER: "none",
        }

    def facts(self) -> Mapping[str, str]:
        """Read from the server that serves."""
        with self._servers.connection(as_client=True) as connection:
            names = [*postgres.SETTINGS, *_ALSO]
            query = "SELECT name, current_setting(name) FROM unnest(%s::text[]) name"
            settings = connection.execute(query, (names,)).fetchall()
            others = connection.execute(_OTHERS, ([*names, *_OURS],)).fetchone()
            assert others is not None, "an aggregate has one row"
            indexes = connection.execute(_INDEXES).fetchall()
            return {
                **self._servers.facts(),
                "schema": self._migrations.revision(),
                **{f"column orders.{name}": str(text) for name, text in self._migrations.columns().items()},
                **{f"index {name}": str(text) for name, text in indexes},
                **{f"setting {name}": str(value) for name, value in settings},
                _OTHER: str(others[0]),
            }

    def rows_until(self, moment: datetime) -> str:
        """Amounts count in whichever column the schema of now has them."""
        with self._servers.connection() as connection:
            query = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(id || ':' || coalesce(round({amount}, 2), 0), 0)), 0)"
                " FROM orders WHERE created_at < %s"
            ).format(amount=_amount(self._migrations.columns()))
            row = connection.execute(query, (moment,)).fetchone()
        assert row is not None, "an aggregate has one row"
        return f"{row[0]} rows, checksum {row[1]}"

    def orders_since(self, moment: datetime) -> list[StoredOrder]:
        """In the order of their ids."""
        return self._orders(sql.SQL("created_at >= %s"), moment)

    def _orders(self, which: sql.SQL, value: object) -> list[StoredOrder]:
        query = sql.SQL("SELECT id, {amount}, created_at FROM orders WHERE {which} ORDER BY id").format(
            amount=_amount(self._migrations.columns()), which=which
        )
        with self._servers.connection() as connection:
            rows = connection.execute(query, (value,)).fetchall()
        return [StoredOrder(str(name), None if amount is None else float(amount), at) for name, amount, at in rows]

    def payments_since(self, moment: datetime) -> list[Payment]:
        """In the order of their ids; none before the first payment of the staging."""
        path = self._file.folder / LEDGER_FOLDER / LEDGER_FILE
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as database:
                query = "SELECT order_id, amount FROM payments WHERE taken_at >= ? ORDER BY order_id"
                rows = database.execute(query, (moment.timestamp(),)).fetchall()
        except sqlite3.Error as error:
            raise StagingError(f"payments ledger {path}: cannot be read: {error}") from error
        return [Payment(str(name), float(amount)) for name, amount in rows]

    def fail_over(self) -> datetime | None:
        """To the standby."""
        return self._servers.fail_over()

    def store_differences(self) -> list[str]:
        """Of servers, schema and rows."""
        declared = {name: value for name, value in self.declared().items() if not name.startswith("setting ")}
        facts = self.facts()
        differences = [
            f"{name}: {facts.get(name, 'not there')}, was {declared.get(name, 'not there')}"
            for name in sorted({*declared, *facts})
            if not name.startswith("setting ") and declared.get(name) != facts.get(name)
        ]
        wrong = self.wrong_since(_EVER)
        return [*differences, f"{len(wrong)} orders are wrong, such as {wrong[0].id}"] if wrong else differences

    def reset(self) -> None:
        """Servers, then schema, as at the start; then rows, which would go on hurting whoever reads them."""
        self._servers.reset()
        self._migrations.reset()
        self._put_right()

    def migrate(self, phase: str, lock_s: float) -> None:
        """By Alembic."""
        self._migrations.play(phase, lock_s)

    def migration_state(self) -> str:
        """Alembic's revision."""
        return self._migrations.revision()

    def end_migration(self) -> None:
        """Its connection is ended, and with it its process."""
        self._migrations.end()

    def reconcile(self) -> int:
        """Amounts as they were paid; then amounts in cents to amounts."""
        return self._put_right() + self._migrations.reconcile()

    @property
    def tells_wrong(self) -> bool:
        """By the payments' ledger."""
        return True

    def wrong_since(self, moment: datetime) -> list[StoredOrder]:
        """By the payments' ledger."""
        payments = self.payments_since(moment)
        orders = self._orders(sql.SQL("id = ANY(%s)"), [payment.order_id for payment in payments])
        return wrong_orders(orders, payments)

    def _put_right(self) -> int:
        """By the payments' ledger, which no release of checkout writes to; how many rows."""
        paid = {payment.order_id: payment.amount for payment in self.payments_since(_EVER)}
        names = [order.id for order in self.wrong_since(_EVER)]
        if not names:
            return 0
        columns = self._migrations.columns()
        values = [sql.SQL(text) for name, text in _PAID.items() if name in columns]
        query = sql.SQL(
            "UPDATE orders SET {values} FROM unnest(%s::text[], %s::numeric[]) AS paid(id, amount)"
            " WHERE orders.id = paid.id"
        ).format(values=sql.SQL(", ").join(values))
        with self._servers.connection() as connection:
            return connection.execute(query, (names, [paid[name] for name in names])).rowcount

    def back_up(self) -> BackedUp:
        """By pg_basebackup and pg_verifybackup."""
        return self._backups.take()

    def restore(self, until: datetime) -> Restored:
        """Into the server `restored`."""
        return self._backups.restore(until)

    def read_column(self, by_new: bool) -> str | None:
        """The column that a version reads amounts from: a row without it is not there for that version.

        None where the version does not find its column: then it can serve nobody.
        """
        name = "amount_cents" if by_new and self._file.read().config.store.migration is not None else "amount"
        return name if name in self._migrations.columns() else None


def _amount(columns: Collection[str]) -> sql.Composable:
    """Where the amount is: in the old column, else in the new one."""
    new = sql.SQL("amount_cents::numeric / 100")
    if "amount" not in columns:
        return new
    return sql.SQL("coalesce(amount, {new})").format(new=new) if "amount_cents" in columns else sql.SQL("amount")
