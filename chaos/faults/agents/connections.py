"""Connections to the database that somebody else holds: all but so many, and those that others give back."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from chaos.staging.embedded import Staging

__all__ = ["play"]

_POLL_S = 0.2


def play(state_dir: Path, left: int) -> None:
    """Never returns. Before its own start the staging's address may be another: it is read each time."""
    staging = Staging.attach(state_dir)
    held: list[psycopg.Connection[tuple[object, ...]]] = []
    while True:
        try:
            while len(held) < 1 or _free(held[0]) > left:
                held.append(psycopg.connect(staging.orders_dsn(), autocommit=True, application_name="exhaustion"))
            while len(held) > 1 and _free(held[0]) < left:
                held.pop().close()
        except psycopg.OperationalError as error:
            # Full, which is what is wanted; or the server is gone, and with it what was held.
            print(str(error).strip(), flush=True)
            held = [connection for connection in held if not connection.closed]
        time.sleep(_POLL_S)


def _free(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute(
        "SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend'"
    ).fetchone()
    assert row is not None
    return int(str(row[0]))
