"""The servers of the orders' database: who serves, who stands by, and how that changes.

Servers are named by where they live: `primary` and `standby`, as they were started, and `restored`. Whichever serves
is in the state file, and the proxies of callers and of replication lead to it. A server that is stopped is struck from
the state's components first: what is gone on purpose is no lost component, and does not come back by itself.
"""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg

from chaos.errors import StagingError
from chaos.staging import postgres, processes
from chaos.staging.config import REPLICATION, STORE, proxy_name
from chaos.staging.data_verbs import NothingLeft
from chaos.staging.ports import LOOPBACK
from chaos.staging.postgres import PostgresFiles
from chaos.staging.state import StateFile
from chaos.staging.toxiproxy import ToxiproxyClient

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["RESTORED", "Servers"]

RESTORED = "restored"
_PAIR = ("primary", "standby")
# To the serving one: of its callers, and of who stands by.
_WAYS = (proxy_name("checkout", STORE), REPLICATION)
# Nobody listens there.
_NOWHERE = f"{LOOPBACK}:1"
_SHUTDOWN = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_AT_ONCE = ((signal.SIGKILL, 5.0),)
# A server takes its children with it on SIGQUIT.
_STRAYS = ((signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_STREAMING_TIMEOUT_S = 20.0
_PROMOTE_TIMEOUT_S = 30
_POLL_S = 0.03
_STATEMENT_TIMEOUT_MS = 15_000
_STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


def _one_at_a_time(method: Callable[Concatenate[Servers, P], T]) -> Callable[Concatenate[Servers, P], T]:
    """Threads of this process wait for each other; another process has a hand on a dead one's servers only."""

    @functools.wraps(method)
    def alone(self: Servers, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._alone:
            return method(self, *args, **kwargs)

    return alone


class Servers:
    """The database servers of one embedded staging."""

    def __init__(self, file: StateFile, toxiproxy: ToxiproxyClient) -> None:
        self._file = file
        self._toxiproxy = toxiproxy
        # The fault that ends and the failover under way must not both have their hands on a server.
        self._alone = threading.RLock()

    def alone(self) -> AbstractContextManager[object]:
        """For work of several steps: other threads of this process wait before they put a hand on a server."""
        return self._alone

    # -- look ---------------------------------------------------------------------------------------------------

    @property
    def serving(self) -> str:
        """The server that takes the orders."""
        return self._file.read().store_at

    def other(self) -> str:
        """Where a standby of the serving one lives, or would."""
        return "primary" if self.serving == "standby" else "standby"

    def alive(self, name: str) -> bool:
        """Whether it should run, and does."""
        process = self._file.read().components.get(name)
        return process is not None and processes.alive(process)

    def streaming(self) -> bool:
        """Whether a standby receives what the serving one writes."""
        with self.connection() as connection:
            return bool(_value(connection, _STREAMING))

    def declared(self) -> dict[str, str]:
        """Who serves whom, as they were started."""
        return {"store serves": "primary", "store standby": "streaming"}

    def facts(self) -> dict[str, str]:
        """Who serves whom now."""
        return {"store serves": self.serving, "store standby": "streaming" if self.streaming() else "none"}

    @contextmanager
    def connection(self, name: str | None = None, *, as_client: bool = False) -> Iterator[psycopg.Connection]:
        """To one server (None: the serving one), not through Toxiproxy. Raises StagingError.

        It writes whatever the database's default is, but `as_client`: then it meets the settings that clients meet.
        """
        state = self._file.read()
        name = name or state.store_at
        options = f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}"
        if not as_client:
            options += " -c default_transaction_read_only=off"
        try:
            target = postgres.dsn(state.ports[name], state.password)
            with psycopg.connect(target, autocommit=True, options=options) as connection:
                yield connection
        except psycopg.Error as error:
            raise StagingError(f"orders database ({name}): {type(error).__name__}: {str(error).strip()}") from error

    def lag_s(self, limit_s: float) -> float:
        """How long a write of now takes to reach the standby, in seconds; at most `limit_s` are waited for."""
        standby = self.other()
        with self.connection() as here, self.connection(standby) as there:
            written = _value(here, "SELECT pg_logical_emit_message(true, 'windtunnel', 'lag')::text")
            began_s = time.monotonic()
            query = "SELECT coalesce(pg_last_wal_receive_lsn() >= %s::pg_lsn, false)"
            while not _value(there, query, (written,)):
                if time.monotonic() - began_s > limit_s:
                    return limit_s
                time.sleep(_POLL_S)
            return time.monotonic() - began_s

    # -- lose and bring back ------------------------------------------------------------------------------------

    @_one_at_a_time
    def kill(self, name: str, *, destroy: bool = False) -> None:
        """It is gone at once, and what it had sent to nobody with it; with `destroy` its data too.

        Destroyed data lies aside, where no server looks for it, until `reset` has somebody serve: with nobody else to
        do so, a drill would leave the staging without its orders.
        """
        state = self._file.read()
        if name == state.store_at:
            self._toxiproxy.enable(REPLICATION, False)  # what is on its way dies with the machine
        self._stop(name, _AT_ONCE)
        if destroy:
            self.put_aside(name)

    @_one_at_a_time
    def cut_off(self) -> None:
        """The serving one runs on, and neither callers nor the standby reach it: what is on its way is lost."""
        for proxy in _WAYS:
            self._toxiproxy.set_upstream(proxy, _NOWHERE)

    @_one_at_a_time
    def let_back(self) -> None:
        """Whoever serves is reached again; nothing while it is."""
        self._lead_to(self.serving)

    def connected(self) -> bool:
        """Whether callers and the standby have a way to the serving one."""
        return all(self._toxiproxy.proxy(proxy).upstream != _NOWHERE for proxy in _WAYS)

    def start(self, name: str) -> None:
        """Start it on the data that it has, and let a standby stream from it when it is the serving one."""
        state, log = self._file.read(), self._log(name)
        process = postgres.start_server(self.files(), self.files().base / name, state.ports[name], state.token, log)
        self._record(name, process)
        postgres.wait_ready(process, state.ports[name], state.password, log)
        if name == state.store_at:
            self._toxiproxy.enable(REPLICATION)

    @_one_at_a_time
    def bring_back(self, name: str) -> None:
        """After a kill: on its own data when nobody took over, else as a new standby of who did.

        Raises StagingError when nobody took over and the data is gone.
        """
        if self.alive(name):
            return
        if name == self.serving:
            if not self._has_data(name):
                raise StagingError(f"{name} cannot come back: its data is destroyed, and nobody took over from it")
            self.start(name)
        elif name in _PAIR:
            self.rebuild_standby(name)

    def rebuild_standby(self, name: str) -> None:
        """A fresh copy of the serving one, streaming from it; whatever was there before is gone."""
        state, files = self._file.read(), self.files()
        self._stop(name, _AT_ONCE)
        postgres.remove(files.base / name)
        self._toxiproxy.enable(REPLICATION)
        process = postgres.start_standby(
            files, name, state.ports[state.store_at], state.ports[name], state.password, state.token, self._log(name),
            state.ports[f"proxy:{REPLICATION}"],
        )  # fmt: skip
        self._record(name, process)
        self.wait_streaming()

    def wait_streaming(self) -> None:
        """Until a standby streams. Raises StagingError."""
        deadline = time.monotonic() + _STREAMING_TIMEOUT_S
        while not self.streaming():
            if time.monotonic() > deadline:
                raise StagingError(f"no standby streams from {self.serving} within {_STREAMING_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)

    def replicate(self) -> None:
        """Wait until the standby streams; from then on acknowledge by it, where replication is to be synchronous."""
        self.wait_streaming()
        if self._file.read().config.store.replication == "sync":
            with self.connection() as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
                connection.execute("SELECT pg_reload_conf()")

    # -- take over ----------------------------------------------------------------------------------------------

    @_one_at_a_time
    def fail_over(self) -> datetime | None:
        """The standby serves from now on; when the last write was made that it has, or None when it has all.

        The old primary is fenced before: shut down in order when it still runs, which hands the standby all that it
        has, and killed if it will not. It never serves again but as a standby. Raises NothingLeft, StagingError.
        """
        old, new = self.serving, self.other()
        if not self.alive(new):
            raise NothingLeft(f"{new} does not run: there is no standby to take over from {old}")
        in_order = self.alive(old) and self.connected() and self.streaming()
        if in_order:
            in_order = self._shut_down(old)
        else:
            self._stop(old, _AT_ONCE)
        kept = self._promote(new)
        self._lead_to(new)
        return None if in_order else kept

    @_one_at_a_time
    def retire(self) -> None:
        """The serving one is shut down in order: its last writes are archived. Its standby is left in reserve."""
        self._stop(self.serving, _SHUTDOWN)

    def stop_at_once(self, name: str) -> None:
        """By SIGKILL; one that does not run is fine."""
        self._stop(name, _AT_ONCE)

    @_one_at_a_time
    def serve_restored(self) -> None:
        """Have the restored server, which runs, take the orders; the others are fenced."""
        for name in _PAIR:
            self._stop(name, _AT_ONCE)
        self._lead_to(RESTORED)

    @_one_at_a_time
    def reset(self) -> None:
        """As at the start: `primary` serves with all that is there now, `standby` streams from it."""
        self._end_strays()
        if not self.alive(self.serving):
            self._revive()
        for name in (*_PAIR, RESTORED):
            postgres.remove(self._aside(name))
        if self.serving != "primary":
            self.rebuild_standby("primary")
            self._stop(self.serving, _SHUTDOWN)
            self._promote("primary")
        self._lead_to("primary")
        self._stop(RESTORED, _AT_ONCE)
        postgres.remove(self.files().base / RESTORED)
        if not (self.alive("standby") and self.streaming()):
            self.rebuild_standby("standby")
        self.replicate()

    def _end_strays(self) -> None:
        """End servers, and copies under way, that somebody who was killed had started and not written down yet."""
        state, base = self._file.read(), self.files().base
        found = processes.strays(state.token, state.components.values(), base)
        if processes.stop(found, ladder=_STRAYS):
            raise StagingError(f"strays at the orders' data still run after SIGKILL: {found}")

    def _revive(self) -> None:
        """Somebody must serve: the serving one on its data, or who stands by, or the data that was destroyed."""
        name = self.serving
        if not self.alive(self.other()):
            self.take_back(name)
        if self._has_data(name):
            self.start(name)
        else:
            self.fail_over()

    def put_aside(self, name: str) -> None:
        """A stopped server's data, if it has any, in the place of what lay there of an earlier time."""
        if self._has_data(name):
            postgres.remove(self._aside(name))
            (self.files().base / name).rename(self._aside(name))

    def take_back(self, name: str) -> None:
        """Data that was put aside, if there is any, to where its server looks for it; nothing while other data is."""
        if self._aside(name).exists() and not self._has_data(name):
            postgres.remove(self.files().base / name)
            self._aside(name).rename(self.files().base / name)

    def _aside(self, name: str) -> Path:
        return self.files().base / f"{name}.aside"

    def _has_data(self, name: str) -> bool:
        return (self.files().base / name / "PG_VERSION").exists()

    def _promote(self, name: str) -> datetime | None:
        with self.connection(name) as connection:
            if not _value(connection, f"SELECT pg_promote(true, {_PROMOTE_TIMEOUT_S})"):
                raise StagingError(f"promotion of {name} did not end within {_PROMOTE_TIMEOUT_S} s")
            if _value(connection, "SELECT pg_is_in_recovery()"):
                raise StagingError(f"{name} is still in recovery after its promotion")
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
            kept = _value(connection, "SELECT pg_last_xact_replay_timestamp()")
        assert kept is None or isinstance(kept, datetime)
        return kept

    def _lead_to(self, name: str) -> None:
        """Callers and replication go to a server; their connections to another are broken."""
        state = self._file.change(store_at=name)
        upstream = f"{LOOPBACK}:{state.ports[name]}"
        self._toxiproxy.enable(REPLICATION)
        for proxy in _WAYS:
            self._toxiproxy.set_upstream(proxy, upstream)

    # -- inside -------------------------------------------------------------------------------------------------

    def files(self) -> PostgresFiles:
        """Where they live, and as whom they run."""
        return postgres.found(Path(self._file.read().postgres_base))

    def record(self, name: str, process: processes.ProcessId) -> None:
        """From now on it should run."""
        self._record(name, process)

    def _record(self, name: str, process: processes.ProcessId) -> None:
        with self._file.locked():
            self._file.change(components={**self._file.read().components, name: process})

    def _shut_down(self, name: str) -> bool:
        """In order, which hands a standby all that it lacks; false when that takes too long and it has to be killed."""
        process = self._struck(name)
        left = processes.stop([process], ladder=_SHUTDOWN[:1]) if process is not None else []
        _end(name, process, _AT_ONCE)
        return not left

    def _stop(self, name: str, ladder: tuple[tuple[int, float], ...]) -> None:
        _end(name, self._struck(name), ladder)
        # A killed server leaves a lock file, and children that end a moment later; they hold its port no longer.

    def _struck(self, name: str) -> processes.ProcessId | None:
        """Its process, which from now on need not run."""
        with self._file.locked():
            components = dict(self._file.read().components)
            process = components.pop(name, None)
            self._file.change(components=components)
        return process

    def _log(self, name: str) -> Path:
        return self._file.folder / "log" / f"{name}.log"


def _end(name: str, process: processes.ProcessId | None, ladder: tuple[tuple[int, float], ...]) -> None:
    if process is not None and processes.stop([process], ladder=ladder):
        raise StagingError(f"{name} (pid {process.pid}) still runs after SIGKILL")


def _value(connection: psycopg.Connection, query: str, parameters: tuple[object, ...] = ()) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    return None if row is None else row[0]
