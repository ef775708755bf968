"""The ledger of writes: what was asked for, what was acknowledged, and what is there in the end.

After Jepsen's histories (invoke, ok, fail, info): a write is `ok` when it was acknowledged,
`failed` only when it certainly was not done because it was never sent, and `indeterminate` in every
other case. An error answer or a timeout says nothing about the write: the answer may have been lost
after the commit. What counts as a loss is the judge's business; here the facts are put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from chaos.errors import ChaosError
from chaos.load.raw import RawSamples
from chaos.load.schedule import write_id
from evidence.tables import Ledger

__all__ = [
    "FinalRead",
    "LedgerError",
    "StoreTable",
    "done_against_the_odds",
    "final_read",
    "from_load",
    "looked_up",
    "there_despite",
]

ACKNOWLEDGED = (200, 201)  # 202 promises to try, which is no acknowledgement
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 60
# By so much the clocks of a store and of the harness may differ.
CLOCKS_S = 1.0


class LedgerError(ChaosError):
    """The final read could not be made; nothing is known about what is in the store."""


@dataclass(frozen=True)
class StoreTable:
    """Where a store keeps its writes, one row each.

    A row without a value in `read_column` is not found: the version that serves does not see it.
    """

    name: str = "orders"
    id_column: str = "id"
    created_column: str = "created_at"
    read_column: str = "id"


@dataclass(frozen=True)
class FinalRead:
    """What is in a store after recovery, of the writes that were asked about.

    found: ids that are there. duplicates: ids that are there more than once, and how often.
    strangers: ids written since the given time that nobody asked about.
    """

    found: frozenset[str]
    duplicates: Mapping[str, int]
    strangers: tuple[str, ...] = ()


def from_load(raw: RawSamples, stores: Mapping[str, str]) -> Ledger:
    """The ledger of a load, in the order of invocation, not looked up yet.

    stores: the store that each writing function writes to. Times are seconds since the load's start.
    """
    writes = raw.where(np.isin(raw.function, list(stores)) & (raw.function != ""))
    writes = _in_order(writes)
    acknowledged = (writes.kind == "ok") & np.isin(writes.status, ACKNOWLEDGED)
    outcome = np.where(acknowledged, "ok", "indeterminate")
    outcome = np.where(writes.kind == "refused", "failed", outcome)
    return Ledger(
        replication=np.zeros(len(writes), dtype=np.int32),
        store=_text([stores[name] for name in writes.function]),
        function=_text(writes.function.tolist()),
        write_id=_text([write_id(request) for request in writes.request_id]),
        invoked_s=np.where(np.isfinite(writes.sent_s), writes.sent_s, writes.intended_s),
        acknowledged_s=np.where(acknowledged, writes.finished_s, np.nan),
        outcome=outcome.astype(np.str_),
        found=np.full(len(writes), -1, dtype=np.int8),
    )


def looked_up(ledger: Ledger, store: str, read: FinalRead) -> Ledger:
    """The ledger with `found` filled in for the writes of one store."""
    there = np.array([write in read.found for write in ledger.write_id.tolist()], dtype=np.int8)
    return replace(ledger, found=np.where(ledger.store == store, there, ledger.found))


def done_against_the_odds(ledger: Ledger) -> list[str]:
    """Writes called failed that are there all the same: a fault of the harness, or of the store."""
    return [str(name) for name in ledger.write_id[(ledger.outcome == "failed") & (ledger.found == 1)]]


def there_despite(ledger: Ledger, spans_s: Sequence[tuple[float, float]]) -> list[str]:
    """Acknowledged writes of a time that a recovery says is lost, if all of them are there: it did not do its work.

    spans_s: the moments that recoveries say they came back to, and those of the failures that they answered.
    """
    odd = []
    for kept_s, failed_s in spans_s:
        within = (ledger.outcome == "ok") & (ledger.invoked_s > kept_s + CLOCKS_S) & (ledger.acknowledged_s < failed_s)
        if within.any() and (ledger.found[within] == 1).all():
            odd += ledger.write_id[within].tolist()
    return odd


def final_read(
    dsn: str,
    ids: Sequence[str],
    table: StoreTable | None = None,
    since: datetime | None = None,
) -> FinalRead:
    """Look up every id in one query on PostgreSQL, read only.

    since: also report rows created at or after this time whose id is not among `ids`.
    Raises LedgerError when the store cannot be read within the timeouts.
    """
    table = table or StoreTable()
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000} -c default_transaction_read_only=on"
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S, options=options) as connection:
            counts = dict(_counts(connection, list(ids), table))
            strangers = _strangers(connection, list(ids), table, since) if since else ()
    except psycopg.Error as error:
        raise LedgerError(f"store table {table.name}: final read failed: {error}") from error
    duplicates = {name: count for name, count in counts.items() if count > 1}
    return FinalRead(frozenset(counts), duplicates, strangers)


def _counts(connection: psycopg.Connection, ids: list[str], table: StoreTable) -> list[tuple[str, int]]:
    query = sql.SQL(
        "SELECT {id}::text, count(*) FROM {table} WHERE {id}::text = ANY(%s) AND {read} IS NOT NULL GROUP BY 1"
    ).format(
        id=sql.Identifier(table.id_column), table=sql.Identifier(table.name), read=sql.Identifier(table.read_column)
    )
    return [(str(name), int(count)) for name, count in connection.execute(query, (ids,)).fetchall()]


def _strangers(connection: psycopg.Connection, ids: list[str], table: StoreTable, since: datetime) -> tuple[str, ...]:
    query = sql.SQL(
        "SELECT {id}::text FROM {table} WHERE {created} >= %s"
        " AND NOT EXISTS (SELECT 1 FROM unnest(%s::text[]) known WHERE known = {id}::text)"
        " ORDER BY 1"
    ).format(
        id=sql.Identifier(table.id_column),
        table=sql.Identifier(table.name),
        created=sql.Identifier(table.created_column),
    )
    return tuple(str(row[0]) for row in connection.execute(query, (since, ids)).fetchall())


def _in_order(raw: RawSamples) -> RawSamples:
    order: NDArray[np.int64] = np.lexsort((raw.index, raw.intended_s))
    return RawSamples(*(getattr(raw, name)[order] for name in RawSamples.__dataclass_fields__))


def _text(values: Sequence[str]) -> NDArray[np.str_]:
    return np.array(list(values), dtype=np.str_) if len(values) else np.empty(0, dtype="<U1")
