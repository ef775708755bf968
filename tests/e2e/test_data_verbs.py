"""Migrations and restores on the real staging, verb by verb: what they keep, what they lose, what has no way back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaos.errors import StagingError
from chaos.staging.config import StagingConfig, StoreConfig
from chaos.staging.data_verbs import NothingLeft
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter
from tests.e2e.drills import PATIENCE_S, wait_for
from tests.e2e.test_data_failover import order, there
from tests.outliving import ended_with_us

pytestmark = pytest.mark.e2e


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[Staging]:
    """A staging whose log is archived every second, with old rows."""
    config = StagingConfig(store=StoreConfig(archive_every_s=1.0, rows=500))
    with ended_with_us(EmbeddedStaging.down, tmp_path / "state"):
        yield EmbeddedStaging.up(config, tmp_path / "state")


def found(staging: Staging, *names: str) -> set[str]:
    """What the version that serves reads."""
    return set(EmbeddedAdapter(staging).final_read("orders", names, datetime.now(UTC)).found)


def archives_up_to_now(staging: Staging) -> Callable[[], bool]:
    """Whether all that is written by now is in the archive."""
    with staging.servers.connection() as connection:
        segment = connection.execute("SELECT pg_walfile_name(pg_switch_wal() - 1)").fetchone()

    def archived() -> bool:
        with staging.servers.connection() as connection:
            query = "SELECT coalesce(last_archived_wal >= %s, false) FROM pg_stat_archiver"
            return connection.execute(query, segment).fetchone() == (True,)

    return archived


def test_a_migration_is_taken_back_until_its_contract(staging: Staging) -> None:
    data, old, new = staging.data, order(staging), "cents-alone"
    data.migrate("expand", 0.1)
    with staging.servers.connection() as connection:
        query = (
            "INSERT INTO orders (id, function, cohort, amount_cents, version) VALUES (%s, 'checkout', 'x', 700, '2.4')"
        )
        connection.execute(query, (new,))
    assert found(staging, old, new) == {old}, "the old version reads no cents"
    assert data.reconcile() == 1
    assert found(staging, old, new) == {old, new}
    data.migrate("revert", 0.0)
    assert data.store_differences() == []
    data.migrate("contract", 0.0)
    with pytest.raises(NothingLeft, match="its values are gone"):
        data.migrate("revert", 0.0)
    assert EmbeddedAdapter(staging).differences() != []
    data.reset()
    assert data.store_differences() == []
    assert found(staging, old, new) == {old, new}


def test_an_interrupted_phase_never_was(staging: Staging) -> None:
    failures: list[StagingError] = []

    def expand() -> None:
        try:
            staging.data.migrate("expand", 60.0)
        except StagingError as error:
            failures.append(error)

    thread = threading.Thread(target=expand)
    thread.start()

    def locked() -> bool:
        with staging.servers.connection() as connection:
            query = "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'AccessExclusiveLock'"
            return connection.execute(query).fetchone() == (1,)

    wait_for(locked, PATIENCE_S, "the migration's lock")
    staging.data.end_migration()
    thread.join(20.0)
    assert len(failures) == 1
    assert staging.data.store_differences() == []


def test_a_backup_is_restored_to_a_moment_and_read(archived: Staging) -> None:
    data, first = archived.data, order(archived)
    assert data.back_up().size_bytes > 1_000_000
    second = order(archived)
    moment = datetime.now(UTC)
    third = order(archived)
    restored = data.restore(moment)
    assert restored.kept == moment
    assert restored.rows == 502
    assert there(archived, first, second, third) == [True, True, False]
    assert archived.servers.serving == "restored"
    assert not archived.servers.alive("primary"), "what served before is fenced"
    fourth = order(archived)
    wait_for(archives_up_to_now(archived), PATIENCE_S, "the log archived")
    archived.servers.kill("restored", destroy=True)
    with pytest.raises(StagingError, match="its data is destroyed, and nobody took over"):
        archived.servers.bring_back("restored")
    assert archived.dead() == [], "what does not come back is no part that was lost"
    with ThreadPoolExecutor(1) as pool:
        restoring = pool.submit(data.restore, datetime.now(UTC))
        wait_for((archived.servers.files().base / "restored").exists, PATIENCE_S, "a restore under way")
        archived.servers.bring_back("primary")  # as a fault's end would: it waits
        kept = restoring.result(20.0).kept
    assert archived.servers.alive("primary")
    assert archived.servers.streaming()
    assert moment < kept < datetime.now(UTC)
    assert there(archived, first, second, fourth) == [True, True, True]
    data.reset()
    assert data.store_differences() == []
    assert there(archived, first, second, fourth, order(archived)) == [True, True, True, True]


def test_a_backup_that_does_not_restore_leaves_who_served_and_loses_nothing(archived: Staging) -> None:
    data, servers, first = archived.data, archived.servers, order(archived)
    data.back_up()
    data.restore(datetime.now(UTC))
    second = order(archived)
    (servers.files().base / "backup" / "global" / "pg_control").write_bytes(bytes(8192))
    with pytest.raises(NothingLeft, match="does not restore: database files are incompatible with server"):
        data.restore(datetime.now(UTC))
    assert servers.serving == "restored", "it is the second restore that failed"
    assert there(archived, first, second, order(archived)) == [True, True, True]
    servers.kill("restored", destroy=True)
    with pytest.raises(NothingLeft, match="does not restore"):
        data.restore(datetime.now(UTC))
    data.reset()
    assert data.store_differences() == []
    assert there(archived, first, second, order(archived)) == [True, True, True]
    assert not list(servers.files().base.glob("*.aside"))
