"""A staging in memory for the faults' own tests: real state, no processes, and a crash wherever wanted."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chaos.errors import EnvoyError, StagingError, ToxiproxyError
from chaos.faults import pinging
from chaos.faults.agents.impairment import Impairment, Line
from chaos.faults.feeling import PADDING_BYTES, Felt
from chaos.faults.pinging import BURST, Pinged, Pings
from chaos.faults.surface import ProxyState, Toxic
from chaos.staging.processes import ProcessId
from chaos.staging.room import Room

LINKS = ("client--edge", "edge--checkout", "checkout--payments", "checkout--orders")


class Crash(BaseException):
    """The harness died here."""


@dataclass
class World:
    """All that can be changed."""

    proxies: dict[str, ProxyState] = field(default_factory=dict)
    toxiproxy_runs: bool = True
    shares: dict[str, float] = field(default_factory=dict)
    delays: dict[str, tuple[float, float]] = field(default_factory=dict)
    ordered: dict[str, dict[str, int]] = field(default_factory=dict)
    ready: dict[str, dict[str, int]] = field(default_factory=dict)
    routes: dict[str, dict[str, float]] = field(default_factory=dict)
    defects: dict[str, set[str]] = field(default_factory=dict)
    steering: dict[str, set[str]] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    limits: dict[tuple[int, str], int] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    rooms: dict[str, Room] = field(default_factory=dict)
    diversions: dict[int, Impairment] = field(default_factory=dict)
    read_only: bool = False
    locks: dict[str, str] = field(default_factory=dict)
    columns: set[str] = field(default_factory=lambda: {"id", "amount"})


def fresh_world() -> World:
    return World(
        proxies={
            name: ProxyState(f"127.0.0.1:{20000 + number}", f"127.0.0.1:{30000 + number}", True)
            for number, name in enumerate(LINKS)
        },
        shares={"edge": 0.0, "checkout": 0.0, "payments": 0.0},
        ordered={"edge": {"1.0": 1}, "checkout": {"2.3": 4}, "payments": {"1.0": 2}},
        ready={"edge": {"1.0": 1}, "checkout": {"2.3": 4}, "payments": {"1.0": 2}},
        routes={"edge": {"1.0": 1.0}, "checkout": {"2.3": 1.0}, "payments": {"1.0": 1.0}},
        rooms={"payments": Room(1 << 30, 8192)},
        defects={"edge": set(), "checkout": set(), "payments": set()},
    )


class MemoryStore:
    """The surface's database: its one table is `orders`, and it takes 100 connections."""

    def __init__(self, surface: MemorySurface) -> None:
        self._surface = surface
        self._world = surface.world

    def free_connections(self) -> int:
        return 1 if self._world.agents & self._surface.holding else 100

    def refuses_writes(self) -> bool:
        return self._world.read_only

    def read_only(self) -> bool:
        return self._world.read_only

    def set_read_only(self, on: bool) -> None:
        with self._surface.step("set_read_only"):
            self._world.read_only = on

    def locks(self) -> Mapping[str, str]:
        return dict(self._world.locks)

    def lock(self, name: str, table: str) -> None:
        with self._surface.step("lock"):
            self._world.locks[name] = table

    def unlock(self, name: str) -> None:
        with self._surface.step("unlock"):
            self._world.locks.pop(name, None)

    def is_locked(self, table: str) -> bool:
        return table in self._world.locks.values()

    def columns(self, table: str) -> set[str]:
        return set(self._world.columns) if table == "orders" else set()

    def rename_column(self, table: str, old: str, new: str) -> None:
        with self._surface.step("rename_column"):
            self._world.columns = self._world.columns - {old} | {new}


