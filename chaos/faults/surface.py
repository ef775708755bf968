"""What faults and their undo need of a staging: a narrow surface, so that they can be tested alone.

EmbeddedSurface (embedded.py) puts it onto the embedded staging. All calls block, have their own
time limits, raise ChaosError when the staging refuses, and read the state from the staging, not
from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from chaos.faults.feeling import Felt
from chaos.faults.pinging import Pinged, Pings
from chaos.faults.store_surface import StoreSurface
from chaos.staging.processes import ProcessId
from chaos.staging.room import Room

__all__ = ["ProxyState", "Surface", "Toxic"]


@dataclass(frozen=True)
class Toxic:
    """A toxic on the way back (downstream: callee to caller) or there (upstream), of a share of the connections."""

    type: str
    attributes: Mapping[str, int]
    stream: str = "downstream"
    toxicity: float = 1.0


@dataclass(frozen=True)
class ProxyState:
    """A proxy as Toxiproxy tells it; listen and upstream are `host:port`."""

    listen: str
    upstream: str
    enabled: bool
    toxics: Mapping[str, Toxic] = field(default_factory=dict)


class Surface(Protocol):
    """A staging on which faults can be put and undone."""

    @property
    def patience(self) -> float:
        """How many times longer than on the embedded staging a step of an undo may take; at least 1."""
        ...

    def token(self) -> str:
        """The staging's own id, as its marker serves it."""
        ...

    def proxy_name(self, caller: str, callee: str) -> str:
        """The proxy between two services; raises StagingError when there is no such link."""
        ...

    def proxy(self, name: str) -> ProxyState:
        """The proxy's state; raises ToxiproxyError when there is none or no answer."""
        ...

    def feel(self, proxy: str, patience_s: float, close: bool = False) -> Felt:
        """What a connection of our own through the proxy meets; see feeling.py. Harmless: no service hears of it."""
        ...

    def add_toxic(self, proxy: str, name: str, toxic: Toxic) -> None:
        """Put a toxic on the proxy."""
        ...

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Take a toxic off the proxy; one that is not there is fine."""
        ...

    def why_not_divert(self, port: int) -> str | None:
        """Why packets of this port cannot be diverted here (None: they can); raises StagingError for a port in use."""
        ...

    def diverted(self, number: int) -> bool:
        """Whether the diversion of this number (chaos.staging.diversion) is there."""
        ...

    def diversion_left(self, number: int) -> str | None:
        """What is left of it, down to what held it on loopback; None when nothing is."""
        ...

    def undivert(self, number: int) -> None:
        """Take it away; none is fine."""
        ...

    def ping(self, port: int, way: str, pings: Pings) -> Pinged:
        """What packets of our own meet on their way to (requests) or from (answers) a port; see pinging.py."""
        ...

    def set_enabled(self, proxy: str, enabled: bool) -> None:
        """Let the proxy listen, or not; not listening also breaks its connections."""
        ...

    def recreate_proxy(self, name: str, listen: str, upstream: str) -> None:
        """Delete the proxy and create it again, enabled and without toxics."""
        ...

    def restart_toxiproxy(self) -> None:
        """Kill the Toxiproxy server and start it with all the staging's proxies, without toxics."""
        ...

    def error_share(self, service: str, cohort: str | None = None) -> float:
        """The share (0..1) of requests, or of a cohort's, that the router answers with an error."""
        ...

    def set_error_share(self, service: str, share: float, cohort: str | None = None) -> None:
        """Have the router answer this share of requests, or of a cohort's, with an error."""
        ...

    def delay(self, service: str, cohort: str | None = None) -> tuple[float, float]:
        """The share of requests, or of a cohort's, that the router holds back, and for how many seconds."""
        ...

    def set_delay(self, service: str, share: float, delay_s: float, cohort: str | None = None) -> None:
        """Have the router hold this share of requests, or of a cohort's, back; 0: none."""
        ...

    def feel_router(self, service: str, patience_s: float, cohort: str | None = None) -> Felt:
        """What a request of our own meets at the service's router, which answers it itself; see feeling.py."""
        ...

    def ordered(self, service: str) -> Mapping[str, int]:
        """Replicas by version as last ordered by a deploy, versions with none left out."""
        ...

    def ready(self, service: str) -> Mapping[str, int]:
        """Replicas by version whose processes run, versions with none left out."""
        ...

    def deploy(self, service: str, version: str, replicas: int) -> None:
        """Have exactly that many ready replicas of the version."""
        ...

    def kill(self, service: str, version: str, replicas: int) -> None:
        """SIGKILL that many replicas of the version, and nothing more."""
        ...

    def running(self, service: str) -> Mapping[str, Sequence[ProcessId]]:
        """Processes of the service's replicas by version, versions with none left out."""
        ...

    def state(self, process: ProcessId) -> Literal["running", "paused", "gone"]:
        """As the kernel has it."""
        ...

    def pause(self, process: ProcessId) -> None:
        """Let it stand still; one that is gone is fine."""
        ...

    def resume(self, process: ProcessId) -> None:
        """Let it go on; one that is gone or runs is fine."""
        ...

    def used(self, process: ProcessId, resource: str) -> int:
        """What it has of a resource (memory, descriptors, disk: bytes of its largest open file)."""
        ...

    def limit(self, process: ProcessId, resource: str) -> int | None:
        """The most that it may have; None: without limit. Of one that is gone, None."""
        ...

    def attempt(self, process: ProcessId, resource: str, most: int) -> str | None:
        """Have the process itself try to have so much more of it: what it met, None when it got that.

        Besides the resources of limits there are `room`, bytes on its service's own disk, and `quota`, so many requests
        at once, which it refuses with 429.
        """
        ...

    def set_limit(self, process: ProcessId, resource: str, most: int | None) -> None:
        """Set it; one that is gone is fine."""
        ...

    def room(self, service: str) -> Room | None:
        """Of the service's own disk; None when it has none. Raises StagingError for a service that there is not."""
        ...

    def set_room(self, service: str, total_bytes: int) -> None:
        """Make that disk so large."""
        ...

    def conditions(self, service: str) -> Mapping[str, Any]:
        """What faults have changed about the service's replicas; raises StagingError unless all say the same."""
        ...

    def set_conditions(self, service: str, values: Mapping[str, Any]) -> None:
        """Change these for replicas that run or start later; None takes a key away."""
        ...

    def proxies_to(self, callee: str) -> Sequence[str]:
        """The proxies of all links to a service."""
        ...

    def store(self, name: str) -> StoreSurface:
        """A database; raises StagingError when there is none of that name."""
        ...

    def start_agent(self, entry_id: str, agent: str, arguments: Mapping[str, Any], lifetime_s: float) -> None:
        """Start a process (agents/) that keeps a fault in force, for so long at most."""
        ...

    def agents(self, entry_id: str) -> int:
        """How many of the entry's agents run."""
        ...

    def stop_agents(self, entry_id: str) -> None:
        """End the entry's agents; none is fine."""
        ...

    def routes(self, service: str) -> Mapping[str, float]:
        """Shares of the requests by version (sum 1), versions with none left out."""
        ...

    def route(self, service: str, weights: Mapping[str, float]) -> None:
        """Set the shares."""
        ...

    def steering(self, service: str) -> tuple[str, ...]:
        """What else than shares decides who answers the service's requests: one line each, no baseline has any."""
        ...

    def clear_steering(self, service: str) -> None:
        """Have the shares alone decide."""
        ...

    def defects(self, service: str) -> tuple[str, ...]:
        """`version: name` of every defect that is switched on in a running replica of the service."""
        ...

    def clear_defects(self, service: str) -> None:
        """Switch every defect of the service's running replicas off."""
        ...
