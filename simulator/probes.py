"""What a probe of a replica finds, and when a run of failures counts."""

from __future__ import annotations

from scenarios.models import Probe
from simulator.kernel.plane import DataPlane

__all__ = ["ProbeWatch", "answers"]


def answers(plane: DataPlane, station: int, version: int, replica: int, timeout_s: float) -> bool:
    """Whether a probe sent `timeout_s` ago, or at the latest now, has been taken up by a worker of the replica.

    A probe waits in the queue like any request, and costs no work. Queues are first in, first out: while the request
    at the head has waited longer than the timeout, everything sent before that is still behind it. A replica without a
    free worker or a free place in its queue refuses the probe. Not modelled: a health check that depends on others.
    """
    if plane.waited_s(station, version, replica) > timeout_s:
        return False
    return plane.has_room(station, version, replica)


class ProbeWatch:
    """When to look next, and how many failures there were in a row. One success is enough to be well again."""

    def __init__(self, probe: Probe, first_s: float) -> None:
        self._probe = probe
        self.due_s = first_s
        self._failures = 0

    @property
    def timeout_s(self) -> float:
        """Of one probe."""
        return self._probe.timeout_s

    @property
    def failing(self) -> bool:
        """Whether there were enough failures in a row."""
        return self._failures >= self._probe.failures

    def saw(self, *, answered: bool) -> None:
        """Take the result of the probe that was due."""
        self._failures = 0 if answered else self._failures + 1
        self.due_s += self._probe.period_s