class MemorySurface:
    """The surface on a World. `crash_after` counts half-steps: each change has one before and one after it."""

    def __init__(self, token: str = "memory", crash_after: int | None = None) -> None:
        self._token = token
        self.world = fresh_world()
        self.start = copy.deepcopy(self.world)
        self.crash_after = crash_after
        self.refuses: set[str] = set()
        self.calls: list[str] = []
        self.felt = 0
        self.holding: set[str] = set()
        self.limits_hold = True
        self.errors_miss = False
        self.cannot_divert: str | None = None

    @property
    def patience(self) -> float:
        return 1.0

    def token(self) -> str:
        return self._token

    def _half_step(self) -> None:
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise Crash
            self.crash_after -= 1

    def _begin(self, call: str) -> None:
        self._half_step()
        self.calls.append(call)
        if call in self.refuses:
            raise StagingError(f"{call} refused")

    @contextmanager
    def step(self, call: str) -> Iterator[None]:
        self._begin(call)
        yield
        self._half_step()

    def store(self, name: str) -> MemoryStore:
        if name != "orders":
            raise StagingError(f"store(={name}) must be orders")
        return MemoryStore(self)

    def _toxiproxy(self, name: str) -> ProxyState:
        if not self.world.toxiproxy_runs:
            raise ToxiproxyError("connection refused")
        if name not in self.world.proxies:
            raise ToxiproxyError(f"no proxy {name}")
        return self.world.proxies[name]

    def proxy_name(self, caller: str, callee: str) -> str:
        name = f"{caller}--{callee}"
        if name not in LINKS:
            raise StagingError(f"call(={caller} -> {callee}) must be one of {LINKS}")
        return name

    def proxy(self, name: str) -> ProxyState:
        return self._toxiproxy(name)

    def feel(self, proxy: str, patience_s: float, close: bool = False) -> Felt:
        """As Toxiproxy's toxics work; those with a toxicity below 1 hit every fourth connection."""
        state = self._toxiproxy(proxy)
        self.felt += 1
        if not state.enabled:
            return Felt(PADDING_BYTES, 0, None, "reset")
        toxics = [toxic for toxic in state.toxics.values() if toxic.toxicity == 1.0 or self.felt % 4 == 0]
        answered_s: float | None = 0.001
        closed_s: float | None = 0.001 if close else None
        answer_bytes, ended = 97, "closed" if close else "open"
        for toxic in toxics:
            carried = answer_bytes if toxic.stream == "downstream" else PADDING_BYTES
            late_s, swallows = _meets(toxic, carried)
            if swallows:
                # Toxiproxy prepares a connection for its reset when it is opened, whatever closes it
                ended = "reset" if any(each.type == "reset_peer" for each in toxics) else "closed"
                return Felt(PADDING_BYTES, 0, None, ended)  # type: ignore[arg-type]
            answered_s = answered_s + late_s if answered_s is not None else None
            if toxic.type == "slow_close" and closed_s is not None:
                closed_s += toxic.attributes["delay"] / 1000
        if answered_s is not None and answered_s > patience_s:
            answered_s = None
        if closed_s is not None and closed_s > patience_s:
            closed_s, ended = None, "open"
        return Felt(PADDING_BYTES, answer_bytes, answered_s, ended, closed_s)  # type: ignore[arg-type]

    def add_toxic(self, proxy: str, name: str, toxic: Toxic) -> None:
        self._begin("add_toxic")
        state = self._toxiproxy(proxy)
        self.world.proxies[proxy] = replace(state, toxics={**state.toxics, name: toxic})
        self._half_step()

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._begin("remove_toxic")
        state = self._toxiproxy(proxy)
        left = {key: value for key, value in state.toxics.items() if key != name}
        self.world.proxies[proxy] = replace(state, toxics=left)
        self._half_step()

    def why_not_divert(self, port: int) -> str | None:
        return self.cannot_divert

    def diverted(self, number: int) -> bool:
        return number in self.world.diversions

    def diversion_left(self, number: int) -> str | None:
        return f"filters of number {number}" if self.diverted(number) else None

    def undivert(self, number: int) -> None:
        self._begin("undivert")
        self.world.diversions.pop(number, None)
        self._half_step()

    def ping(self, port: int, way: str, pings: Pings) -> Pinged:
        """Through the real line, with a clock of its own."""
        line = Line(next(iter(self.world.diversions.values()), Impairment()), random.Random(1))
        filling = bytes(pings.size_bytes - 4)
        sent_s = [number // BURST * pings.every_s for number in range(pings.count)]
        came: list[tuple[float, bytes]] = []
        for number, at_s in enumerate([*sent_s, sent_s[-1] + pings.patience_s]):
            while (due_s := line.next_s()) is not None and due_s <= at_s:
                came += [(due_s, each[28:]) for each in line.due(due_s)]
            if number < pings.count:
                line.take(bytes(28) + number.to_bytes(4, "big") + filling, 28, at_s)
        return pinging.counted(sent_s, came, filling)

    def set_enabled(self, proxy: str, enabled: bool) -> None:
        self._begin("set_enabled")
        self.world.proxies[proxy] = replace(self._toxiproxy(proxy), enabled=enabled)
        self._half_step()

    def recreate_proxy(self, name: str, listen: str, upstream: str) -> None:
        self._begin("recreate_proxy")
        if not self.world.toxiproxy_runs:
            raise ToxiproxyError("connection refused")
        self.world.proxies.pop(name, None)
        self._half_step()
        self.world.proxies[name] = ProxyState(listen, upstream, True)

    def restart_toxiproxy(self) -> None:
        self._begin("restart_toxiproxy")
        self.world.toxiproxy_runs = False
        self.world.proxies = {}
        self._half_step()
        self.world.toxiproxy_runs = True
        self.world.proxies = copy.deepcopy(self.start.proxies)

    def _router_key(self, service: str, cohort: str | None) -> str:
        if service not in self.world.shares:
            raise EnvoyError(f"service(={service}) must be one of the staging's")
        if cohort not in (None, "coupon"):
            raise EnvoyError(f"cohort(={cohort}) must be among coupon")
        return service if cohort is None else f"{service}.{cohort}"

    def error_share(self, service: str, cohort: str | None = None) -> float:
        return self.world.shares.get(self._router_key(service, cohort), 0.0)

    def set_error_share(self, service: str, share: float, cohort: str | None = None) -> None:
        self._begin("set_error_share")
        key = self._router_key(service, cohort)
        self.world.shares[key] = share
        if cohort is not None and not share:
            del self.world.shares[key]
        self._half_step()

    def delay(self, service: str, cohort: str | None = None) -> tuple[float, float]:
        return self.world.delays.get(self._router_key(service, cohort), (0.0, 0.0))

    def set_delay(self, service: str, share: float, delay_s: float, cohort: str | None = None) -> None:
        self._begin("set_delay")
        self.world.delays[self._router_key(service, cohort)] = (share, delay_s)
        if not share:
            del self.world.delays[self._router_key(service, cohort)]
        self._half_step()

    def feel_router(self, service: str, patience_s: float, cohort: str | None = None) -> Felt:
        share, delay_s = self.delay(service, cohort)
        self.felt += 1
        hit = share == 1.0 or (share > 0 and self.felt % 4 == 0)
        failing = self.error_share(service, cohort)
        fails = failing == 1.0 or (failing > 0 and self.felt % 4 == 0 and not self.errors_miss)
        return Felt(PADDING_BYTES, 97, 0.001 + delay_s if hit else 0.001, "open", status=503 if fails else 404)

    def ordered(self, service: str) -> Mapping[str, int]:
        return dict(self.world.ordered[service])

    def ready(self, service: str) -> Mapping[str, int]:
        if service not in self.world.ready:
            raise StagingError(f"service(={service}) must be one of the staging's")
        return dict(self.world.ready[service])

    def deploy(self, service: str, version: str, replicas: int) -> None:
        self._begin("deploy")
        _set(self.world.ordered[service], version, replicas)
        self._half_step()
        _set(self.world.ready[service], version, replicas)
        self._bury()
        self._half_step()

    def kill(self, service: str, version: str, replicas: int) -> None:
        for _ in range(replicas):
            self._begin("kill")
            _set(self.world.ready[service], version, self.world.ready[service][version] - 1)
            self._bury()
            self._half_step()

    def _pids(self, service: str, version: str) -> list[int]:
        """The same number for the same place in the fleet: a replica that is gone left its own free."""
        base = (list(self.world.ready).index(service) + 1) * 1000 + int(float(version) * 10) * 10
        return [base + index for index in range(self.world.ready[service].get(version, 0))]

    def _all_pids(self) -> set[int]:
        return {
            pid
            for service, versions in self.world.ready.items()
            for version in versions
            for pid in self._pids(service, version)
        }

    def _bury(self) -> None:
        there = self._all_pids()
        self.world.paused &= there
        self.world.limits = {key: most for key, most in self.world.limits.items() if key[0] in there}

    def running(self, service: str) -> Mapping[str, Sequence[ProcessId]]:
        return {
            version: [ProcessId(pid, "") for pid in self._pids(service, version)] for version in self.ready(service)
        }

    def state(self, process: ProcessId) -> Literal["running", "paused", "gone"]:
        if process.pid in self.world.paused:
            return "paused"
        return "running" if process.pid in self._all_pids() else "gone"

    def pause(self, process: ProcessId) -> None:
        self._begin("pause")
        if process.pid in self._all_pids():
            self.world.paused.add(process.pid)
        self._half_step()

    def resume(self, process: ProcessId) -> None:
        self._begin("resume")
        self.world.paused.discard(process.pid)
        self._half_step()

    def used(self, process: ProcessId, resource: str) -> int:
        return 50

    def limit(self, process: ProcessId, resource: str) -> int | None:
        return self.world.limits.get((process.pid, resource))

    def attempt(self, process: ProcessId, resource: str, most: int) -> str | None:
        if resource == "room":
            room = self.world.rooms["payments"]
            return "ENOSPC" if self.limits_hold and most > room.total_bytes - room.used_bytes else None
        if resource == "quota":
            quotas = [conditions.get("quota_per_s") for conditions in self.world.conditions.values()]
            return "429" if self.limits_hold and any(each is not None and most > each for each in quotas) else None
        limit = self.world.limits.get((process.pid, resource))
        return "ENOMEM" if self.limits_hold and limit is not None and most >= limit else None

    def set_limit(self, process: ProcessId, resource: str, most: int | None) -> None:
        self._begin("set_limit")
        self.world.limits.pop((process.pid, resource), None)
        if most is not None and process.pid in self._all_pids():
            self.world.limits[process.pid, resource] = most
        self._half_step()

    def room(self, service: str) -> Room | None:
        self.ready(service)
        return self.world.rooms.get(service)

    def set_room(self, service: str, total_bytes: int) -> None:
        self._begin("set_room")
        self.world.rooms[service] = replace(self.world.rooms[service], total_bytes=total_bytes)
        self._half_step()

    def conditions(self, service: str) -> Mapping[str, Any]:
        if service not in self.world.ready:
            raise StagingError(f"service(={service}) must be one of the staging's")
        return dict(self.world.conditions.get(service, {}))

    def set_conditions(self, service: str, values: Mapping[str, Any]) -> None:
        self._begin("set_conditions")
        now = {**self.world.conditions.get(service, {}), **values}
        left = {key: value for key, value in now.items() if value is not None}
        self.world.conditions[service] = left
        if not left:
            del self.world.conditions[service]
        self._half_step()

    def proxies_to(self, callee: str) -> Sequence[str]:
        return [name for name in LINKS if name.endswith(f"--{callee}")]

    def start_agent(self, entry_id: str, agent: str, arguments: Mapping[str, Any], lifetime_s: float) -> None:
        """Its first turn is played at once."""
        self._begin("start_agent")
        self.world.agents.add(entry_id)
        if agent == "connections":
            self.holding.add(entry_id)
        self._half_step()
        if agent == "packets":
            self.world.diversions[arguments["number"]] = Impairment(**arguments["impairment"])
        if agent == "throttle":
            self.pause(next(each for version in self.running(arguments["service"]).values() for each in version))
        for version, replicas in arguments.get("victims", {}).items():
            self.kill(arguments["service"], version, min(replicas, self.ready(arguments["service"]).get(version, 0)))

    def agents(self, entry_id: str) -> int:
        return int(entry_id in self.world.agents)

    def stop_agents(self, entry_id: str) -> None:
        self._begin("stop_agents")
        self.world.agents.discard(entry_id)
        self._half_step()

    def routes(self, service: str) -> Mapping[str, float]:
        return dict(self.world.routes[service])

    def route(self, service: str, weights: Mapping[str, float]) -> None:
        self._begin("route")
        self.world.routes[service] = {name: share for name, share in weights.items() if share}
        self._half_step()

    def steering(self, service: str) -> tuple[str, ...]:
        return tuple(sorted(self.world.steering.get(service, ())))

    def clear_steering(self, service: str) -> None:
        self._begin("clear_steering")
        self.world.steering.pop(service, None)
        self._half_step()

    def defects(self, service: str) -> tuple[str, ...]:
        return tuple(sorted(self.world.defects[service]))

    def clear_defects(self, service: str) -> None:
        self._begin("clear_defects")
        self.world.defects[service] = set()
        self._half_step()


def _meets(toxic: Toxic, carried: int) -> tuple[float, bool]:
    """How much later an answer is, and whether it never comes."""
    attributes = toxic.attributes
    if toxic.type == "latency":
        return (attributes["latency"] - attributes["jitter"]) / 1000, False
    if toxic.type == "bandwidth":
        return carried / (attributes["rate"] * 1000), False
    if toxic.type == "slicer":
        pieces = -(-carried // (attributes["average_size"] - attributes["size_variation"]))
        return (pieces - 1) * attributes["delay"] / 1e6, False
    return 0.0, toxic.type in ("timeout", "reset_peer") or carried > attributes.get("bytes", carried)


def _set(counts: dict[str, int], version: str, replicas: int) -> None:
    if replicas:
        counts[version] = replicas
    else:
        counts.pop(version, None)
