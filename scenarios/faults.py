"""Faults: what breaks around the release, when, and for how long."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from scenarios.base import Name, Part, exactly_one
from scenarios.database_faults import CorruptedMigration, Exhaustion, Lock, ReadOnly
from scenarios.experiments import Experiment
from scenarios.links import Link
from scenarios.network_faults import (
    Bandwidth,
    Cut,
    Latency,
    LimitData,
    Packets,
    Reset,
    Slicer,
    SlowClose,
    Timeout,
    ToxicPart,
)
from scenarios.process_faults import Configuration, CrashLoop, Kill, Outage, Pause, SlowStart, ThirdPartyQuota
from scenarios.quantities import DurationS, PositiveDurationS
from scenarios.resource_faults import Cpu, Descriptors, Disk, Memory
from scenarios.router_faults import Delay, Error
from scenarios.store_faults import Lag, Primary, Standby

__all__ = [
    "CLIENT",
    "LINK_KINDS",
    "STORE_KINDS",
    "Cut",
    "Effect",
    "Error",
    "Fault",
    "FaultKind",
    "Kill",
    "Latency",
    "Link",
    "Zone",
    "target_kind",
]

FaultKind = Literal[
    "latency",
    "bandwidth",
    "timeout",
    "reset",
    "slicer",
    "limit_data",
    "slow_close",
    "packets",
    "cut",
    "error",
    "delay",
    "kill",
    "pause",
    "crash_loop",
    "slow_start",
    "configuration",
    "outage",
    "quota",
    "cpu",
    "memory",
    "descriptors",
    "disk",
    "exhaustion",
    "lock",
    "read_only",
    "corrupted_migration",
    "primary",
    "standby",
    "lag",
    "zone",
    "experiment",
]

# Those that are on a link.
LINK_KINDS = ("latency", "bandwidth", "timeout", "reset", "slicer", "limit_data", "slow_close", "packets", "cut")

# Those that are on a store.
STORE_KINDS = ("exhaustion", "lock", "read_only", "corrupted_migration", "primary", "standby", "lag")

# The caller of every path's first service.
CLIENT = "client"


class Zone(Part):
    """A zone is out: all replicas in it die, and nothing starts there until the fault ends."""

    of: Name
    replaced_after_s: PositiveDurationS | None = Field(
        None, alias="replaced_after", description="then they are started in other zones; without it, when it ends"
    )


Effect = (
    Latency
    | Bandwidth
    | Timeout
    | Reset
    | Slicer
    | LimitData
    | SlowClose
    | Packets
    | Cut
    | Error
    | Delay
    | Kill
    | Pause
    | CrashLoop
    | SlowStart
    | Configuration
    | Outage
    | ThirdPartyQuota
    | Cpu
    | Memory
    | Descriptors
    | Disk
    | Exhaustion
    | Lock
    | ReadOnly
    | CorruptedMigration
    | Primary
    | Standby
    | Lag
    | Zone
    | Experiment
)


class Fault(Part):
    """One fault, in force from `at` (after the start of the load) for a time."""

    at_s: DurationS = Field(alias="at")
    for_s: PositiveDurationS = Field(alias="for")
    latency: Latency | None = None
    bandwidth: Bandwidth | None = None
    timeout: Timeout | None = None
    reset: Reset | None = None
    slicer: Slicer | None = None
    limit_data: LimitData | None = None
    slow_close: SlowClose | None = None
    packets: Packets | None = None
    cut: Cut | None = None
    error: Error | None = None
    delay: Delay | None = None
    kill: Kill | None = None
    pause: Pause | None = None
    crash_loop: CrashLoop | None = None
    slow_start: SlowStart | None = None
    configuration: Configuration | None = None
    outage: Outage | None = None
    quota: ThirdPartyQuota | None = None
    cpu: Cpu | None = None
    memory: Memory | None = None
    descriptors: Descriptors | None = None
    disk: Disk | None = None
    exhaustion: Exhaustion | None = None
    lock: Lock | None = None
    read_only: ReadOnly | None = None
    corrupted_migration: CorruptedMigration | None = None
    primary: Primary | None = None
    standby: Standby | None = None
    lag: Lag | None = None
    zone: Zone | None = None
    experiment: Experiment | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, get_args(FaultKind))
        return self

    @property
    def kind(self) -> FaultKind:
        """Which of the faults it is."""
        return next(kind for kind in get_args(FaultKind) if getattr(self, kind) is not None)

    @property
    def effect(self) -> Effect:
        """The parameters of the fault."""
        effect: Effect = getattr(self, self.kind)
        return effect

    @property
    def target(self) -> str:
        """The link, service, store or zone that it is on, or the file that says so."""
        effect = self.effect
        if isinstance(effect, Experiment):
            return effect.file
        return str(effect.on) if isinstance(effect, ToxicPart | Packets | Cut | Error | Delay) else effect.of


def target_kind(kind: FaultKind) -> str:
    """What a fault of this kind is on: a link, service, store, zone or file."""
    if kind in LINK_KINDS:
        return "link"
    if kind in STORE_KINDS:
        return "store"
    return {"zone": "zone", "experiment": "file"}.get(kind, "service")
