"""The final read on a real PostgreSQL: a loss, a duplicate, a late write and a stranger, each planted."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from chaos.ledger import LedgerError, StoreTable, final_read, from_load, looked_up
from chaos.load.raw import COLUMNS, RawSamples
from chaos.load.schedule import request_id, write_id
from chaos.staging import postgres, processes
from chaos.staging.config import StoreConfig
from chaos.staging.ports import free_ports

pytestmark = pytest.mark.e2e
TOKEN = f"ledger-test-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ledger")
    files = postgres.prepare(postgres.base_folder(folder, TOKEN))
    (port,) = free_ports(1)
    try:
        postgres.start_primary(files, port, "secret", TOKEN, folder / "postgres.log", StoreConfig())
        yield postgres.dsn(port, "secret")
    finally:
        left = processes.stop(processes.with_token(TOKEN))
        postgres.remove(files.base)
    assert left == []


@pytest.fixture
def table(dsn: str) -> Iterator[StoreTable]:
    """A table that does not stop duplicates, as an event log would not."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE journal (write text, written timestamptz NOT NULL DEFAULT clock_timestamp())")
        yield StoreTable("journal", "write", "written", read_column="write")
        connection.execute("DROP TABLE journal")


def store(dsn: str, table: StoreTable, *writes: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for write in writes:
            connection.execute(f"INSERT INTO {table.name} (write) VALUES (%s)", (write,))


def the_id(index: int) -> str:
    return write_id(request_id("token", "order", index))


def raw(kinds: list[tuple[str, int]]) -> RawSamples:
    rows: list[list[Any]] = []
    for index, (kind, status) in enumerate(kinds):
        values = {
            "function": "order", "index": index, "cohort": "default", "intended_s": float(index),
            "sent_s": float(index), "finished_s": index + 0.1, "status": status, "kind": kind, "version": "",
            "request_id": request_id("token", "order", index), "error": "",
        }  # fmt: skip
        rows.append([values[name] for name in COLUMNS])
    return RawSamples.from_rows(rows)


def test_what_is_planted_is_found(dsn: str, table: StoreTable) -> None:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    ledger = from_load(raw([("ok", 201)] * 4 + [("timeout", 0)] * 2), {"order": "orders"})
    # 0 and 3 are there; 1 was acknowledged and lost; 2 is there twice; 4 timed out and came late.
    store(dsn, table, the_id(0), the_id(2), the_id(2), the_id(3), the_id(4), "stranger")
    read = final_read(dsn, ledger.write_id.tolist(), table, since=row[0])
    assert read.found == {the_id(0), the_id(2), the_id(3), the_id(4)}
    assert read.duplicates == {the_id(2): 2}
    assert read.strangers == ("stranger",)
    ledger = looked_up(ledger, "orders", read)
    assert ledger.found.tolist() == [1, 0, 1, 1, 1, 0]
    lost = (ledger.outcome == "ok") & (ledger.found == 0)
    assert ledger.write_id[lost].tolist() == [the_id(1)]


def test_tens_of_thousands_are_looked_up_at_once(dsn: str, table: StoreTable) -> None:
    ids = [the_id(index) for index in range(30_000)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO journal (write) SELECT unnest(%s::text[])", (ids[::2],))
    assert final_read(dsn, ids, table).found == frozenset(ids[::2])


def test_the_staging_s_own_table_is_the_default(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO orders (id, function, cohort, amount, version) VALUES (%s, 'order', 'beta', 1, '2.4')",
            (the_id(7),),
        )
    assert final_read(dsn, [the_id(7), the_id(8)]).found == {the_id(7)}


def test_no_writes_nothing_found(dsn: str, table: StoreTable) -> None:
    assert final_read(dsn, [], table).found == frozenset()


def test_a_table_that_is_not_there_is_an_error_and_not_a_loss(dsn: str) -> None:
    with pytest.raises(LedgerError, match="nowhere: final read failed"):
        final_read(dsn, [the_id(0)], StoreTable("nowhere"))
