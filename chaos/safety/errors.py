"""What safety refuses or cannot do.

ChaosError
  SafetyError
    TargetRefused
      TargetNotListed        not on the allow-list
      ProductionLikeTarget   its name looks like production
      AddressNotAllowed      it does not resolve, or resolves to an address outside the list
      MarkerMissing          it does not serve the staging marker itself
        MarkerUnreachable    it does not answer, or with an error of its own
      MarkerMismatch         it serves the marker of another staging
    BaselineUnhealthy        the system was not well before the release
      BaselineDrifted        its configuration, schema or versions were not as declared
    LeverOn                  the safety lever keeps every drill from starting
    StagingBusy              another drill, or another undo, holds the staging
      TargetBusy             another drill holds the target, from another state folder
    JournalError             the undo could not be written, so the fault is refused
      JournalCorrupt         a line in the middle of the journal is not readable
    WatchdogError            no watchdog, so nothing may be injected
    NoDrill                  nothing runs that could be aborted
    DrillStopped             a stop condition fired: the drill ends in order
    StagingUnclean           the undo could not restore the staging (exit code 5)
"""

from __future__ import annotations

from chaos.errors import ChaosError


class SafetyError(ChaosError):
    """Base class of everything that chaos.safety raises."""


class TargetRefused(SafetyError):
    """A target may not be touched; the message says which rule refused it."""


class TargetNotListed(TargetRefused):
    """The target is not on the allow-list."""


class ProductionLikeTarget(TargetRefused):
    """The target's name looks like production."""


class AddressNotAllowed(TargetRefused):
    """The target does not resolve, or one of its addresses is outside the allowed networks."""


class MarkerMissing(TargetRefused):
    """The target does not itself serve a staging marker."""


class MarkerUnreachable(MarkerMissing):
    """The target does not answer, or with an error of its own: nothing is known of its marker."""


class MarkerMismatch(TargetRefused):
    """The target serves a marker, but of another staging."""


class BaselineUnhealthy(SafetyError):
    """The system was not well before anything was done to it."""


class BaselineDrifted(BaselineUnhealthy):
    """The staging was not as declared before anything was done to it; the message names each fact."""


class LeverOn(SafetyError):
    """The safety lever is on: no drill starts."""


class StagingBusy(SafetyError):
    """Another drill or another undo holds this staging."""


class TargetBusy(StagingBusy):
    """Another drill, whose state is in another folder, holds the same target."""


class JournalError(SafetyError):
    """The journal could not be written or read."""


class JournalCorrupt(JournalError):
    """A line before the last one is not readable, so an undo may be lost."""


class WatchdogError(SafetyError):
    """The watchdog is not there, or did not answer."""


class NoDrill(SafetyError):
    """No drill runs on the staging."""


class DrillStopped(SafetyError):
    """A stop condition fired. Carries the condition's name for the run record."""

    def __init__(self, condition: str, message: str) -> None:
        # SimPy raises a copy of a process's exception, made from its arguments: they must be all there is.
        super().__init__(condition, message)
        self.condition = condition
        self.message = message

    def __str__(self) -> str:
        return self.message
