"""What a zone's fault, and the undo of a release, need of a staging whose replicas stand in zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

__all__ = ["HasZones"]


@runtime_checkable
class HasZones(Protocol):
    """A surface of such a staging. All calls block, have their own time limits, and raise StagingError."""

    def zones(self) -> Sequence[str]:
        """All that there are; none when its replicas stand in no zone."""
        ...

    def zones_out(self) -> Sequence[str]:
        """Those that are out."""
        ...

    def running_in(self, zone: str) -> Sequence[str]:
        """`service version` of each replica that runs in a zone."""
        ...

    def lacking(self) -> Sequence[str]:
        """`service version` of which fewer replicas run than were ordered."""
        ...

    def lose_zone(self, zone: str) -> None:
        """Kill all that runs in a zone, and let nothing start there."""
        ...

    def regain_zone(self, zone: str) -> None:
        """Let replicas stand in it again, and start what is lacking."""
        ...

    def standing(self, service: str) -> Mapping[str, Mapping[str, int]]:
        """How many replicas of each version stand in each zone, of a service that has zones."""
        ...
