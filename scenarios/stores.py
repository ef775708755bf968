"""Stores: what keeps the data, what stands by for it, and what it can be brought back from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Part
from scenarios.distributions import Distribution
from scenarios.quantities import (
    Count,
    DurationS,
    PositiveCount,
    PositiveDurationS,
    PositiveRatio,
    SizeBytes,
    ThroughputBytesPerS,
)

__all__ = ["Backup", "Failover", "Store"]


class Failover(Part):
    """How a standby takes over: found out that the primary is gone, decided, promoted."""

    detect: Distribution | None = Field(None, description="without, only a rollback's step fail-over promotes")
    promote: Distribution
    by: Literal["automatic", "on-call"] = Field("automatic", description="on-call: a person is paged, and decides")

    @model_validator(mode="after")
    def _paged_of_what_is_noticed(self) -> Self:
        if self.detect is None and "by" in self.model_fields_set:
            raise ValueError("by needs detect: without, only a rollback's step fail-over promotes")
        return self


class Backup(Part):
    """Copies of the whole store that are taken again and again, and what it takes to come back from one."""

    every_s: PositiveDurationS = Field(alias="every")
    age_s: DurationS | None = Field(
        None, alias="age", description="of the last one when the load begins; without, drawn from 0 to `every`"
    )
    restore_bytes_per_s: ThroughputBytesPerS = Field(alias="restore")
    copy_bytes_per_s: ThroughputBytesPerS | None = Field(
        None, alias="copy", description="of the backup to where it is restored; without, nothing is copied"
    )
    prepositioned: bool = Field(False, description="the backup is there already: nothing is copied")
    tested: PositiveRatio = Field(1.0, description="probability that a backup restores; else the one before is taken")
    start: Distribution | None = Field(None, description="from the loss of a store to the start of its restore")

    def attempt_s(self, size_bytes: float) -> float:
        """How long one attempt to restore takes: the copy, unless the backup is there already, then the restore."""
        restore_s = size_bytes / self.restore_bytes_per_s
        if self.prepositioned or self.copy_bytes_per_s is None:
            return restore_s
        return size_bytes / self.copy_bytes_per_s + restore_s


class Store(Part):
    """A database that keeps what it acknowledged, as long as its primary lives."""

    engine: Literal["postgresql"] = "postgresql"
    connections: PositiveCount = Field(20, description="statements that it runs at a time")
    service_time: Distribution
    size_bytes: SizeBytes | None = Field(None, alias="size", description="needed for a backup")
    standbys: Count = Field(0, le=10)
    replication: Literal["async", "sync"] = Field(
        "async", description="sync: a write is acknowledged when a standby has it too"
    )
    lag: Distribution | None = Field(None, description="how far the standbys are behind, when one is promoted")
    failover: Failover | None = None
    backup: Backup | None = None
    archive_every_s: PositiveDurationS | None = Field(
        None, alias="archive_every", description="of the write-ahead log; a restore reaches the last one"
    )

    @property
    def noticed_after(self) -> Distribution | None:
        """From the loss of the primary until a failover by itself is begun; None when there is none."""
        return self.failover.detect if self.failover is not None and self.standbys else None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.standbys == 0:
            for name in ("failover", "lag"):
                if name in self.model_fields_set:
                    raise ValueError(f"{name} needs standbys above 0")
            if self.replication == "sync":
                raise ValueError("replication sync needs standbys above 0")
        if self.replication == "sync" and "lag" in self.model_fields_set:
            raise ValueError("lag must not be there with replication sync: a standby has what was acknowledged")
        if self.backup is not None and self.size_bytes is None:
            raise ValueError("backup needs size: a restore takes size over throughput")
        if self.archive_every_s is not None and self.backup is None:
            raise ValueError("archive_every needs backup: the log is played on from a backup")
        return self
