"""Connections to the database that somebody else holds: all but so many, and those that others give back."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from chaos.staging.embedded import Staging

__all__ = ["play"]

_POLL_S = 0.2
_FREE = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""

Connection = psycopg.Connection[tuple[object, ...]]


def play(state_dir: Path, left: int) -> None:
    """Never returns. Before its own start the staging's address may be another: it is read each time."""
    staging = Staging.attach(state_dir)
    held: list[Connection] = []
    while True:
        try:
            # A superuser's, so that it can count the clients' when they have none left.
            with psycopg.connect(staging.orders_dsn(), autocommit=True, application_name="exhaustion") as own:
                while True:
                    _hold(held, _free(own) - left, staging.clients_dsn())
                    time.sleep(_POLL_S)
        except psycopg.OperationalError as error:
            # Full, which is what is wanted; or the server is gone, and with it what was held.
            print(str(error).strip(), flush=True)
            held = [connection for connection in held if not connection.closed]
            time.sleep(_POLL_S)


def _hold(held: list[Connection], more: int, dsn: str) -> None:
    """So many more, or fewer. All of them at a stroke: the server is asked anew for how many only afterwards."""
    held.extend(psycopg.connect(dsn, autocommit=True, application_name="exhaustion") for _ in range(more))
    for _ in range(min(-more, len(held))):
        held.pop().close()


def _free(connection: Connection) -> int:
    row = connection.execute(_FREE).fetchone()
    assert row is not None
    return int(str(row[0]))
