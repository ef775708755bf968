"""Faults of the network between a caller and a callee: of one direction, and of a share of the connections."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Part
from scenarios.links import OnLink
from scenarios.quantities import DurationS, PositiveDurationS, PositiveRatio, Ratio, SizeBytes, ThroughputBytesPerS

__all__ = [
    "Bandwidth",
    "Cut",
    "Direction",
    "Latency",
    "LimitData",
    "Packets",
    "Reset",
    "Slicer",
    "SlowClose",
    "Timeout",
    "ToxicPart",
]

Direction = Literal["answers", "requests"]


class ToxicPart(Part):
    """What a fault on the connections of a link may say besides."""

    on: OnLink
    direction: Direction = Field("answers", description="callee to caller, or caller to callee")
    connections: PositiveRatio = Field(1.0, description="share of the connections, drawn once for each")


class Latency(ToxicPart):
    """Everything on a link comes later: by `add`, and a uniform draw from 0 to `jitter` besides."""

    add_s: PositiveDurationS = Field(alias="add")
    jitter_s: DurationS = Field(0.0, alias="jitter")


class Bandwidth(ToxicPart):
    """Each connection of a link carries at most so much."""

    rate_bytes_per_s: ThroughputBytesPerS = Field(alias="rate")


class Timeout(ToxicPart):
    """Nothing comes through, and connections stay open: what is sent is swallowed."""

    close_after_s: PositiveDurationS | None = Field(
        None, alias="close_after", description="then the connection is closed; none: when the fault ends"
    )


class Reset(ToxicPart):
    """Connections are reset at the first that is sent on them."""

    after_s: DurationS = Field(0.0, alias="after", description="so much later")


class Slicer(ToxicPart):
    """What is sent comes in small pieces, each so much later than the one before."""

    size_bytes: SizeBytes = Field(alias="size", description="of a piece, on average")
    vary_bytes: SizeBytes | None = Field(None, alias="vary", description="pieces are by up to this smaller or larger")
    delay_s: DurationS = Field(0.0, alias="delay")


class LimitData(ToxicPart):
    """Connections are closed when they have carried so much."""

    size_bytes: SizeBytes = Field(alias="size")


class SlowClose(ToxicPart):
    """Connections stay open for so much longer after one side has closed them."""

    delay_s: PositiveDurationS = Field(alias="delay")


class Packets(Part):
    """Packets of a link are late, lost, doubled, out of order or damaged, or only so many fit through: a bad line."""

    on: OnLink
    direction: Literal["answers", "requests", "both"] = Field(
        "answers", description="callee to caller, caller to callee, or each way by itself"
    )
    delay_s: DurationS = Field(0.0, alias="delay")
    jitter_s: DurationS = Field(0.0, alias="jitter", description="besides, a uniform draw from 0 to this, in order")
    loss: Ratio = 0.0
    duplicate: Ratio = 0.0
    reorder: Ratio = Field(0.0, description="share that is not delayed, and overtakes those that are")
    corrupt: Ratio = Field(0.0, description="share in which one bit is another")
    rate_bytes_per_s: ThroughputBytesPerS | None = Field(None, alias="rate", description="of all connections together")

    @model_validator(mode="after")
    def _something(self) -> Self:
        shares = (self.loss, self.duplicate, self.corrupt)
        if not (self.delay_s or self.jitter_s or any(shares) or self.rate_bytes_per_s):
            raise ValueError("must have at least one of delay, jitter, loss, duplicate, corrupt and rate")
        if self.reorder and not (self.delay_s and self.reorder < 1.0):
            raise ValueError("reorder must be below 100% and beside a delay: what is not delayed overtakes")
        return self


class Cut(Part):
    """Connections on a link are broken, and new ones refused."""

    on: OnLink
