"""What somebody who watches a drill is shown while it plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chaos.safety.stop import Abort
from evidence.events import Event

__all__ = ["FunctionNow", "NobodyWatches", "Snapshot", "VersionNow", "Watcher"]


@dataclass(frozen=True)
class FunctionNow:
    """A business function: requests that have ended and failed so far, and for how long it has been down (0 when up).

    known: whether its health is known already.
    """

    known: bool
    down_s: float
    requests: int
    failed: int


@dataclass(frozen=True)
class VersionNow:
    """What a version of a service answered over the last seconds; `p95_s` is None without an answer."""

    service: str
    version: str
    requests_per_s: float
    errors_ratio: float
    p95_s: float | None


@dataclass(frozen=True)
class Snapshot:
    """One look at a drill; `now_s` counts from the load's start."""

    now_s: float
    functions: Mapping[str, FunctionNow]
    versions: tuple[VersionNow, ...]


class Watcher(Protocol):
    """Told of a drill as it plays, in the drill's own thread: it must not block."""

    def begin(self, abort: Abort) -> None:
        """The drill begins to play; `abort` ends it in order."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def look(self, snapshot: Snapshot) -> None:
        """How things are, twice a second."""
        ...

    def end(self) -> None:
        """The play is over: nothing can be aborted any more."""
        ...


class NobodyWatches:
    """Watches nothing."""

    def begin(self, abort: Abort) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """Nothing."""

    def look(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
