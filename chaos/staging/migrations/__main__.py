"""Play one phase: `python -m chaos.staging.migrations PHASE LOCK_S`, the database's DSN in the environment.

In a process of its own: Alembic and SQLAlchemy cost half a second to import, which must not stop a drill's clock, and a
process can be ended. Exit code 3: past the point of no return.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config

APPLICATION = "windtunnel-migration"
DSN_VARIABLE = "WINDTUNNEL_MIGRATION_DSN"
NO_WAY_BACK = 3


class PointOfNoReturn(Exception):
    """What the old schema needs was dropped."""


def main(phase: str, lock_s: str) -> int:
    """Upgrade to the phase's revision, or all the way back."""
    dsn = os.environ[DSN_VARIABLE]
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn, application_name=APPLICATION),
        poolclass=sqlalchemy.pool.NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "script"))
    config.attributes["lock_s"] = float(lock_s)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            if phase == "revert":
                command.downgrade(config, "base")
            else:
                command.upgrade(config, phase)
        except PointOfNoReturn as error:
            print(error, file=sys.stderr)
            return NO_WAY_BACK
        connection.commit()
    return 0


if __name__ == "__main__":
    sys.modules["chaos.staging.migrations.__main__"] = sys.modules["__main__"]  # one class of PointOfNoReturn
    try:
        sys.exit(main(*sys.argv[1:]))
    except sqlalchemy.exc.DBAPIError as error:  # whose own last line is an address
        sys.exit(str(error.orig).strip().splitlines()[0])
