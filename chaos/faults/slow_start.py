"""Slow start: replicas that start meanwhile are ready so much later. Those that run go on.

The undo cuts short what a starting replica still has to wait. Confirmed by the setup that replicas start with; one more
than the release orders would change what is drilled. So a fault in whose time no replica starts proves nothing, and
says so. Not modelled: a cold cache or a slow first minute of a replica that is ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.errors import StagingError
from chaos.faults.base import PlanContext
from chaos.faults.conditions import ConditionFault
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault, SlowStart

__all__ = ["SLOW_START"]


class SlowStartFault(ConditionFault):
    """The kind `slow_start`."""

    kind = "slow_start"
    confirmed = "the setup that replicas start with says it back; and one has started by the fault's end"

    def keys(self, effect: SlowStart, replicas: int) -> Mapping[str, Any]:
        """The same for every replica."""
        del replicas
        return {"start_add_s": effect.add_s}

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """With the processes that have started before."""
        entry = super().plan(surface, fault, context)
        undo = {**entry.undo, "before": _processes(surface, fault.target)}
        return new_entry(surface.token(), context.drill_id, self.kind, fault.target, undo)

    def unmet(self, surface: Surface, entry: JournalEntry) -> str | None:
        """A replica that started meanwhile is one that had to wait."""
        service, before = entry.undo["service"], entry.undo["before"]
        try:
            if any(process not in before for process in _processes(surface, service)):
                return None
        except StagingError as error:
            return f"who has started meanwhile cannot be told: {error}"
        return f"no replica of {service} started while it was in force: nothing is proven by it"


def _processes(surface: Surface, service: str) -> list[list[int | str]]:
    return [[each.pid, each.started] for version in surface.running(service).values() for each in version]


SLOW_START = SlowStartFault()
