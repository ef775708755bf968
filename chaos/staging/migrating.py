"""Migrations of the orders' schema: phases played by Alembic in a child process, ended, taken back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from chaos.errors import StagingError
from chaos.staging import postgres
from chaos.staging.data_verbs import BASELINE, PHASES, NothingLeft
from chaos.staging.processes import TOKEN_VARIABLE
from chaos.staging.replicas import python_environment
from chaos.staging.servers import Servers
from chaos.staging.state import StateFile

__all__ = ["Migrations"]

# As chaos.staging.migrations.__main__ has them, whose import would bring SQLAlchemy into the harness.
APPLICATION = "windtunnel-migration"
DSN_VARIABLE = "WINDTUNNEL_MIGRATION_DSN"
NO_WAY_BACK = 3
_TIMEOUT_S = 120.0
_REVISION = "SELECT version_num FROM alembic_version"
_RECONCILE = "UPDATE orders SET amount = amount_cents::numeric / 100 WHERE amount IS NULL AND amount_cents IS NOT NULL"
# The old schema made again from the new one: for a staging's next drill, and no way back for anybody's data.
_REBUILD = """
    ALTER TABLE orders ADD COLUMN IF NOT EXISTS amount numeric;
    UPDATE orders SET amount = amount_cents::numeric / 100 WHERE amount IS NULL;
    ALTER TABLE orders ALTER COLUMN amount SET NOT NULL, DROP COLUMN IF EXISTS amount_cents;
    DELETE FROM alembic_version;
"""


class Migrations:
    """The schema of one staging's orders."""

    def __init__(self, file: StateFile, servers: Servers) -> None:
        self._file = file
        self._servers = servers

    def revision(self) -> str:
        """The phase that the schema stands at; before the first it is the baseline."""
        with self._servers.connection() as connection:
            if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
                return BASELINE
            row = connection.execute(_REVISION).fetchone()
            return BASELINE if row is None else str(row[0])

    def columns(self) -> Mapping[str, str]:
        """Of the orders, with their types."""
        with self._servers.connection() as connection:
            return {str(name): str(text) for name, text in connection.execute(_COLUMNS).fetchall()}

    def play(self, phase: str, lock_s: float) -> None:
        """One phase, to its end. Raises NothingLeft past the point of no return, StagingError when Alembic fails."""
        if phase not in PHASES:
            raise StagingError(f"phase(={phase}) of a migration must be one of {', '.join(PHASES)}")
        state = self._file.read()
        dsn = postgres.dsn(state.ports[state.store_at], state.password)
        environment = {**python_environment(), DSN_VARIABLE: dsn, TOKEN_VARIABLE: state.token}
        argv = [sys.executable, "-m", "chaos.staging.migrations", phase, str(lock_s)]
        try:
            done = subprocess.run(
                argv, env=environment, cwd=self._file.folder, capture_output=True, text=True, timeout=_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StagingError(f"{phase} of the migration: {type(error).__name__} after {_TIMEOUT_S:g} s") from error
        last = (done.stderr.strip().splitlines() or ["(nothing said)"])[-1]
        if done.returncode == NO_WAY_BACK:
            raise NothingLeft(f"{phase} of the migration: {last}")
        if done.returncode:
            raise StagingError(f"{phase} of the migration: exit code {done.returncode}: {last}")
        wanted = BASELINE if phase == "revert" else phase
        if self.revision() != wanted:
            raise StagingError(f"{phase} of the migration: the schema is at {self.revision()}, must be at {wanted}")

    def end(self) -> None:
        """End a phase that is at work: what it has not committed is rolled back."""
        with self._servers.connection() as connection:
            query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
            connection.execute(query, (APPLICATION,))

    def reconcile(self) -> int:
        """Rows without the old amount get it from the new one."""
        if {"amount", "amount_cents"} - set(self.columns()):
            return 0
        with self._servers.connection() as connection:
            return connection.execute(_RECONCILE).rowcount

    def reset(self) -> None:
        """The baseline's schema, whatever phase it is in."""
        self.end()
        if self.revision() == BASELINE:
            return
        with self._servers.connection() as connection, connection.transaction():
            for statement in filter(str.strip, _REBUILD.split(";")):
                connection.execute(statement.encode())


_COLUMNS = """
    SELECT column_name, data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders'
"""
