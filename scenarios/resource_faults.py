"""Faults of the resources of a service's processes: time on the processor, memory, descriptors, room on the disk."""

from __future__ import annotations

from pydantic import Field

from scenarios.base import Name, Part
from scenarios.quantities import Count, PositiveRatio, SizeBytes

__all__ = ["Cpu", "Descriptors", "Disk", "Memory"]


class Cpu(Part):
    """Processes of a service run for a share of the time only, as under a quota of their container."""

    of: Name
    share: PositiveRatio


class Memory(Part):
    """Processes of a service get no more memory than so much above what they have."""

    of: Name
    left_bytes: SizeBytes = Field(alias="left")


class Descriptors(Part):
    """Processes of a service open no more files and connections than so many above those they have."""

    of: Name
    left: Count = 0


class Disk(Part):
    """Files that processes of a service write grow by no more than so much: to them, the disk is full."""

    of: Name
    left_bytes: SizeBytes = Field(alias="left")
