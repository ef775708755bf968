"""What the controller needs of a world: a clock, a few verbs, and a timeline to write on.

Both worlds fulfil the protocol: the simulator in virtual time, the harness on real staging. The controller cannot
tell them apart, which is the point: the one that runs a drill is the one that was simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from numpy.typing import NDArray

from scenarios.models import Fault, Worse

__all__ = ["Data", "Observation", "World"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a version of a service answered within a window.

    `histogram` counts the latencies of successful answers: shape (len(edges_s) + 1,), bin i holds
    edges_s[i-1] < latency <= edges_s[i].
    """

    requests: int
    errors: int
    histogram: NDArray[np.int64]


class Data(Protocol):
    """What a release can do to the data of a world. Its verbs return events as those of `World` do."""

    def migrate(self, phase: str) -> simpy.Process:
        """Play a phase of the migration: expand, backfill, switch, contract or revert. Interrupted, it never was."""
        ...

    def restore(self) -> simpy.Event:
        """Bring the stores that the released services write to back from backups, to before the release."""
        ...

    def fail_over(self) -> simpy.Event:
        """Have a standby take over each store that the released services call."""
        ...

    def reconcile(self) -> simpy.Event:
        """Put right what rows are wrong by now."""
        ...

    def symptom(self) -> simpy.Event:
        """Fires when bad data shows next."""
        ...

    def dirty(self) -> bool:
        """Whether there is bad data now."""
        ...


class World(Protocol):
    """A place where a release can be played. Times are seconds since the start of the load.

    Verbs return SimPy events: they fire when the effect is in force (read back, where there is something to read),
    and fail with WorldError. Deploys of one service and version, and routes of one service, take effect in the order of
    the calls, also when a call comes before the one before has finished.
    """

    env: simpy.Environment
    edges_s: NDArray[np.float64]

    @property
    def data(self) -> Data:
        """The verbs for data."""
        ...

    def deploy(self, service: str, version: str, replicas: int, zones: Sequence[str] = ()) -> simpy.Event:
        """Have exactly `replicas` ready replicas of the version, in these zones (none: in any); 0 stops them all."""
        ...

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> simpy.Event:
        """Send each version its share of the service's requests, `cohorts` by shares of their own; each adds up to 1.

        It takes the place of all that was routed before: a cohort without shares goes with the others.
        """
        ...

    def mirror(self, service: str, version: str, share: float) -> simpy.Event:
        """Copy this share of the service's requests to a version; 0 ends it."""
        ...

    def flag(self, service: str, share: float, cohorts: Sequence[str], within_s: float) -> simpy.Event:
        """Have the new version's flag on for a share of its requests and for whole cohorts; (0, ()) turns it off.

        It takes the place of what was ordered before. Replicas follow one after the other; all have after `within_s`.
        """
        ...

    def observe(self, service: str, version: str | None, window_s: float) -> simpy.Event:
        """Observation of a version (None: of all) over the last `window_s` seconds, as the event's value."""
        ...

    def procedure(self, service: str, old: str, new: str) -> simpy.Event:
        """Run the operator's own rollback of a service; the event fails when it did not come to a good end."""
        ...

    def inject(self, fault: Fault) -> simpy.Event:
        """Put a fault in force; fires when that is confirmed."""
        ...

    def heal(self, fault: Fault) -> simpy.Event:
        """Take a fault back; fires when that is confirmed."""
        ...

    def worsen(self, service: str, version: str, worse: Worse | None) -> simpy.Event:
        """Have something wrong with a version that was well: what a bad rollback does. None puts it right."""
        ...

    def verify(self, dark: Collection[str] = ()) -> simpy.Event:
        """Read versions, replicas and weights back; the event's value lists the differences from the baseline.

        Services of `dark` are to keep the new version, its flag off.
        """
        ...

    def record(self, kind: str, subject: str, /, **detail: object) -> None:
        """Write an event of this moment on the timeline of the run record."""
        ...

    def listen(self, hear: Callable[[str], None]) -> None:
        """From now on, call `hear` with the kind of each event that is recorded."""
        ...

    def failed(self, function: str) -> int:
        """Requests of a business function that have failed so far, as its clients know. Raises WorldError."""
        ...
