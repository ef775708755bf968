"""Delay: a share of a service's requests is held back by the router, before a version is chosen for each.

So a guardrail that looks at the router's times of a version does not see it, and clients and callers do. Confirmed
twice: the router says it back, and a request of our own that the router answers itself is late; for a share, so many
are tried that missing it has a chance of one in a million. Envoy draws for each request by itself, unseeded. Not
modelled: a delay of one version only; of answers (latency.py has them, on a link).
"""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.toxic import PATIENCE_S_MAX, tries_of
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["DELAY"]

# A smaller share would take thousands of requests to be felt.
_SHARE_MIN = 0.01
_RESOLUTION_S = 1e-3
_FELT = 0.95


class DelayFault:
    """The kind `delay`."""

    kind = "delay"
    confirmed = "the router says it back, and a request of our own is late"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Hold none back; again, since a router may have missed it while it was busy."""
        return (Rung("clear delay", _clear, 10.0), Rung("clear delay again", _clear, 20.0))

    def require_possible(self, fault: Fault) -> None:
        """Refuses what is below the router's resolution."""
        effect = fault.delay
        assert effect is not None
        if effect.share < _SHARE_MIN or effect.add_s < _RESOLUTION_S:
            raise FaultRefused(
                f"delay on {effect.on}: share(={effect.share:g}) must be at least {_SHARE_MIN:g} and "
                f"add_s(={effect.add_s:g}) at least {_RESOLUTION_S:g}"
            )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a service or cohort that is delayed already."""
        self.require_possible(fault)
        effect = fault.delay
        assert effect is not None
        try:
            share, _ = surface.delay(effect.on, effect.cohort)
        except StagingError as error:
            raise FaultRefused(f"delay on {effect.on}: {error}") from error
        if share > 0:
            raise FaultRefused(f"delay on {effect.on}: a share of {share:g} is in force; delays cannot overlap")
        undo = {"service": effect.on, "share": effect.share, "add_s": effect.add_s, "cohort": effect.cohort}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.on, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Set share and length."""
        undo = entry.undo
        surface.set_delay(undo["service"], undo["share"], undo["add_s"], undo["cohort"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The router says them back, and one of our own requests is late."""
        service, cohort, share = entry.undo["service"], entry.undo["cohort"], entry.undo["share"]
        found = surface.delay(service, cohort)
        wanted = (share, round(entry.undo["add_s"], 3))
        if abs(found[0] - share) > 1e-4 or round(found[1], 3) != wanted[1]:
            raise FaultNotConfirmed(f"delay on {entry.target}: the router has {found}, must have {wanted}")
        # The router's timers are of whole milliseconds, and may be early by some.
        least_s = _FELT * min(wanted[1], PATIENCE_S_MAX)
        tries = tries_of(share)
        for _ in range(tries):
            felt = surface.feel_router(service, least_s, cohort)
            if felt.answered_s is None or felt.answered_s >= least_s:
                return
        raise FaultNotConfirmed(f"delay on {entry.target}: not felt on any of {tries} requests; on the last: {felt}")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The share, if there still is one."""
        share, add_s = surface.delay(entry.undo["service"], entry.undo["cohort"])
        return f"a share of {share:g} of {entry.target}'s requests is held back for {add_s:g} s" if share > 0 else None


def _clear(surface: Surface, entry: JournalEntry) -> None:
    surface.set_delay(entry.undo["service"], 0.0, 0.0, entry.undo["cohort"])


DELAY = DelayFault()
