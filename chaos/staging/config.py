"""What the embedded staging is told: the shop's services, versions, calls and defects.

The topology is fixed; the numbers are not, so that a scenario's `system` can be realised:

    client -> edge -> catalogue
              edge -> checkout -> payments
                      checkout -> orders (PostgreSQL)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chaos.errors import StagingError

SERVICES = ("edge", "catalogue", "checkout", "payments")
STORE = "orders"
CLIENT = "client"
# The proxy between the orders' database and its standby.
REPLICATION = "replication"
CALLS = (
    ("client", "edge"),
    ("edge", "catalogue"),
    ("edge", "checkout"),
    ("checkout", "payments"),
    ("checkout", "orders"),
)
VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
SERVICE_TIME_KINDS = ("constant", "exponential", "lognormal", "uniform")


def proxy_name(caller: str, callee: str) -> str:
    """The Toxiproxy proxy between two of them: `checkout--payments`."""
    if (caller, callee) not in CALLS:
        known = ", ".join(f"{a} -> {b}" for a, b in CALLS)
        raise StagingError(f"call(={caller} -> {callee}) must be one of the shop's: {known}")
    return f"{caller}--{callee}"


@dataclass(frozen=True)
class ServiceTime:
    """A distribution in seconds: constant(value, 0), exponential(mean, 0), lognormal(mu, sigma), uniform(low, high)."""

    kind: str = "constant"
    p0: float = 0.0
    p1: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in SERVICE_TIME_KINDS:
            raise StagingError(f"service_time.kind(={self.kind}) must be one of {SERVICE_TIME_KINDS}")


@dataclass(frozen=True)
class Defect:
    """What is wrong with a version, for all cohorts or one."""

    name: str = "defect"
    errors_ratio: float = 0.0
    latency_factor: float = 1.0
    latency_add_s: float = 0.0
    lost_writes_ratio: float = 0.0
    wrong_rows_ratio: float = 0.0
    cohort: str | None = None
    flag: bool = False  # only requests for which the release's flag is on meet it
    contract: bool = False  # its errors are of a contract that it breaks, and its OpenAPI document says so

    def __post_init__(self) -> None:
        for name in ("errors_ratio", "lost_writes_ratio", "wrong_rows_ratio"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise StagingError(f"defect {self.name}: {name}(={getattr(self, name)}) must be in 0..1")
        if self.latency_factor <= 0 or self.latency_add_s < 0:
            raise StagingError(
                f"defect {self.name}: latency_factor(={self.latency_factor}) must be > 0 and "
                f"latency_add_s(={self.latency_add_s}) must be >= 0"
            )


@dataclass(frozen=True)
class ServiceConfig:
    """One service: per replica `workers` at work and `queue` waiting (None: unbounded).

    `zones`: over which its replicas are spread in turn; none: they stand in no zone.
    """

    versions: tuple[str, ...] = ("1.0",)
    replicas: int = 1
    workers: int = 64
    queue: int | None = None
    service_time: ServiceTime = field(default_factory=ServiceTime)
    holds_worker: bool = True
    zones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for version in self.versions:
            if not VERSION_PATTERN.fullmatch(version):
                raise StagingError(f"version(={version!r}) must match {VERSION_PATTERN.pattern}")
        if not self.versions or len(set(self.versions)) != len(self.versions):
            raise StagingError(f"versions(={self.versions}) must be at least one, all different")
        if self.replicas < 1 or self.workers < 1 or (self.queue is not None and self.queue < 0):
            raise StagingError(
                f"replicas(={self.replicas}), workers(={self.workers}) must be >= 1 and "
                f"queue(={self.queue}) >= 0 or null"
            )


@dataclass(frozen=True)
class CallConfig:
    """One call: `timeout_s` an attempt (None: no limit), then up to `retries` more attempts.

    Before attempt k+1 the caller waits backoff_base_s * 2**(k-1), or with full jitter a uniform draw up to that.
    """

    timeout_s: float | None = None
    retries: int = 0
    backoff_base_s: float = 0.0
    jitter: str = "none"

    def __post_init__(self) -> None:
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise StagingError(f"timeout_s(={self.timeout_s}) must be > 0 or null")
        if self.retries < 0 or self.backoff_base_s < 0 or self.jitter not in ("none", "full"):
            raise StagingError(
                f"retries(={self.retries}) and backoff_base_s(={self.backoff_base_s}) must be >= 0, "
                f"jitter(={self.jitter}) none or full"
            )


@dataclass(frozen=True)
class Symptom:
    """What rows that were written wrong do once one is `after_s` old: errors of checkout, whatever its version.

    Of a share of its requests, or of a cohort's, until no row is wrong any more.
    """

    after_s: float
    errors_ratio: float
    cohort: str | None = None

    def __post_init__(self) -> None:
        if self.after_s < 0 or not 0.0 < self.errors_ratio <= 1.0:
            raise StagingError(
                f"symptom: after_s(={self.after_s}) must be >= 0 and errors_ratio(={self.errors_ratio}) in 0..1, not 0"
            )


@dataclass(frozen=True)
class StoreConfig:
    """The orders database: `connections` of each checkout replica, `service_time` spent inside PostgreSQL.

    replication: async, or sync: a write is acknowledged when the standby has it too. archive_every_s: of the
    write-ahead log; None: it is not archived. rows: how many there are from before. migration: what the new version
    writes, both schemas' columns (dual) or only its own (new); None: the schema does not change. symptom: of wrong
    rows; None: nobody who reads them notices.
    """

    connections: int = 10
    service_time: ServiceTime | None = None
    replication: str = "async"
    archive_every_s: float | None = None
    rows: int = 0
    migration: str | None = None
    symptom: Symptom | None = None

    def __post_init__(self) -> None:
        if self.replication not in ("async", "sync") or self.migration not in (None, "dual", "new"):
            raise StagingError(
                f"replication(={self.replication}) must be async or sync, "
                f"migration(={self.migration}) dual, new or null"
            )


def _services_default() -> dict[str, ServiceConfig]:
    return {
        "edge": ServiceConfig(service_time=ServiceTime("constant", 0.001)),
        "catalogue": ServiceConfig(service_time=ServiceTime("lognormal", -5.4, 0.5)),
        "checkout": ServiceConfig(
            versions=("2.3", "2.4"), replicas=2, service_time=ServiceTime("lognormal", -4.6, 0.5)
        ),
        "payments": ServiceConfig(service_time=ServiceTime("lognormal", -3.9, 0.4)),
    }


def _calls_default() -> dict[tuple[str, str], CallConfig]:
    return {
        ("edge", "catalogue"): CallConfig(timeout_s=1.0, retries=1),
        ("edge", "checkout"): CallConfig(timeout_s=2.0),
        ("checkout", "payments"): CallConfig(timeout_s=0.8, retries=1, backoff_base_s=0.05, jitter="full"),
        ("checkout", "orders"): CallConfig(timeout_s=1.0),
    }


@dataclass(frozen=True)
class StagingConfig:
    """The whole of it. `latency_edges_s` are the bounds that Envoy's latency histograms are to have (whole ms).

    `cohorts`: those that can be routed by themselves. `flag_poll_s`: how often replicas of a new version look at the
    release's flag; None: it has none.
    """

    services: Mapping[str, ServiceConfig] = field(default_factory=_services_default)
    calls: Mapping[tuple[str, str], CallConfig] = field(default_factory=_calls_default)
    store: StoreConfig = field(default_factory=StoreConfig)
    latency_edges_s: tuple[float, ...] = ()
    seed: int = 1
    cohorts: tuple[str, ...] = ()
    flag_poll_s: float | None = None

    def __post_init__(self) -> None:
        if set(self.services) != set(SERVICES):
            raise StagingError(f"services(={sorted(self.services)}) must be {sorted(SERVICES)}")
        for caller, callee in self.calls:
            proxy_name(caller, callee)
        if self.flag_poll_s is not None and self.flag_poll_s <= 0:
            raise StagingError(f"flag_poll_s(={self.flag_poll_s}) must be > 0 or null")

    def call(self, caller: str, callee: str) -> CallConfig:
        """The call's numbers; no timeout and no retries where none are given."""
        return self.calls.get((caller, callee), CallConfig())

    def has_flag(self, service: str, version: str) -> bool:
        """Whether the replicas of a version ask the release's flag."""
        return self.flag_poll_s is not None and version in self.services[service].versions[1:]

    def with_service(self, name: str, **changes: Any) -> StagingConfig:
        """A copy with one service changed."""
        changed = replace(self.services[name], **changes)
        return replace(self, services={**self.services, name: changed})

    def to_json(self) -> dict[str, Any]:
        """Plain data, for state.json."""
        return {
            "services": {name: asdict(service) for name, service in self.services.items()},
            "calls": [
                {"caller": caller, "callee": callee, **asdict(call)} for (caller, callee), call in self.calls.items()
            ],
            "store": asdict(self.store),
            "latency_edges_s": list(self.latency_edges_s),
            "seed": self.seed,
            "cohorts": list(self.cohorts),
            "flag_poll_s": self.flag_poll_s,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StagingConfig:
        """The inverse of `to_json`."""
        services = {
            name: ServiceConfig(
                **{
                    **entry,
                    "versions": tuple(entry["versions"]),
                    "zones": tuple(entry["zones"]),
                    "service_time": ServiceTime(**entry["service_time"]),
                }
            )
            for name, entry in data["services"].items()
        }
        calls = {
            (entry["caller"], entry["callee"]): CallConfig(
                **{key: value for key, value in entry.items() if key not in ("caller", "callee")}
            )
            for entry in data["calls"]
        }
        time, symptom = data["store"]["service_time"], data["store"]["symptom"]
        parts = {
            "service_time": ServiceTime(**time) if time else None,
            "symptom": Symptom(**symptom) if symptom else None,
        }
        store = StoreConfig(**{**data["store"], **parts})
        edges_s, cohorts = tuple(data["latency_edges_s"]), tuple(data["cohorts"])
        return cls(services, calls, store, edges_s, data["seed"], cohorts, data["flag_poll_s"])
