"""What the faults by a limit of processes share: a soft limit (setrlimit) on every replica that runs, and its undo.

No more than the service's own processes feel it, and nothing on the host is used up. What each had before is in the
journal before the first limit is set. Replicas that start meanwhile have none. Confirmed twice: the kernel tells each
process's limit, and each process tries to have more and does not get it (a process that cannot even answer is as good).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.processes import ProcessId
from scenarios.models import Fault

__all__ = ["LimitFault"]


class LimitFault(ABC):
    """A kind whose effect is one limit."""

    kind: str
    confirmed = "the kernel says each process's limit back, and each tries to have more in vain"
    resource: str

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Give back what they had; again, since a process may have been busy."""
        return (Rung("lift limit", self.lift, 10.0), Rung("lift limit again", self.lift, 10.0))

    @abstractmethod
    def left(self, effect: Any) -> int:
        """How much more than now a process may have."""

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a service with no replica, and one that is limited by a fault already."""
        service = fault.target
        try:
            running = surface.running(service)
        except StagingError as error:
            raise FaultRefused(f"{self.kind} of {service}: {error}") from error
        limits = []
        for process in [each for version in sorted(running) for each in running[version]]:
            before = surface.limit(process, self.resource)
            wanted = surface.used(process, self.resource) + self.left(fault.effect)
            if before is not None and before <= wanted:
                raise FaultRefused(
                    f"{self.kind} of {service}: {wanted} must be below the limit of process {process.pid}, {before}"
                )
            limits.append([process.pid, process.started, before, wanted])
        if not limits:
            raise FaultRefused(f"{self.kind} of {service}: must have replicas that run")
        undo = {"service": service, "limits": limits}
        return new_entry(surface.token(), context.drill_id, self.kind, service, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Set it on each."""
        for process, _, wanted in _limits(entry):
            surface.set_limit(process, self.resource, wanted)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The kernel says it back, and each process meets it."""
        for process, _, wanted in _limits(entry):
            found = surface.limit(process, self.resource)
            if found != wanted:
                raise FaultNotConfirmed(
                    f"{self.kind} of {entry.target}: process {process.pid} has {found}, must have {wanted}"
                )
            if surface.attempt(process, self.resource, wanted) is None:
                raise FaultNotConfirmed(
                    f"{self.kind} of {entry.target}: process {process.pid} got more than {wanted}, must not"
                )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Processes that still have it."""
        left = [
            str(process.pid)
            for process, before, _ in _limits(entry)
            if surface.state(process) != "gone" and surface.limit(process, self.resource) != before
        ]
        return f"{entry.target}: processes {', '.join(left)} are limited" if left else None

    def lift(self, surface: Surface, entry: JournalEntry) -> None:
        """Give each what it had."""
        for process, before, _ in _limits(entry):
            surface.set_limit(process, self.resource, before)


def _limits(entry: JournalEntry) -> Iterator[tuple[ProcessId, int | None, int]]:
    for pid, started, before, wanted in entry.undo["limits"]:
        yield ProcessId(pid, started), before, wanted
