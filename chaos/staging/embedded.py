"""The embedded staging, for whoever uses it: start it, find it, release onto it, end it."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import StagingAlreadyUp, StagingError, StagingNotUp, StagingUnclean
from chaos.staging import postgres, processes, room, steering
from chaos.staging.conditions import ServiceConditions
from chaos.staging.config import CLIENT, SERVICES, Defect, StagingConfig
from chaos.staging.envoy import EnvoyClient
from chaos.staging.envoy_config import STAGING_LISTENER
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.flagged import Flags
from chaos.staging.flags import FlagFile
from chaos.staging.locks import FileLock
from chaos.staging.loopback import call
from chaos.staging.orders_data import OrdersData
from chaos.staging.paths import make_private, state_dir_default
from chaos.staging.placing import by_zone, zone_of
from chaos.staging.ports import LOOPBACK
from chaos.staging.processes import ProcessId
from chaos.staging.replicas import ENDPOINTS_FOLDER, SETUP_FILE, Drained, Replicas
from chaos.staging.servers import RESTORED, Servers
from chaos.staging.shop.payments_ledger import LEDGER_FOLDER
from chaos.staging.shop.wire import MARKER_PATH
from chaos.staging.starting import Progress, Start, create_proxies
from chaos.staging.state import Replica, State, StateFile
from chaos.staging.toxiproxy import ToxiproxyClient
from chaos.staging.zones import Zones

DEPLOY_TIMEOUT_S = 30.0
STOP_LADDER = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Component:
    """One part of the staging as it is now. state: running or dead."""

    name: str
    pid: int
    port: int
    state: str


class Staging:
    """A staging that is up. Objects hold no processes: many may be attached to one staging."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder
        self._file = StateFile(folder)
        state = self._file.read()
        self.config: StagingConfig = state.config
        self.toxiproxy = ToxiproxyClient(state.ports["toxiproxy"])
        self.envoy = EnvoyClient(state.ports["admin"], state.config)
        self._replicas = Replicas(self._file, self.envoy)
        self.conditions = ServiceConditions(self._file, self._replicas)
        self.flags = Flags(folder, state.config, self._replicas)
        self.zones = Zones(self._file, self._replicas)
        self.servers = Servers(self._file, self.toxiproxy)
        self.data = OrdersData(self._file, self.servers)

    @classmethod
    def attach(cls, state_dir: Path | None = None) -> Staging:
        """The staging in a state directory. Raises StagingNotUp."""
        staging = cls((state_dir or state_dir_default()).absolute())
        state = staging.state()
        if state.phase != "up":
            raise StagingNotUp(f"staging in {staging.state_dir}: phase(={state.phase}) must be up")
        if not any(processes.alive(process) for process in state.components.values()):
            raise StagingNotUp(f"staging in {staging.state_dir} is recorded, but none of its processes runs")
        return staging

    # -- look ---------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """What the state file says now."""
        return self._file.read()

    def status(self) -> list[Component]:
        """Every component and replica."""
        state = self.state()
        parts = [(name, process, state.ports[name if name != "envoy" else "admin"])
                 for name, process in sorted(state.components.items())]  # fmt: skip
        parts += [(self._name(entry), entry.process, entry.port) for entry in state.replicas]
        return [
            Component(name, process.pid, port, "running" if processes.alive(process) else "dead")
            for name, process, port in parts
        ]

    def _name(self, replica: Replica) -> str:
        zone = zone_of(self.config.services[replica.service].zones, replica.place)
        return f"{replica.service} {replica.version} #{replica.index}{f' in {zone}' if zone else ''}"

    def dead(self) -> list[str]:
        """Components that should run and do not; replicas of the shop are not components."""
        components = self.state().components
        return sorted(name for name, process in components.items() if not processes.alive(process))

    def edge_url(self) -> str:
        """The shop's front door, through Toxiproxy."""
        return f"http://{LOOPBACK}:{self.state().proxy_port(CLIENT, 'edge')}"

    def marker_url(self) -> str:
        """Where the staging itself serves its marker."""
        return self.state().url(f"listen:{STAGING_LISTENER}") + MARKER_PATH

    def orders_dsn(self, standby: bool = False) -> str:
        """The database itself, not through Toxiproxy."""
        state = self.state()
        name = self.servers.other() if standby else state.store_at
        return postgres.dsn(state.ports[name], state.password)

    def clients_dsn(self) -> str:
        """The same, as the shop's replicas connect."""
        state = self.state()
        return postgres.dsn(state.ports[state.store_at], state.password, user=postgres.CLIENTS)

    def token(self) -> str:
        """The token that the marker must show."""
        return self.state().token

    def marker(self) -> str:
        """The token that the staging serves now. Raises StagingError."""
        port = self.state().ports[f"listen:{STAGING_LISTENER}"]
        try:
            status, text = call("GET", port, MARKER_PATH)
            if status == 200:
                return str(json.loads(text)["id"])
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise StagingError(f"no marker at {self.marker_url()}: {error}") from error
        raise StagingError(f"no marker at {self.marker_url()}: status(={status}) must be 200")

    def running(self, service: str, version: str | None = None) -> list[Replica]:
        """Replicas whose process runs."""
        return self._replicas.live(service, version)

    def busy(self, service: str, version: str) -> int:
        """How many requests a version's replicas are at work on."""
        return self._replicas.busy(self.running(service, version))

    def replicas(self, service: str) -> dict[str, int]:
        """How many replicas of each version run; versions with none are left out."""
        return dict(Counter(replica.version for replica in self.running(service)))

    def ordered(self, service: str) -> dict[str, int]:
        """How many replicas of each version the last deploys ordered; versions with none are left out."""
        return self._replicas.ordered(service)

    def standing(self, service: str) -> dict[str, dict[str, int]]:
        """How many replicas of each version stand in each zone; none of a service without zones."""
        zones, live = self.config.services[service].zones, self.running(service)
        versions = sorted({replica.version for replica in live} if zones else ())
        return {each: by_zone([replica for replica in live if replica.version == each], zones) for each in versions}

    def routes(self, service: str) -> dict[str, float]:
        """The share of each version, as Envoy has it, of the requests that no cohort's own routes take."""
        return self.envoy.weights(service)

    def steering(self, service: str) -> list[str]:
        """What else decides who answers its requests, a line each: cohorts' own routes, copies, the flag."""
        return list(steering.found(self.envoy, self.flags, service))

    def envoy_stats(self, service: str) -> dict[str, EnvoyStats]:
        """Counters and latency histogram of each version since Envoy's start."""
        return self.envoy.stats(service)

    def stats_all(self) -> list[EnvoyStats]:
        """Counters of every version of every service; answers with a release's flag on as a version of their own."""
        self.flags.look()
        return self.flags.apart(self.envoy.stats_all())

    def defects(self, service: str, version: str) -> list[Defect]:
        """What is wrong with a version now."""
        return self._replicas.defects(service, version)

    # -- change -------------------------------------------------------------------------------------------------

    def deploy(
        self,
        service: str,
        version: str,
        replicas: int,
        timeout_s: float = DEPLOY_TIMEOUT_S,
        zones: Sequence[str] = (),
    ) -> Drained | None:
        """Exactly so many ready replicas in rotation; those too many are drained, then stopped: how that went.

        With `zones`, in those alone, as far as there are any to start or too many. Raises NotSettled or
        ComponentFailed.
        """
        return self._replicas.deploy(service, version, replicas, timeout_s, zones)

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Put the versions' shares (sum 1) in force, `cohorts` with their own; returns when they read back."""
        self.envoy.set_weights(service, weights, cohorts)

    def mirror(self, service: str, version: str, share: float) -> None:
        """Copy this share of the service's requests to a new version; returns when it reads back."""
        self.envoy.set_mirror(service, version, share)

    def clear_steering(self, service: str) -> None:
        """Have weights alone decide who answers."""
        steering.clear(self.envoy, self.flags, service)

    def disk(self, service: str) -> Path | None:
        """The folder of what a service keeps, which may have a disk of its own; None when it keeps nothing."""
        self.running(service)  # raises for a service that there is not
        return self.state_dir / LEDGER_FOLDER if service == "payments" else None

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """Switch what is wrong with a version; an empty sequence heals it."""
        self._replicas.set_defects(service, version, defects)

    def kill(self, service: str, version: str | None, replicas: int) -> list[Replica]:
        """SIGKILL replicas; returns which. Nothing restarts them but a deploy."""
        return self._replicas.kill(service, version, replicas)

    def restore(self, service: str, version: str, timeout_s: float = DEPLOY_TIMEOUT_S) -> None:
        """Start what is missing of the replicas that were last ordered."""
        self._replicas.restore(service, version, timeout_s)

    def restart_toxiproxy(self) -> None:
        """A new server on the same ports, with all proxies and no toxics; proxies that are missing are made again."""
        with self._file.locked():
            state = self.state()
            process = state.components.get("toxiproxy")
            if process is not None and processes.stop([process], ladder=STOP_LADDER):
                raise StagingUnclean(f"toxiproxy (pid {process.pid}) still runs after SIGKILL")
            Start(self._file, lambda _: None).toxiproxy()

    def restore_proxies(self) -> None:
        """Make the proxies that are missing; those that exist are left as they are."""
        create_proxies(self.toxiproxy, self.state())

    def down(self) -> None:
        """End it."""
        EmbeddedStaging.down(self.state_dir)


