"""Faults: what breaks around the release, when, and for how long."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scenarios.base import Name, Part, exactly_one
from scenarios.experiments import Experiment
from scenarios.quantities import DurationS, PositiveCount, PositiveDurationS, PositiveRatio
from scenarios.store_faults import Lag, Primary, Standby

__all__ = ["CLIENT", "Cut", "Error", "Fault", "FaultKind", "Kill", "Latency", "Link", "Zone"]

FaultKind = Literal["latency", "cut", "error", "kill", "primary", "standby", "lag", "zone", "experiment"]

# The caller of every path's first service.
CLIENT = "client"

_LINK = re.compile(r"([a-z][a-z0-9-]*)\s*->\s*([a-z][a-z0-9-]*)")


class Link(Part):
    """The connection of a caller to a callee, written `caller -> callee`."""

    caller: str
    callee: str

    def __str__(self) -> str:
        return f"{self.caller} -> {self.callee}"


def _parse_link(value: Any) -> Any:
    if isinstance(value, Link):
        return value
    match = _LINK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a link such as 'checkout -> payments'")
    return Link(caller=match[1], callee=match[2])


OnLink = Annotated[
    Link,
    BeforeValidator(_parse_link),
    WithJsonSchema({"type": "string", "pattern": _LINK.pattern, "examples": ["checkout -> payments"]}),
]


class Latency(Part):
    """Every answer on a link comes later: by `add`, and a uniform draw from 0 to `jitter` besides."""

    on: OnLink
    add_s: PositiveDurationS = Field(alias="add")
    jitter_s: DurationS = Field(0.0, alias="jitter")


class Cut(Part):
    """Connections on a link are broken, and new ones refused."""

    on: OnLink


class Error(Part):
    """A share of a service's requests is answered with an error before it reaches the service."""

    on: Name
    share: PositiveRatio


class Kill(Part):
    """Processes of a service die at once; they are started again when the fault ends."""

    of: Name
    version: Literal["new", "old", "any"] = "any"
    replicas: PositiveCount = 1


class Zone(Part):
    """A zone is out: all replicas in it die, and nothing starts there until the fault ends."""

    of: Name
    replaced_after_s: PositiveDurationS | None = Field(
        None, alias="replaced_after", description="then they are started in other zones; without it, when it ends"
    )


class Fault(Part):
    """One fault, in force from `at` (after the start of the load) for a time."""

    at_s: DurationS = Field(alias="at")
    for_s: PositiveDurationS = Field(alias="for")
    latency: Latency | None = None
    cut: Cut | None = None
    error: Error | None = None
    kill: Kill | None = None
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
    def effect(self) -> Latency | Cut | Error | Kill | Primary | Standby | Lag | Zone | Experiment:
        """The parameters of the fault."""
        effect: Latency | Cut | Error | Kill | Primary | Standby | Lag | Zone | Experiment = getattr(self, self.kind)
        return effect

    @property
    def target(self) -> str:
        """The link, service, store or zone that it is on, or the file that says so."""
        effect = self.effect
        if isinstance(effect, Experiment):
            return effect.file
        return str(effect.on) if isinstance(effect, Latency | Cut | Error) else effect.of
