"""What the faults that change a service's conditions share: keys that its replicas read, and say back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["ConditionFault"]


class ConditionFault(ABC):
    """A kind whose effect is one or more keys."""

    kind: str
    confirmed: str

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Take the keys back; again, since a replica may have died or started meanwhile."""
        return (Rung("take back", _take_back, 30.0), Rung("take back again", _take_back, 30.0))

    @abstractmethod
    def keys(self, effect: Any, replicas: int) -> Mapping[str, Any]:
        """The conditions of each replica, of so many that are ordered."""

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses keys that are set already: the undo of the first would lift the second."""
        service = fault.target
        try:
            keys = self.keys(fault.effect, sum(surface.ordered(service).values()))
            now = surface.conditions(service)
        except StagingError as error:
            raise FaultRefused(f"{self.kind} of {service}: {error}") from error
        taken = sorted(set(keys) & set(now))
        if taken:
            raise FaultRefused(f"{self.kind} of {service}: {', '.join(taken)} changed already; faults cannot overlap")
        undo = {"service": service, "keys": dict(keys)}
        return new_entry(surface.token(), context.drill_id, self.kind, service, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Set the keys."""
        surface.set_conditions(entry.undo["service"], entry.undo["keys"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Every replica says the keys back."""
        found = surface.conditions(entry.undo["service"])
        if any(found.get(key) != value for key, value in entry.undo["keys"].items()):
            raise FaultNotConfirmed(
                f"{self.kind} of {entry.target}: replicas have {dict(found)}, must have {entry.undo['keys']}"
            )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Keys that are still there."""
        left = {
            key: value for key, value in surface.conditions(entry.undo["service"]).items() if key in entry.undo["keys"]
        }
        return f"{entry.undo['service']} has {left}" if left else None


def _take_back(surface: Surface, entry: JournalEntry) -> None:
    surface.set_conditions(entry.undo["service"], dict.fromkeys(entry.undo["keys"]))