class EmbeddedStaging:
    """Start and end of stagings."""

    @staticmethod
    def up(
        config: StagingConfig | None = None,
        state_dir: Path | None = None,
        progress: Progress = lambda _: None,
        owner: ProcessId | None = None,
    ) -> Staging:
        """Start a staging; all of it runs and takes orders when this returns, or nothing of it runs.

        `owner`: the process that it is for; when that is dead, it is an orphan (`end_orphan`).
        Raises StagingAlreadyUp, ComponentFailed, BuildFailed.
        """
        folder = (state_dir or state_dir_default()).absolute()
        make_private(folder)
        file = StateFile(folder)
        with FileLock(folder / ".up.lock"), ExitStack() as promises:
            if file.exists():
                state = file.read()
                # one that was never up is no use to anybody, and we have the lock: its starter is dead
                if state.phase == "up" and any(processes.alive(process) for process in _recorded(state)):
                    raise StagingAlreadyUp(f"a staging runs in {folder}: use it, or take it down first")
                EmbeddedStaging.down(folder)
            start = Start(file, progress)
            start.plan(config or StagingConfig(), promises, owner)
            pool = ThreadPoolExecutor(max_workers=5, thread_name_prefix="staging-up")
            try:
                start.run(pool)
            except BaseException:
                _stop(file.read())  # so that whoever still waits for a component sees it gone
                pool.shutdown(wait=True, cancel_futures=True)
                EmbeddedStaging.down(folder)
                raise
            pool.shutdown(wait=True)
        return Staging(folder)

    @staticmethod
    def end_orphan(state_dir: Path) -> str | None:
        """End the staging of a drill that is dead, or one whose starter died; why it was ended, or None for no orphan.

        Waits for a start that is under way. Raises StagingUnclean.
        """
        file = StateFile(state_dir)
        if not file.exists():
            return None
        with FileLock(state_dir / ".up.lock"):
            try:
                state = file.read()
            except StagingNotUp:
                return None  # taken down while we waited
            if state.phase != "up":
                why = "its starter died"
            elif state.owner is not None and not processes.alive(state.owner):
                why = f"its drill (pid {state.owner.pid}) died"
            else:
                return None
            EmbeddedStaging.down(state_dir)
            return why

    @staticmethod
    def down(state_dir: Path | None = None) -> list[ProcessId]:
        """End a staging, whatever is left of it; a second time does nothing. Returns what was stopped.

        Logs stay. Raises StagingUnclean, and keeps the state, if a process survives.
        """
        folder = state_dir or state_dir_default()
        file = StateFile(folder)
        if not file.exists():
            return []
        state = file.read()
        stopped = _stop(state)
        if state.postgres_base:
            postgres.remove(Path(state.postgres_base))
        shutil.rmtree(folder / ENDPOINTS_FOLDER, ignore_errors=True)
        room.give_back(folder / LEDGER_FOLDER)
        for name in (SETUP_FILE, "envoy.json"):
            (folder / name).unlink(missing_ok=True)
        for service in SERVICES:
            FlagFile(folder, service).path.unlink(missing_ok=True)
        file.remove()
        return stopped


def _recorded(state: State) -> list[ProcessId]:
    return [*state.components.values(), *(replica.process for replica in state.replicas)]


def _stop(state: State) -> list[ProcessId]:
    """Stop all that is recorded and all that carries the token. Raises StagingUnclean."""
    known = {*_recorded(state), *processes.with_token(state.token)}
    running = [process for process in known if processes.alive(process)]
    for name in ("primary", "standby", RESTORED):
        if name in state.components:
            # the data goes with the staging: no need to wait for clients or a checkpoint
            processes.send(state.components[name], signal.SIGQUIT)
    left = processes.stop(running, ladder=STOP_LADDER)
    left += processes.stop(processes.with_token(state.token), ladder=STOP_LADDER)
    if left:
        raise StagingUnclean(f"still running after SIGKILL: {', '.join(str(entry.pid) for entry in left)}")
    return running
