"""Faults that a router puts on requests to a service: on a share of them, and of one cohort alone."""

from __future__ import annotations

from pydantic import Field

from scenarios.base import Name, Part
from scenarios.quantities import PositiveDurationS, PositiveRatio

__all__ = ["Delay", "Error"]


class Error(Part):
    """A share of a service's requests is answered with an error before it reaches the service."""

    on: Name
    share: PositiveRatio
    cohort: Name | None = Field(None, description="of whose requests alone, by their header; none: of all")


class Delay(Part):
    """A share of a service's requests is held back before it reaches the service."""

    on: Name
    add_s: PositiveDurationS = Field(alias="add")
    share: PositiveRatio = 1.0
    cohort: Name | None = Field(None, description="as of errors")
