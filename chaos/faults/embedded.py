"""The surface of faults (surface.py) on the embedded staging: a thin translation, nothing more."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from chaos.errors import StagingError
from chaos.faults import pinging
from chaos.faults.agents import starting
from chaos.faults.feeling import HTTP, POSTGRES, Felt, feel, of_cohort
from chaos.faults.pinging import Pinged, Pings
from chaos.faults.store_surface import StoreSurface
from chaos.faults.surface import ProxyState, Toxic
from chaos.staging import diversion, limits, processes, room
from chaos.staging.config import CALLS, STORE, proxy_name
from chaos.staging.embedded import Staging
from chaos.staging.loopback import call
from chaos.staging.processes import ProcessId
from chaos.staging.room import Room
from chaos.staging.servers import Servers
from chaos.staging.shop.wire import ATTEMPT_PATH
from chaos.staging.store_faults import PostgresFaults

_SIGNAL_TIMEOUT_S = 2.0
# An attempt takes a moment; a replica that has no descriptor left takes for ever.
_ATTEMPT_TIMEOUT_S = 1.0
_POLL_S = 0.01

__all__ = ["EmbeddedSurface"]


class EmbeddedSurface:
    """Fulfils Surface. Holds no state of its own: every answer is read from the staging."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging

    @classmethod
    def attach(cls, state_dir: Path) -> Self:
        """The staging in a state directory. Raises StagingNotUp."""
        return cls(Staging.attach(state_dir))

    @property
    def patience(self) -> float:
        """1: the times of undo steps are its own."""
        return 1.0

    def token(self) -> str:
        """The staging's token."""
        return self._staging.token()

    def proxy_name(self, caller: str, callee: str) -> str:
        """The proxy between two services."""
        return proxy_name(caller, callee)

    def proxy(self, name: str) -> ProxyState:
        """The proxy as Toxiproxy tells it."""
        proxy = self._staging.toxiproxy.proxy(name)
        toxics = {
            toxic.name: Toxic(toxic.type, dict(toxic.attributes), toxic.stream, toxic.toxicity)
            for toxic in proxy.toxics
        }
        return ProxyState(proxy.listen, proxy.upstream, proxy.enabled, toxics)

    def add_toxic(self, proxy: str, name: str, toxic: Toxic) -> None:
        """A toxic, read back."""
        self._staging.toxiproxy.add_toxic(
            proxy, name, toxic.type, toxic.attributes, stream=toxic.stream, toxicity=toxic.toxicity
        )

    def feel(self, proxy: str, patience_s: float, close: bool = False) -> Felt:
        """Envoy answers for HTTP services, and the database a question that comes before any login."""
        question = POSTGRES if proxy == proxy_name("checkout", STORE) else HTTP
        return feel(self._staging.toxiproxy.proxy(proxy).port, question, patience_s, close)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """No toxic of that name."""
        self._staging.toxiproxy.remove_toxic(proxy, name)

    def why_not_divert(self, port: int) -> str | None:
        """As this machine and its kernel are."""
        pinging.require_free(port)
        return diversion.why_not()

    def diverted(self, number: int) -> bool:
        """As the kernel has it."""
        return diversion.diverted(number)

    def diversion_left(self, number: int) -> str | None:
        """As the kernel has it."""
        return diversion.left(number)

    def undivert(self, number: int) -> None:
        """With what held it, when nothing else does."""
        diversion.undivert(number)

    def ping(self, port: int, way: str, pings: Pings) -> Pinged:
        """By UDP, where no server listens."""
        return pinging.ping(port, way, pings)

    def set_enabled(self, proxy: str, enabled: bool) -> None:
        """Listening or not."""
        self._staging.toxiproxy.enable(proxy, enabled)

    def recreate_proxy(self, name: str, listen: str, upstream: str) -> None:
        """Deleted and created again on the same port."""
        self._staging.toxiproxy.destroy(name)
        self._staging.toxiproxy.create(name, int(listen.rpartition(":")[2]), upstream)

    def restart_toxiproxy(self) -> None:
        """A new server with all proxies."""
        self._staging.restart_toxiproxy()

    def error_share(self, service: str, cohort: str | None = None) -> float:
        """The share of requests that Envoy aborts."""
        self._staging.running(service)  # Envoy would read a key of no service as 0
        return self._staging.envoy.abort_share(service, cohort)

    def set_error_share(self, service: str, share: float, cohort: str | None = None) -> None:
        """Set it."""
        self._staging.envoy.set_abort_share(service, share, cohort)

    def delay(self, service: str, cohort: str | None = None) -> tuple[float, float]:
        """The share of requests that Envoy holds back, and for how long."""
        self._staging.running(service)
        return self._staging.envoy.delay(service, cohort)

    def set_delay(self, service: str, share: float, delay_s: float, cohort: str | None = None) -> None:
        """Set it."""
        self._staging.envoy.set_delay(service, share, delay_s, cohort)

    def feel_router(self, service: str, patience_s: float, cohort: str | None = None) -> Felt:
        """At Envoy's listener, past Toxiproxy."""
        port = self._staging.state().ports[f"listen:{service}"]
        return feel(port, HTTP if cohort is None else of_cohort(cohort), patience_s)

    def ordered(self, service: str) -> Mapping[str, int]:
        """As the staging's state has it, whatever died since."""
        return self._staging.ordered(service)

    def ready(self, service: str) -> Mapping[str, int]:
        """Replicas whose process runs."""
        return self._staging.replicas(service)

    def deploy(self, service: str, version: str, replicas: int) -> None:
        """Returns when they are ready and in rotation."""
        self._staging.deploy(service, version, replicas)

    def kill(self, service: str, version: str, replicas: int) -> None:
        """SIGKILL."""
        self._staging.kill(service, version, replicas)

    def running(self, service: str) -> Mapping[str, Sequence[ProcessId]]:
        """By age."""
        found: dict[str, list[ProcessId]] = {}
        for replica in sorted(self._staging.running(service), key=lambda replica: replica.index):
            found.setdefault(replica.version, []).append(replica.process)
        return found

    def state(self, process: ProcessId) -> Literal["running", "paused", "gone"]:
        """As the kernel has it."""
        if processes.paused(process):
            return "paused"
        return "running" if processes.alive(process) else "gone"

    def pause(self, process: ProcessId) -> None:
        """SIGSTOP; the kernel stops it a moment later."""
        if processes.send(process, signal.SIGSTOP):
            self._until(process, "running")

    def resume(self, process: ProcessId) -> None:
        """SIGCONT."""
        if processes.send(process, signal.SIGCONT):
            self._until(process, "paused")

    def used(self, process: ProcessId, resource: str) -> int:
        """As the kernel counts it."""
        return limits.used(process, resource)

    def limit(self, process: ProcessId, resource: str) -> int | None:
        """The soft limit."""
        return limits.soft(process, resource)

    def attempt(self, process: ProcessId, resource: str, most: int) -> str | None:
        """By the replica's own admin interface; with no descriptor left, it does not even take the connection."""
        replica = next((each for each in self._staging.state().replicas if each.process == process), None)
        if replica is None:
            raise StagingError(f"process {process.pid} is no replica of the staging")
        folder = self._staging.disk(replica.service) or "."
        told = json.dumps({"resource": resource, "most": most, "folder": str(folder)}).encode()
        try:
            status, text = call("PUT", replica.port, ATTEMPT_PATH, told, _ATTEMPT_TIMEOUT_S)
        except (OSError, http.client.HTTPException) as error:
            return f"no answer: {error}"
        if status == 500:
            return "status 500"
        if status != 200:
            raise StagingError(f"PUT {ATTEMPT_PATH} of process {process.pid}: status(={status}) must be 200: {text}")
        met: str | None = json.loads(text)["error"]
        return met

    def set_limit(self, process: ProcessId, resource: str, most: int | None) -> None:
        """The soft limit; the hard one stays, so that it can be lifted without root."""
        limits.set_soft(process, resource, most)

    def room(self, service: str) -> Room | None:
        """Of payments, as root."""
        folder = self._staging.disk(service)
        return None if folder is None else room.room_of(folder)

    def set_room(self, service: str, total_bytes: int) -> None:
        """By a remount."""
        folder = self._staging.disk(service)
        assert folder is not None, "an entry is of a service that has one"
        room.resize(folder, total_bytes)

    def conditions(self, service: str) -> Mapping[str, Any]:
        """Of every replica that runs."""
        return self._staging.conditions.of(service)

    def set_conditions(self, service: str, values: Mapping[str, Any]) -> None:
        """In the setup file and at every replica that runs."""
        self._staging.conditions.change(service, values)

    def proxies_to(self, callee: str) -> Sequence[str]:
        """As the shop's calls are."""
        return [proxy_name(caller, each) for caller, each in CALLS if each == callee]

    def store(self, name: str) -> StoreSurface:
        """The server that serves, past its proxy."""
        if name != STORE:
            raise StagingError(f"store(={name}) must be {STORE}")
        return PostgresFaults(self._staging.orders_dsn(), self._staging.clients_dsn())

    def start_agent(self, entry_id: str, agent: str, arguments: Mapping[str, Any], lifetime_s: float) -> None:
        """With the staging's token."""
        starting.start(self._staging.state_dir, self.token(), entry_id, agent, arguments, lifetime_s)

    def agents(self, entry_id: str) -> int:
        """Found among all processes."""
        return len(starting.found(entry_id))

    def stop_agents(self, entry_id: str) -> None:
        """SIGKILL."""
        starting.end(entry_id)

    def routes(self, service: str) -> Mapping[str, float]:
        """Envoy's weights that are not 0."""
        weights = self._staging.routes(service)
        return {version: share for version, share in weights.items() if share > 0}

    def route(self, service: str, weights: Mapping[str, float]) -> None:
        """Envoy's weights; versions left out get none."""
        self._staging.route(service, weights)

    def steering(self, service: str) -> tuple[str, ...]:
        """Cohorts' own routes and copies, as Envoy has them."""
        return tuple(self._staging.steering(service))

    def clear_steering(self, service: str) -> None:
        """None of it."""
        self._staging.clear_steering(service)

    def defects(self, service: str) -> tuple[str, ...]:
        """Of every version of the service."""
        return tuple(
            f"{version}: {defect.name}"
            for version in self._staging.config.services[service].versions
            for defect in self._staging.defects(service, version)
        )

    def clear_defects(self, service: str) -> None:
        """Of every version of the service, also for replicas that start later."""
        for version in self._staging.config.services[service].versions:
            self._staging.set_defects(service, version, ())

    def zones(self) -> Sequence[str]:
        """As its configuration has them."""
        return self._staging.zones.names()

    def zones_out(self) -> Sequence[str]:
        """As the staging's state has it."""
        return self._staging.zones.out()

    def running_in(self, zone: str) -> Sequence[str]:
        """By their processes."""
        return [f"{replica.service} {replica.version}" for replica in self._staging.zones.running(zone)]

    def misplaced(self) -> Sequence[str]:
        """By their processes."""
        return self._staging.zones.misplaced()

    def lose_zone(self, zone: str) -> None:
        """SIGKILL."""
        self._staging.zones.lose(zone)

    def replace_lost(self) -> None:
        """Returns when they are ready and in rotation."""
        self._staging.zones.replace_lost()

    def regain_zone(self, zone: str) -> None:
        """Returns when they are ready and in rotation."""
        self._staging.zones.regain(zone)

    @property
    def servers(self) -> Servers:
        """The database's."""
        return self._staging.servers

    def store_differences(self, store: str) -> list[str]:
        """Of servers and schema of the one that there is."""
        del store
        return self._staging.data.store_differences()

    def reset_store(self, store: str) -> None:
        """Servers, then schema."""
        del store
        self._staging.data.reset()

    def _until(self, process: ProcessId, not_any_more: str) -> None:
        deadline_s = time.monotonic() + _SIGNAL_TIMEOUT_S
        while self.state(process) == not_any_more:
            if time.monotonic() > deadline_s:
                raise StagingError(f"process {process.pid} is {not_any_more} {_SIGNAL_TIMEOUT_S:g} s after its signal")
            time.sleep(_POLL_S)
