"""Replicas of the shop: started, put into rotation, drained, killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chaos.errors import ComponentFailed, NotSettled, StagingError
from chaos.staging import postgres, processes
from chaos.staging.config import CALLS, SERVICES, STORE, Defect
from chaos.staging.envoy import EnvoyClient
from chaos.staging.envoy_config import write_endpoints
from chaos.staging.flags import FlagFile
from chaos.staging.locks import FileLock
from chaos.staging.loopback import call
from chaos.staging.paths import write_atomically
from chaos.staging.placing import free_places, going, open_zones, zone_of
from chaos.staging.ports import listening_socket
from chaos.staging.shop.payments_ledger import LEDGER_FILE, LEDGER_FOLDER
from chaos.staging.shop.wire import BUSY_PATH, DEFECTS_PATH
from chaos.staging.state import FLAGD_SYNC, Replica, StateFile

POLL_S = 0.05
DEATHS_MAX = 3
# As long as a client may wait for an answer, and more.
DRAIN_MAX_S = 10.0
DRAIN_LADDER = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
SETUP_FILE = "shop.json"
ENDPOINTS_FOLDER = "envoy"
SPANS_FOLDER = "log/spans"
Defects = Mapping[str, Mapping[str, Sequence[Defect]]]


@dataclass(frozen=True)
class Drained:
    """How replicas that were too many went.

    in_flight: requests that they still were at work on when Envoy sent them no more. cut: those that were not over
    after DRAIN_MAX_S, when the replicas were told to stop, and ended with them. took_s: from out of rotation to nothing
    in flight.
    """

    replicas: int
    in_flight: int
    cut: int
    took_s: float


class Replicas:
    """The shop's processes of one staging."""

    def __init__(self, file: StateFile, envoy: EnvoyClient) -> None:
        self._file = file
        self._envoy = envoy
        self._deploys: dict[str, FileLock] = {}

    # -- what is there ------------------------------------------------------------------------------------------

    def live(self, service: str, version: str | None = None) -> list[Replica]:
        """Replicas whose process runs and that are not being stopped."""
        self._check(service, version)
        return [
            replica
            for replica in self._file.read().replicas
            if replica.service == service
            and version in (None, replica.version)
            and not replica.draining
            and processes.alive(replica.process)
        ]

    def ordered(self, service: str) -> dict[str, int]:
        """Replicas by version as the last deploys ordered them; versions with none are left out."""
        self._check(service, None)
        versions = self._file.read().ordered.get(service, {})
        return {version: count for version, count in versions.items() if count}

    def busy(self, replicas: Sequence[Replica]) -> int:
        """Requests that they are at work on; one that does not answer has nothing that could come to an end."""
        count = 0
        for replica in replicas:
            with suppress(StagingError):
                count += int(self.ask(replica, "GET", BUSY_PATH, None)["busy"])
        return count

    # -- change -------------------------------------------------------------------------------------------------

    def write_setup(self, defects: Defects) -> None:
        """What each replica reads when it starts."""
        state = self._file.read()
        upstreams = [{"caller": a, "callee": b, "port": state.proxy_port(a, b)} for a, b in CALLS]
        orders_port = state.proxy_port("checkout", STORE)
        setup = {
            "token": state.token,
            "config": state.config.to_json(),
            "upstreams": upstreams,
            "orders_dsn": postgres.dsn(orders_port, state.password, user=postgres.CLIENTS),
            "spans": str(self._file.folder / SPANS_FOLDER),
            "flagd": state.ports.get(FLAGD_SYNC),
            "flags": {service: str(FlagFile(self._file.folder, service).path) for service in SERVICES},
            "payments_ledger": str(self._file.folder / LEDGER_FOLDER / LEDGER_FILE),
            "defects": {
                service: {name: [asdict(defect) for defect in found] for name, found in versions.items()}
                for service, versions in defects.items()
            },
        }
        write_atomically(self._setup_path(), json.dumps(setup))

    def start(self, service: str, version: str, count: int) -> list[Replica]:
        """Start processes and tell Envoy; does not wait until they are ready."""
        state = self._file.read()
        taken = {replica.place for replica in self.live(service, version)}
        zones, allowed = state.config.services[service].zones, open_zones(state, service, version)
        places = free_places(taken, count, zones, allowed)
        started = [replica for place in places if (replica := self._start_one(service, version, place)) is not None]
        self.publish(service, version)
        return started

    def deploy(
        self, service: str, version: str, count: int, timeout_s: float, zones: Sequence[str] = ()
    ) -> Drained | None:
        """Exactly `count` ready replicas in rotation, new ones in `zones` (none: in any); how those too many went.

        Raises NotSettled or ComponentFailed.
        """
        self._check(service, version)
        known = self._file.read().config.services[service].zones
        if count < 0 or not set(zones) <= set(known):
            raise StagingError(
                f"deploy of {service} {version}: replicas(={count}) must be >= 0, "
                f"zones(={list(zones)}) of {', '.join(known) or 'none'}"
            )
        with self._deploying(service):
            self._order(service, version, count, zones)
            return self._converge(service, version, count, time.monotonic() + timeout_s, timeout_s)

    def restore(self, service: str, version: str, timeout_s: float) -> None:
        """As many as were last ordered, whatever that is by the time it can be looked up."""
        self._check(service, version)
        with self._deploying(service):
            count = self.ordered(service).get(version, 0)
            self._converge(service, version, count, time.monotonic() + timeout_s, timeout_s)

    def settle(self, service: str, version: str, timeout_s: float) -> None:
        """As `restore`, and in the lowest places that it may have: first started there, then drained elsewhere."""
        self._check(service, version)
        with self._deploying(service):
            count = self.ordered(service).get(version, 0)
            if vacant := self.misplaced(service, version):
                self.start(service, version, len(vacant))
            self._converge(service, version, count, time.monotonic() + timeout_s, timeout_s)

    def misplaced(self, service: str, version: str) -> set[int]:
        """The lowest places of as many as were ordered in which none stands."""
        state = self._file.read()
        zones, allowed = state.config.services[service].zones, open_zones(state, service, version)
        wanted = free_places((), self.ordered(service).get(version, 0), zones, allowed)
        return set(wanted) - {replica.place for replica in self.live(service, version)}

    def kill(self, service: str, version: str | None, count: int) -> list[Replica]:
        """SIGKILL `count` replicas (of any version if None), lowest index first; nothing restarts them."""
        victims = sorted(self.live(service, version), key=lambda replica: replica.index)[:count]
        if len(victims) < count:
            raise StagingError(
                f"kill of {service} {version or 'any version'}: replicas(={count}) must be at most the "
                f"{len(victims)} that run"
            )
        left = processes.stop([victim.process for victim in victims], ladder=((signal.SIGKILL, 5.0),))
        if left:
            raise StagingError(f"kill of {service}: {left} still run after SIGKILL")
        return victims

    def publish(self, service: str, version: str) -> None:
        """Write Envoy's endpoint file of a version."""
        with self._file.locked():
            ports = [
                replica.port
                for replica in self._file.read().replicas
                if (replica.service, replica.version) == (service, version) and not replica.draining
            ]
            write_endpoints(self._file.folder / ENDPOINTS_FOLDER, service, version, ports)

    # -- defects ------------------------------------------------------------------------------------------------

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """Switch what is wrong with a version: replicas now running, and those started later."""
        self._check(service, version)
        with self._file.locked():
            setup = json.loads(self._setup_path().read_text(encoding="utf-8"))
            wanted = [asdict(defect) for defect in defects]
            setup["defects"].setdefault(service, {})[version] = wanted
            write_atomically(self._setup_path(), json.dumps(setup))
        for replica in self.live(service, version):
            answer = self.ask(replica, "PUT", DEFECTS_PATH, wanted)
            if answer != wanted:
                raise StagingError(f"defects of {service} {version}: read back {answer}, ordered {wanted}")

    def defects(self, service: str, version: str) -> list[Defect]:
        """What is wrong with a version, as its replicas say (they must agree), or the setup if none runs."""
        self._check(service, version)
        told = [self.ask(replica, "GET", DEFECTS_PATH, None) for replica in self.live(service, version)]
        if not told:
            setup = json.loads(self._setup_path().read_text(encoding="utf-8"))
            told = [setup["defects"].get(service, {}).get(version, [])]
        if any(entry != told[0] for entry in told):
            raise StagingError(f"defects of {service} {version}: replicas disagree: {told}")
        return [Defect(**entry) for entry in told[0]]

    def ask(self, replica: Replica, method: str, path: str, body: Any) -> Any:
        """What a replica's own admin interface answers. Raises StagingError."""
        where = f"{method} {path} of {replica.service} {replica.version} #{replica.index}"
        sent = json.dumps(body).encode() if method == "PUT" else b""
        try:
            status, text = call(method, replica.port, path, sent)
        except (OSError, http.client.HTTPException) as error:
            raise StagingError(f"{where}: {error}") from error
        if status != 200:
            raise StagingError(f"{where}: status(={status}) must be 200: {text}")
        return json.loads(text)

    # -- inside -------------------------------------------------------------------------------------------------

    def _deploying(self, service: str) -> FileLock:
        """Held by who deploys a service."""
        return self._deploys.setdefault(service, FileLock(self._file.folder / f".deploy-{service}.lock"))

    def _order(self, service: str, version: str, count: int, zones: Sequence[str]) -> None:
        with self._file.locked():
            state = self._file.read()
            versions = {**state.ordered.get(service, {}), version: count}
            placed = {**state.placed.get(service, {}), version: list(zones)}
            self._file.change(ordered={**state.ordered, service: versions}, placed={**state.placed, service: placed})

    def _converge(self, service: str, version: str, count: int, deadline: float, limit_s: float) -> Drained | None:
        started: set[int] = set()
        deaths = 0
        drained: Drained | None = None
        while True:
            deaths += self._forget_dead(service, version, started)
            if deaths >= DEATHS_MAX:
                tail = processes.log_tail(self._log(service, version))
                raise ComponentFailed(f"{service} {version}: {deaths} replicas died while starting:\n{tail}")
            live = self.live(service, version)
            if len(live) < count:
                new = self.start(service, version, count - len(live))
                started |= {replica.index for replica in new}
                live += new
            elif len(live) > count:
                state = self._file.read()
                zones = state.config.services[service].zones
                allowed = open_zones(state, service, version)
                drained = self._drain(service, version, going(live, len(live) - count, zones, allowed), deadline)
            wanted = {replica.port for replica in self.live(service, version)}
            healthy, known = self._envoy.healthy_ports(service, version)
            if len(wanted) == count and healthy == known == wanted:
                return drained
            if time.monotonic() > deadline:
                out = self._file.read().zones_out
                where = f" (zones that are out: {', '.join(out)})" if out else ""
                tail = processes.log_tail(self._log(service, version))
                raise NotSettled(
                    f"{service} {version}: ready(={len(healthy & wanted)}) must be {count} within "
                    f"{limit_s} s{where}; log:\n{tail}"
                )
            time.sleep(POLL_S)

    def _drain(self, service: str, version: str, extra: Sequence[Replica], deadline: float) -> Drained:
        """Out of rotation first, then what is in flight to its end, then the signal: no request meets a closed door."""
        began_s = time.monotonic()
        ports = {replica.port for replica in extra}
        with self._file.locked():
            replicas = self._file.read().replicas
            marked = tuple(
                replace(replica, draining=True) if replica.port in ports else replica for replica in replicas
            )
            self._file.change(replicas=marked)
            self.publish(service, version)
        while self._envoy.healthy_ports(service, version)[1] & ports:
            if time.monotonic() > deadline:
                raise NotSettled(f"{service} {version}: Envoy still routes to ports {sorted(ports)}")
            time.sleep(POLL_S)
        in_flight = busy = self._at_work(extra)
        while busy and time.monotonic() < min(deadline, began_s + DRAIN_MAX_S):
            time.sleep(POLL_S)
            busy = self._at_work(extra)
        drained_s = time.monotonic() - began_s
        left = processes.stop([replica.process for replica in extra], ladder=DRAIN_LADDER)
        if left:
            raise NotSettled(f"{service} {version}: {left} still run after SIGKILL")
        self._forget(ports)
        return Drained(len(extra), in_flight, busy, drained_s)

    def _at_work(self, extra: Sequence[Replica]) -> int:
        """As `busy`; nothing only when two looks found nothing: one may come before what Envoy sent last was read."""
        busy = self.busy(extra)
        if not busy:
            time.sleep(POLL_S)
            busy = self.busy(extra)
        return busy

    def _forget_dead(self, service: str, version: str, started: set[int]) -> int:
        """Strike dead replicas from state and rotation; returns how many of `started` were among them."""
        dead = [
            replica
            for replica in self._file.read().replicas
            if (replica.service, replica.version) == (service, version) and not processes.alive(replica.process)
        ]
        if dead:
            self._forget({replica.port for replica in dead})
            self.publish(service, version)
        return sum(replica.index in started for replica in dead)

    def _forget(self, ports: set[int]) -> None:
        with self._file.locked():
            replicas = self._file.read().replicas
            self._file.change(replicas=tuple(entry for entry in replicas if entry.port not in ports))

    def _start_one(self, service: str, version: str, place: int) -> Replica | None:
        """None when its zone has gone out meanwhile."""
        state = self._file.read()
        with self._file.locked(), listening_socket(set(state.ports.values())) as listener:
            state = self._file.read()
            if zone_of(state.config.services[service].zones, place) in state.zones_out:
                return None
            index = state.replicas_started
            argv = [sys.executable, "-m", "chaos.staging.shop", service, version, str(index)]
            process = processes.spawn(
                [*argv, str(listener.fileno()), str(self._setup_path())],
                log=self._log(service, version),
                environment=python_environment(),
                token=state.token,
                cwd=self._file.folder,
                pass_fds=(listener.fileno(),),
            )
            replica = Replica(service, version, index, listener.getsockname()[1], process, place=place)
            try:
                self._file.change(replicas=(*state.replicas, replica), replicas_started=index + 1)
            except BaseException:
                processes.stop([process], ladder=((signal.SIGKILL, 5.0),))
                raise
        return replica

    def _check(self, service: str, version: str | None) -> None:
        services = self._file.read().config.services
        if service not in services:
            raise StagingError(f"service(={service}) must be one of {sorted(services)}")
        if version is not None and version not in services[service].versions:
            raise StagingError(f"version(={version}) of {service} must be one of {services[service].versions}")

    def _log(self, service: str, version: str) -> Path:
        return self._file.folder / "log" / f"{service}-{version}.log"

    def _setup_path(self) -> Path:
        return self._file.folder / SETUP_FILE


def python_environment() -> dict[str, str]:
    """The child must find this package wherever it is started."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
