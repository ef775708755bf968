"""Defects: what may be wrong with a new version, and how it shows."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Name, Part
from scenarios.migration import BadData
from scenarios.quantities import DurationS, PositiveDurationS, RatePerS, Ratio, parse_duration_s

__all__ = ["Defect", "LatencyChange", "Peer", "ServiceTimeChange"]

_FACTOR = re.compile(r"x\s*(\d+(?:\.\d+)?)", re.ASCII)


class LatencyChange(Part):
    """What a defect does to the service time: t becomes factor x t + add."""

    factor: float = 1.0
    add_s: float = 0.0


def _parse_latency_change(value: Any) -> Any:
    if isinstance(value, LatencyChange):
        return value
    if isinstance(value, str):
        text = value.strip()
        factor = _FACTOR.fullmatch(text)
        if factor is not None and 1 <= float(factor[1]) <= 10_000:
            return LatencyChange(factor=float(factor[1]))
        if text.startswith("+"):
            return LatencyChange(add_s=parse_duration_s(text[1:]))
    raise ValueError("must be a factor from x1 such as x2.5, or an addition such as +200ms")


ServiceTimeChange = Annotated[
    LatencyChange,
    BeforeValidator(_parse_latency_change),
    WithJsonSchema({"type": "string", "examples": ["x2.5", "+200ms"]}),
]


class Peer(Part):
    """The other side of a contract that is not kept: a service that calls the changed one, or that it calls."""

    service: Name
    version: Literal["new", "old", "any"] = "any"


class Defect(Part):
    """Something that may be wrong with the new version; whether it is, is drawn once a replication."""

    name: Name
    probability: Ratio
    of: Name | None = Field(None, description="the released service that has it; by default the first")
    errors: Ratio = Field(0.0, description="share of requests answered with an error")
    latency: ServiceTimeChange = LatencyChange()
    lost_writes: Ratio = Field(0.0, description="share of acknowledged writes that are not stored")
    bad_data: BadData | None = Field(None, description="rows written wrong: no rollback of code puts them right")
    cohort: Name | None = Field(None, description="only requests of this cohort meet it")
    after_s: DurationS = Field(0.0, alias="after", description="shows that long after the version first gets traffic")
    ramp_s: DurationS = Field(0.0, alias="ramp", description="grows from nothing to all of it in that time")
    above_rate_per_s: RatePerS | None = Field(
        None, alias="above_rate", description="shows only while the service gets more requests than that"
    )
    incompatible_with: Peer | None = Field(
        None, description="errors are those of calls between the new version and this one"
    )
    crash: Ratio = Field(0.0, description="share of the starts of a replica that fail")
    crash_after_s: PositiveDurationS | None = Field(
        None, alias="crash_after", description="a replica dies so long after it was ready, again and again"
    )

    flag: bool = Field(False, description="under a toggle, only requests for which its flag is on meet it")
    contract: bool = Field(False, description="errors are of an API that breaks its consumers: `windtunnel contract`")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.shows and self.crash == 0 and self.crash_after_s is None:
            raise ValueError("must have at least one of errors, latency, lost_writes, bad_data, crash, crash_after")
        return self

    @model_validator(mode="after")
    def _times_what_shows(self) -> Self:
        times = self.after_s or self.ramp_s or self.above_rate_per_s is not None
        if times and (not self.shows or self.bad_data is not None):
            raise ValueError("after, ramp and above_rate must be of errors, latency or lost_writes")
        if self.cohort is not None and (self.crash or self.crash_after_s is not None):
            raise ValueError("crash and crash_after must stand without a cohort: a replica serves all of them")
        return self

    @model_validator(mode="after")
    def _between_versions(self) -> Self:
        if self.incompatible_with is None:
            return self
        if self.errors == 0:
            raise ValueError("incompatible_with needs errors: the share of the calls that fail")
        others = (self.cohort, self.bad_data, self.lost_writes or None)
        if any(each is not None for each in others) or self.latency != LatencyChange():
            raise ValueError("incompatible_with must stand without cohort, latency, lost_writes and bad_data")
        return self

    @model_validator(mode="after")
    def _flags_what_shows(self) -> Self:
        apart = (self.crash or None, self.crash_after_s, self.bad_data, self.incompatible_with)
        if self.flag and any(each is not None for each in apart):
            raise ValueError("flag must stand without bad_data, crash, crash_after and incompatible_with")
        return self

    @model_validator(mode="after")
    def _breaks_calls(self) -> Self:
        if self.contract and (self.errors == 0 or self.incompatible_with is not None):
            raise ValueError("contract needs errors, the share of the calls that it breaks, and no incompatible_with")
        return self

    @property
    def shows(self) -> bool:
        """Whether requests meet it, and not replicas alone."""
        shown = (self.errors > 0, self.lost_writes > 0, self.latency != LatencyChange(), self.bad_data is not None)
        return any(shown)

    @property
    def timed(self) -> bool:
        """Whether requests meet it later, or at times only."""
        return self.after_s > 0 or self.ramp_s > 0 or self.above_rate_per_s is not None
