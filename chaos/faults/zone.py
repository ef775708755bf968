"""Zone: it is out. All replicas in it die, by SIGKILL, and nothing starts there until the fault ends.

What a release orders meanwhile stands in the other zones, and so does what was lost once it is replaced there
(`replaced_after`, which the world sees to). The undo starts what is ordered and does not run, and has replicas that
stand elsewhere move back: started in the zone, then drained where they were.

Not modelled: the death of machines (addresses stop answering instead of refusing); databases, routers and third parties
in zones; a deploy under way that waits for the zone, as the simulator's does: it goes on elsewhere at once.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.zoned import HasZones
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["ZONE"]

# Every replica of the zone is started again, service by service.
_REGAIN_S = 90.0


class ZoneFault:
    """The kind `zone`."""

    kind = "zone"
    confirmed = "no replica runs in it"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Let it be again; once more, since a replica may have died while it started."""
        return (Rung("regain", _regain, _REGAIN_S), Rung("regain again", _regain, _REGAIN_S))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a zone that there is not, and one that is out already."""
        zone = fault.target
        if not isinstance(surface, HasZones) or zone not in surface.zones():
            known = ", ".join(surface.zones()) if isinstance(surface, HasZones) else ""
            raise FaultRefused(f"zone {zone}: must be one of {known or '(none)'}")
        if zone in surface.zones_out():
            raise FaultRefused(f"zone {zone} is out already; faults cannot overlap")
        return new_entry(surface.token(), context.drill_id, self.kind, zone, {"zone": zone})

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Out."""
        _zoned(surface).lose_zone(entry.undo["zone"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Nothing runs there."""
        zone = entry.undo["zone"]
        left = _zoned(surface).running_in(zone)
        if left or zone not in _zoned(surface).zones_out():
            raise FaultNotConfirmed(f"zone {zone}: {', '.join(left) or 'nothing'} runs in it, and it is not out")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """A zone that is out, and what does not run where it should."""
        zone = entry.undo["zone"]
        if zone in _zoned(surface).zones_out():
            return f"zone {zone} is out"
        misplaced = _zoned(surface).misplaced()
        return f"replicas are not in their places: {', '.join(misplaced)}" if misplaced else None


def _regain(surface: Surface, entry: JournalEntry) -> None:
    _zoned(surface).regain_zone(entry.undo["zone"])


def _zoned(surface: Surface) -> HasZones:
    assert isinstance(surface, HasZones), "no other staging has such an entry"
    return surface


ZONE = ZoneFault()
