"""Backups of the orders' database: a base backup, the archived write-ahead log, and fresh instances made from both."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from chaos.errors import ComponentFailed, StagingError
from chaos.staging import postgres, processes
from chaos.staging.data_verbs import BackedUp, NothingLeft, Restored
from chaos.staging.servers import RESTORED, Servers
from chaos.staging.state import StateFile

__all__ = ["Backups"]

_TAKEN_FILE = "windtunnel-taken"
_RECOVERY_TIMEOUT_S = 60.0
_AT_ONCE = ((signal.SIGKILL, 5.0),)
_POLL_S = 0.05
# PostgreSQL ends recovery with this when the archive does not reach the moment that was asked for.
_FELL_SHORT = "recovery ended before configured recovery target was reached"
_RECOVERY_SETTINGS = ("restore_command", "recovery_target_time", "recovery_target_action", "recovery_target_inclusive")


# Classes of SQLSTATE in which PostgreSQL tells of files that are missing, short or damaged.
_DAMAGED = ("58", "XX")


class _Ended(ComponentFailed):
    """The fresh instance ended by itself."""


class Backups:
    """The one backup of one staging, and what is made from it."""

    def __init__(self, file: StateFile, servers: Servers) -> None:
        self._file = file
        self._servers = servers

    def take(self) -> BackedUp:
        """Copy the serving server and verify the copy against its manifest; it takes the place of an earlier one."""
        state, files = self._file.read(), self._servers.files()
        folder = files.base / "backup"
        postgres.remove(folder)
        began_s, taken = time.monotonic(), datetime.now(UTC)
        postgres.base_backup(files, folder, state.ports[state.store_at], state.password, state.token)
        postgres.run(files, ["pg_verifybackup", "--quiet", str(folder)], state.token)
        took_s = time.monotonic() - began_s
        # After the manifest was verified: it knows of no such file.
        (files.base / _TAKEN_FILE).write_text(taken.isoformat(), encoding="utf-8")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return BackedUp(taken, size, took_s)

    def restore(self, until: datetime) -> Restored:
        """A fresh instance from the backup, played on to `until` or as far as the archive goes; it serves then.

        The server that served is shut down first, in order when it still runs, so that its last writes are archived.
        A fault that ends meanwhile waits before it brings a server back. Raises NothingLeft without a backup, and
        when the backup does not restore, or cannot be read: then who served before serves again, if it ran.
        """
        with self._servers.alone():
            return self._restore(until)

    def _restore(self, until: datetime) -> Restored:
        files = self._servers.files()
        if not (files.base / "backup").exists():
            raise NothingLeft("there is no backup to restore")
        taken = datetime.fromisoformat((files.base / _TAKEN_FILE).read_text(encoding="utf-8"))
        old = self._servers.serving
        ran = self._servers.alive(old)
        self._servers.retire()
        if old == RESTORED:
            self._servers.put_aside(old)  # its place is needed, its data until the new one was read
        try:
            restored = self._made(until, taken)
        except StagingError as error:
            self._servers.stop_at_once(RESTORED)
            postgres.remove(files.base / RESTORED)
            if ran:
                self._servers.take_back(old)
                self._servers.start(old)
            if isinstance(error, _Ended):
                raise NothingLeft(f"the backup does not restore: {_last_words(error)}") from error
            raise
        self._servers.serve_restored()
        return restored

    def _made(self, until: datetime, taken: datetime) -> Restored:
        """A fresh instance that runs and was read."""
        if self._file.read().config.store.archive_every_s is None:
            self._start(None)
            return Restored(taken, taken, self._read())
        target: datetime | None = until
        try:
            self._start(until)
        except _Ended as error:
            if _FELL_SHORT not in str(error):
                raise
            target = None
            self._start(None)
        kept = self._recovered(target, taken)
        return Restored(taken, kept, self._read())

    def _start(self, until: datetime | None) -> None:
        """Start the fresh instance, and wait until it is out of recovery. Raises _Ended when it does not live."""
        state, files = self._file.read(), self._servers.files()
        data, log = files.base / RESTORED, self._file.folder / "log" / f"{RESTORED}.log"
        self._servers.stop_at_once(RESTORED)
        postgres.remove(data)
        postgres.run(files, ["/bin/cp", "-a", str(files.base / "backup"), str(data)], state.token)
        if state.config.store.archive_every_s is not None:
            settings = {"restore_command": f"'cp {files.base / 'archive'}/%f %p'", "recovery_target_action": "promote"}
            if until is not None:
                settings |= {"recovery_target_time": f"'{until.isoformat()}'", "recovery_target_inclusive": "off"}
            postgres.configure(data, settings)
            postgres.run(files, ["/usr/bin/touch", str(data / "recovery.signal")], state.token)
        process = postgres.start_server(files, data, state.ports[RESTORED], state.token, log)
        try:
            postgres.wait_ready(process, state.ports[RESTORED], state.password, log)
            self._wait_recovered(process, log)
        except BaseException as error:
            ended = isinstance(error, ComponentFailed) and not processes.alive(process)
            processes.stop([process], ladder=_AT_ONCE)
            if ended:
                raise _Ended(str(error)) from error
            raise
        self._servers.record(RESTORED, process)

    def _wait_recovered(self, process: processes.ProcessId, log: Path) -> None:
        """Until it takes writes. Raises ComponentFailed, with the tail of its log, when it ends before."""
        deadline = time.monotonic() + _RECOVERY_TIMEOUT_S
        while True:
            try:
                with self._servers.connection(RESTORED) as connection:
                    if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                        return
            except StagingError as error:
                if not processes.alive(process):
                    raise ComponentFailed(f"postgres ended:\n{processes.log_tail(log)}") from error
            if time.monotonic() > deadline:
                raise StagingError(f"the restored database is still in recovery after {_RECOVERY_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)

    def _recovered(self, target: datetime | None, taken: datetime) -> datetime:
        """The moment that was come back to; the recovery's settings must not bind whoever copies this server."""
        with self._servers.connection(RESTORED) as connection:
            row = connection.execute("SELECT pg_last_xact_replay_timestamp()").fetchone()
            for name in _RECOVERY_SETTINGS:
                connection.execute(f"ALTER SYSTEM RESET {name}".encode())
        replayed = None if row is None else row[0]
        if target is not None:
            return target
        return max(taken, replayed) if isinstance(replayed, datetime) else taken

    def _read(self) -> int:
        """Every row, read: only now the backup is believed. Raises NothingLeft when it is damaged."""
        try:
            with self._servers.connection(RESTORED) as connection:
                row = connection.execute("SELECT count(*), sum(length(orders::text)) FROM orders").fetchone()
        except StagingError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith(_DAMAGED):
                raise NothingLeft(f"the backup was restored, and cannot be read: {str(cause).strip()}") from error
            raise
        assert row is not None, "an aggregate has one row"
        return int(row[0])


def _last_words(error: _Ended) -> str:
    """What PostgreSQL said last of why it ended, of the tail of its log."""
    lines = str(error).splitlines()
    fatal = [line.partition(": ")[2].strip() for line in lines if " FATAL: " in line or " PANIC: " in line]
    return fatal[-1] if fatal else lines[-1].strip()
