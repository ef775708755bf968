"""A drill under guard: the order of safety's steps, in one place, on every path.

    with guarded(staging, state_dir, drill_id, deadline_s=600) as guard:
        guard.lease.guard(load_pid)
        guard.protect_release("checkout")     # journalled before the release starts
        entry = guard.inject(fault, context)  # planned, journalled, applied, confirmed
        guard.heal(entry)                     # undone, read back, marked done

Entering takes the drill lock and starts the watchdog, then refuses a staging that an earlier run left
unclean. Leaving, in whatever way, heals all that is still open, and only then releases the watchdog.
Leaving raises StagingUnclean when something could not be undone. A drill that brings its own staging
up is `watched` before that starts, so that the watchdog ends it if the harness dies on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import StagingUnclean
from chaos.faults.base import FaultKind, Meetable, PlanContext
from chaos.faults.registry import FAULTS
from chaos.faults.surface import Surface
from chaos.safety.errors import JournalCorrupt
from chaos.safety.journal import Journal, JournalEntry
from chaos.safety.lease import Lease
from chaos.safety.locks import DRILL_LOCK, HEAL_LOCK, hold
from chaos.safety.release import plan_release
from chaos.safety.stop import ABORT_FILE
from chaos.safety.store import plan_store
from chaos.safety.undo import EntryResult, HealReport, heal, lift_from_host, undo_entry
from scenarios.models import Fault

# Only for a harness that hangs: of one that dies the watchdog hears at once. Long enough for a starved machine.
LEASE_S = 10.0
_DRILL_LOCK_TIMEOUT_S = 1.0
_HEAL_LOCK_TIMEOUT_S = 120.0

__all__ = ["LEASE_S", "Guard", "guarded", "watched"]


@dataclass
class Guard:
    """What a drill may do to its staging. Its methods may be called from several threads."""

    surface: Surface
    state_dir: Path
    drill_id: str
    journal: Journal
    lease: Lease
    faults: Mapping[str, FaultKind]
    report: HealReport | None = None

    def protect_release(self, service: str) -> JournalEntry:
        """Journal how `service` is now; after this, and only then, the release may start."""
        self.lease.require()
        entry = plan_release(self.surface, service, self.drill_id)
        self.journal.open(entry)
        return entry

    def protect_store(self, store: str) -> JournalEntry:
        """Journal that servers and schema of the store go back; after this, and only then, they may change."""
        self.lease.require()
        entry = plan_store(self.surface, store, self.drill_id)
        self.journal.open(entry)
        return entry

    def inject(self, fault: Fault, context: PlanContext) -> JournalEntry:
        """Put a fault in force; it is once this returns.

        A fault that fails to apply or to be confirmed is undone before its error is raised again.
        """
        self.lease.require()
        kind = self.faults[fault.kind]
        entry = kind.plan(self.surface, fault, context)
        self.journal.open(entry)
        try:
            kind.apply(self.surface, entry)
            kind.confirm(self.surface, entry)
        except BaseException:
            self.heal(entry)
            raise
        return entry

    def unmet(self, fault: Fault, entry: JournalEntry) -> str | None:
        """Why nobody has met a fault that is in force, as far as its kind can tell; None otherwise."""
        kind: object = self.faults[fault.kind]
        return kind.unmet(self.surface, entry) if isinstance(kind, Meetable) else None

    def heal(self, entry: JournalEntry) -> EntryResult:
        """Undo one entry and read it back. Raises StagingUnclean when its whole ladder failed."""
        result = undo_entry(self.surface, entry)
        if result.rung is None:
            raise StagingUnclean(str(result))
        self.journal.done(entry, result.rung)
        return result

    def heal_all(self) -> HealReport:
        """Undo everything that is open, newest first."""
        self.report = heal(self.state_dir, self.journal, self.surface)
        return self.report


@contextmanager
def watched(state_dir: Path, drill_id: str, deadline_s: float, lease_s: float = LEASE_S) -> Iterator[Lease]:
    """The drill lock of `state_dir`, and a watchdog; `deadline_s` is the longest that the drill may take.

    After the deadline the watchdog ends the drill by force, so give it room for an orderly end.
    Raises StagingBusy, WatchdogError.
    """
    with hold(state_dir, DRILL_LOCK, _DRILL_LOCK_TIMEOUT_S):
        # Meant for an earlier drill. Later it would be for this one, which is seen from its lock on.
        (state_dir / ABORT_FILE).unlink(missing_ok=True)
        with Lease(state_dir, drill_id, lease_s, deadline_s) as lease:
            yield lease


@contextmanager
def guarded(
    surface: Surface,
    state_dir: Path,
    drill_id: str,
    deadline_s: float,
    lease_s: float = LEASE_S,
    lease: Lease | None = None,
    faults: Mapping[str, FaultKind] = FAULTS,
    locks: Sequence[int] = (),
) -> Iterator[Guard]:
    """Guard a drill on the staging in `state_dir`, under a `lease` that is held already or one of its own.

    `faults` are those that the staging can have, by the scenario language's kind; `locks` are descriptors of others,
    which the watchdog is to hold as well, until all is undone.

    Raises StagingBusy, StagingUnclean (an earlier run's entries are open), JournalCorrupt, WatchdogError.
    """
    watch = watched(state_dir, drill_id, deadline_s, lease_s) if lease is None else nullcontext(lease)
    with watch as held, held.holding(locks):
        with hold(state_dir, HEAL_LOCK, _HEAL_LOCK_TIMEOUT_S):  # a watchdog may be at work yet
            journal = Journal(state_dir)
        with journal:
            _refuse_leftovers(surface, state_dir, journal)
            guard = Guard(surface, state_dir, drill_id, journal, held, faults)
            try:
                yield guard
            finally:
                guard.heal_all().require_clean()


def _refuse_leftovers(surface: Surface, state_dir: Path, journal: Journal) -> None:
    """Entries of a staging that is gone went with it; those of this one must be undone first."""
    if journal.damaged:
        raise JournalCorrupt(
            f"{'; '.join(journal.damaged)}; an undo may be lost: look at the staging, take it down, "
            "and remove the journal"
        )
    left = []
    for entry in journal.open_entries():
        if entry.staging_id == surface.token():
            left.append(f"{entry.kind} on {entry.target}")
        elif (on_host := lift_from_host(entry)) is not None:
            left.append(f"{entry.kind} on {entry.target} ({on_host})")
        else:
            journal.done(entry, "that staging is gone")
    if left:
        raise StagingUnclean(f"staging {state_dir}: an earlier run left {', '.join(left)}; run `windtunnel undo` first")
