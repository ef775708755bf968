"""Faults of stores: the primary is lost, a standby is lost, the standbys fall behind."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part
from scenarios.quantities import PositiveCount, PositiveDurationS

__all__ = ["Lag", "Primary", "Standby"]


class Primary(Part):
    """The primary of a store is gone at once. Crashed, it comes back with all that it acknowledged."""

    of: Name
    destroyed: bool = Field(False, description="its data is gone too: only a failover or a restore brings it back")
    partitioned: bool = Field(False, description="it runs on, cut off from callers and standbys")

    @model_validator(mode="after")
    def _runs_or_is_gone(self) -> Self:
        if self.destroyed and self.partitioned:
            raise ValueError("destroyed and partitioned: must be one of them: a server without data does not run on")
        return self


class Standby(Part):
    """Standbys of a store are gone: they neither take over nor acknowledge."""

    of: Name
    standbys: PositiveCount = 1


class Lag(Part):
    """The standbys of a store are further behind."""

    of: Name
    add_s: PositiveDurationS = Field(alias="add")
