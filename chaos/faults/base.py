"""What every fault is: planned into a journal entry, applied, confirmed, and undone by a ladder.

The order is safety's (chaos.safety.guard): `plan` changes nothing and returns an entry that holds
all that applying and undoing need; the entry is journalled; only then `apply`, which uses the
entry alone; then `confirm` reads back that the fault is in force. Undoing is idempotent: each
rung may run on any state, also on one that the fault never reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry
from scenarios.models import Fault

__all__ = ["Checkable", "FaultKind", "Meetable", "OnHost", "PlanContext", "Rung", "Undoable"]


@dataclass(frozen=True)
class Rung:
    """One way to undo an entry. The cheapest comes first; later ones may lift other faults too."""

    name: str
    run: Callable[[Surface, JournalEntry], None]
    timeout_s: float


class Undoable(Protocol):
    """What the healer needs of a kind of entry."""

    @property
    def kind(self) -> str:
        """The journal's name of this kind."""
        ...

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The ladder, first rung first."""
        ...

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """What is left of the entry, read back from the staging; None when nothing is."""
        ...


@runtime_checkable
class OnHost(Protocol):
    """What the healer needs besides, of a kind whose effect is on the host itself, and outlives the staging."""

    def lift_from_host(self, entry: JournalEntry) -> None:
        """Take it back without a staging; nothing there is fine. Raises StagingError."""
        ...


@dataclass(frozen=True)
class PlanContext:
    """What a plan knows besides the fault: the drill, and the release's service and versions."""

    drill_id: str
    changed_service: str | None = None
    old_version: str | None = None
    new_version: str | None = None


@runtime_checkable
class Checkable(Protocol):
    """A kind with faults that can be refused by their own words, before there is a staging."""

    def require_possible(self, fault: Fault) -> None:
        """Raise FaultRefused for a fault that `plan` would refuse on every staging."""
        ...


@runtime_checkable
class Meetable(Protocol):
    """A kind that can be in force with nobody there to feel it."""

    def unmet(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Asked before the undo: why nobody has met the fault; None when somebody has."""
        ...


class FaultKind(Undoable, Protocol):
    """One kind of fault."""

    @property
    def confirmed(self) -> str:
        """For people: by what it is known to be in force, as `confirm` does it."""
        ...

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """The entry for this fault. Changes nothing; raises FaultRefused when it cannot be applied."""
        ...

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Put the fault in force, from the entry alone."""
        ...

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Read back that the fault is in force; raises FaultNotConfirmed."""
        ...
