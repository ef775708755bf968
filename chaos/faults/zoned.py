"""What a zone's fault needs of a staging whose replicas stand in zones."""

from __future__ import annotations

from collections.abc import Sequence
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

    def misplaced(self) -> Sequence[str]:
        """`service version` whose replicas do not all run, or not where they would if they all started now."""
        ...

    def lose_zone(self, zone: str) -> None:
        """Kill all that runs in a zone, and let nothing start there."""
        ...

    def replace_lost(self) -> None:
        """Start what was ordered and does not run, in zones that are not out."""
        ...

    def regain_zone(self, zone: str) -> None:
        """Let replicas stand in it again; those that do not run are started, those that stand elsewhere move back."""
        ...
