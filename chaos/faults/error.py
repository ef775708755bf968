"""Error: a share of a service's requests is answered 503 by the router, in the place of the version chosen for each.

Not modelled: errors after the service has done its work (an aborted request never reaches it, so no
write is half done); errors of one version only; connection resets; slow errors. Envoy draws for each
request by itself, unseeded, so the share holds on average. Of one cohort, known by its header, it is a
share besides that of all.

Confirmed twice: the router says the share back, and a question of our own, for which no version is chosen or counted,
fails like a request; so many are asked that missing it has a chance of one in a million. Of a share below 1 %, which
would take thousands, the router's word is all.
"""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.toxic import PATIENCE_S_MAX, tries_of
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

# Envoy's runtime takes the share in ten-thousandths.
_RESOLUTION = 1e-4
_FELT_MIN = 0.01
_FAILED = 503

__all__ = ["ERROR"]


class ErrorFault:
    """The kind `error`."""

    kind = "error"
    confirmed = "the router says the share back, and a question of our own fails"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Set the share to none; again, since a router may have missed it while it was busy."""
        return (Rung("clear share", _clear, 10.0), Rung("clear share again", _clear, 20.0))

    def require_possible(self, fault: Fault) -> None:
        """Refuses a share below the router's resolution."""
        effect = fault.error
        assert effect is not None
        if effect.share < _RESOLUTION:
            raise FaultRefused(f"error on {effect.on}: share(={effect.share:g}) must be at least {_RESOLUTION:g}")

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a service that has errors already: there is one share for each service."""
        self.require_possible(fault)
        effect = fault.error
        assert effect is not None
        try:
            share = surface.error_share(effect.on, effect.cohort)
        except StagingError as error:
            raise FaultRefused(f"error on {effect.on}: {error}") from error
        if share > 0:
            raise FaultRefused(f"error on {effect.on}: a share of {share:g} is in force; errors cannot overlap")
        undo = {"service": effect.on, "share": effect.share, "cohort": effect.cohort}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.on, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Set the share."""
        surface.set_error_share(entry.undo["service"], entry.undo["share"], entry.undo["cohort"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The router says the share back, and one of our own questions fails."""
        found = surface.error_share(entry.undo["service"], entry.undo["cohort"])
        if abs(found - entry.undo["share"]) > _RESOLUTION / 2:
            raise FaultNotConfirmed(f"error on {entry.target}: the share is {found:g}, must be {entry.undo['share']:g}")
        share = entry.undo["share"]
        if share < _FELT_MIN:
            return
        tries = tries_of(share)
        for _ in range(tries):
            felt = surface.feel_router(entry.undo["service"], PATIENCE_S_MAX, entry.undo["cohort"])
            if felt.status == _FAILED:
                return
        raise FaultNotConfirmed(f"error on {entry.target}: must be felt, was not on any of {tries} requests: {felt}")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The share, if there still is one."""
        share = surface.error_share(entry.undo["service"], entry.undo["cohort"])
        return f"an error share of {share:g} on {entry.undo['service']}" if share > 0 else None


def _clear(surface: Surface, entry: JournalEntry) -> None:
    surface.set_error_share(entry.undo["service"], 0.0, entry.undo["cohort"])


ERROR = ErrorFault()
