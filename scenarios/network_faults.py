"""Faults of the network between a caller and a callee: of one direction, and of a share of the connections."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.base import Part
from scenarios.links import OnLink
from scenarios.quantities import DurationS, PositiveDurationS, PositiveRatio, SizeBytes, ThroughputBytesPerS

__all__ = [
    "Bandwidth",
    "Cut",
    "Direction",
    "Latency",
    "LimitData",
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


class Cut(Part):
    """Connections on a link are broken, and new ones refused."""

    on: OnLink
