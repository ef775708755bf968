"""Healing: every open entry of the journal is undone, newest first, read back, and marked done.

One function, three callers: the drill on every exit path, the watchdog, and `windtunnel undo`. Each
entry climbs its ladder of rungs (base.py of chaos.faults) until nothing of it is left; a rung that
fails or hangs is noted, and the next one tried. An entry that its last rung leaves in force stays
open in the journal, and the report is not clean: the alarm that ends in exit code 5.

Of a dead drill that had started its staging for itself, what is on the host is undone while that still
answers; then the staging is taken down, and everything else goes with it: nobody will read its proof, and
each fault by itself would wait for replicas and servers that are about to end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from chaos.errors import ChaosError, StagingError, StagingNotUp, StagingUnclean
from chaos.faults.base import OnHost, Undoable
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.faults.surface import Surface
from chaos.kubernetes.pod_kill import POD_KILL
from chaos.kubernetes.pod_pause import POD_PAUSE
from chaos.safety.bounded import run_bounded
from chaos.safety.ephemeral import EPHEMERAL
from chaos.safety.errors import JournalError
from chaos.safety.journal import Journal, JournalEntry
from chaos.safety.locks import DRILL_LOCK, HEAL_LOCK, hold
from chaos.safety.release import RELEASE
from chaos.safety.store import STORE_UNDO
from chaos.staging.adapters import attach
from chaos.staging.commands.faults import COMMAND_FAULT
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.state import StateFile

_LOCK_TIMEOUT_S = 120.0
_READ_BACK_TIMEOUT_S = 10.0

_OWN: tuple[Undoable, ...] = (RELEASE, STORE_UNDO, EPHEMERAL, COMMAND_FAULT, POD_KILL, POD_PAUSE)
UNDOABLE: dict[str, Undoable] = {**FAULTS, **{each.kind: each for each in _OWN}}

__all__ = [
    "UNDOABLE",
    "EntryResult",
    "HealReport",
    "end_orphan",
    "heal",
    "heal_for_the_dead",
    "lift_from_host",
    "undo_entry",
]


@dataclass(frozen=True)
class EntryResult:
    """What became of one entry: undone by `rung`, or None and what is left of it.

    `failures` are the rungs that were tried before, each with its reason.
    """

    id: str
    kind: str
    target: str
    rung: str | None
    residue: str | None
    failures: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people, each reason once."""
        end = f"undone: {self.rung}" if self.rung else f"LEFT UNCLEAN: {self.residue}"
        reasons: dict[str, list[str]] = {}
        for failure in self.failures:
            rung, _, reason = failure.partition(": ")
            reasons.setdefault(reason, []).append(rung)
        still = reasons.pop(f"left {self.residue}", [])  # which has just been said
        tried = [f"{', '.join(rungs)}: {reason}" for reason, rungs in reasons.items()]
        tried += [", ".join(still)] if still else []
        return f"{self.kind} on {self.target}: {end}" + (f" (after {'; '.join(tried)})" if tried else "")


@dataclass(frozen=True)
class HealReport:
    """What healing did, entry by entry in the order undone, and the torn last line if any."""

    results: tuple[EntryResult, ...]
    torn: str | None
    damaged: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is left to undo."""
        return not self.damaged and all(result.rung is not None for result in self.results)

    def require_clean(self) -> None:
        """Raise StagingUnclean naming every entry that is left."""
        left = [str(result) for result in self.results if result.rung is None]
        left += self.damaged
        if left:
            raise StagingUnclean(f"the staging is not as it was: {'; '.join(left)}")


def heal(state_dir: Path, journal: Journal | None = None, surface: Surface | None = None) -> HealReport:
    """Undo every open entry of the staging in `state_dir`. Idempotent.

    A drill passes the journal and surface that it has open. Without them it is `windtunnel undo`, which is refused
    while a drill runs, and ends a staging that a dead drill had started for itself before it could write that down.
    Raises StagingBusy for that refusal, and when another undo runs on and on.
    """
    if journal is not None:
        with hold(state_dir, HEAL_LOCK, _LOCK_TIMEOUT_S):
            return _heal(state_dir, journal, surface)
    with hold(state_dir, DRILL_LOCK):
        report = heal_for_the_dead(state_dir, surface)
        ended = end_orphan(state_dir) if report.clean else None
        return report if ended is None else replace(report, results=(*report.results, ended))


def end_orphan(state_dir: Path) -> EntryResult | None:
    """End a staging that nobody is left to end; what `undo`, and every command that needs a staging, does first.

    Raises StagingBusy when another undo runs on and on, StagingUnclean.
    """
    if not StateFile(state_dir).exists():
        return None
    with hold(state_dir, HEAL_LOCK, _LOCK_TIMEOUT_S):  # the drill's watchdog may be at it
        why = EmbeddedStaging.end_orphan(state_dir)
    if why is None:
        return None
    return EntryResult("", EPHEMERAL.kind, str(state_dir), f"staging down ({why})", None, ())


def heal_for_the_dead(state_dir: Path, surface: Surface | None = None) -> HealReport:
    """Undo every open entry of a drill whose harness is dead, killed if need be: the watchdog's way in."""
    with hold(state_dir, HEAL_LOCK, _LOCK_TIMEOUT_S), Journal(state_dir) as journal:
        return _heal(state_dir, journal, surface, dead=True)


def _heal(state_dir: Path, journal: Journal, surface: Surface | None, dead: bool = False) -> HealReport:
    entries = tuple(reversed(journal.open_entries()))
    if not entries:
        return HealReport((), journal.torn, journal.damaged)
    try:
        surface, token, up = _find(state_dir, surface)
    except ChaosError as error:
        left = tuple(
            EntryResult(entry.id, entry.kind, entry.target, None, f"staging cannot be read: {error}", ())
            for entry in entries
        )
        return HealReport(left, journal.torn, journal.damaged)
    own = entries[-1].kind == EPHEMERAL.kind and entries[-1].staging_id == token
    done: dict[str, EntryResult] = {}
    if dead and up and own and surface is not None:
        ahead = (each for each in entries if each is entries[-1] or (each.staging_id == token and _is_on_host(each)))
        undone = (_mark(journal, entry, undo_entry(surface, entry)) for entry in ahead)
        done = {result.id: result for result in undone if result.rung is not None}
    gone = entries[-1].id in done
    results = []
    for entry in entries:
        if entry.id in done:
            results.append(done[entry.id])
        elif surface is None or entry.staging_id != token:
            results.append(_moot(journal, entry, "that staging is gone"))
        elif gone:
            results.append(_moot(journal, entry, "went with its staging"))
        elif not up and entry.kind != EPHEMERAL.kind:
            results.append(_moot(journal, entry, "staging is down"))
        else:
            results.append(_mark(journal, entry, undo_entry(surface, entry)))
    if own and not gone and results[-1].rung is not None:
        # The staging itself was the last to be undone: nothing can still be in force on it.
        results = [
            each if each.rung else _moot(journal, entry, "went with its staging", each.failures)
            for entry, each in zip(entries, results, strict=True)
        ]
    return HealReport(tuple(results), journal.torn, journal.damaged)


def _find(state_dir: Path, surface: Surface | None) -> tuple[Surface | None, str, bool]:
    """The staging in `state_dir`, its token, and whether it is up; remains of one can still be taken down."""
    try:
        if surface is None:
            staging = attach(state_dir)
            staging.settle()
            surface = staging.surface
        return surface, surface.token(), True
    except StagingNotUp:
        if not StateFile(state_dir).exists():
            return None, "", False
        remains = EmbeddedSurface(Staging(state_dir))
        return remains, remains.token(), False


def _moot(journal: Journal, entry: JournalEntry, why: str, failures: tuple[str, ...] = ()) -> EntryResult:
    """A staging that was taken down took every fault with it, but for what is on the host itself."""
    left = lift_from_host(entry)
    if left is not None:
        return EntryResult(entry.id, entry.kind, entry.target, None, left, failures)
    result = EntryResult(entry.id, entry.kind, entry.target, why, None, failures)
    return _mark(journal, entry, result)


def _is_on_host(entry: JournalEntry) -> bool:
    return isinstance(UNDOABLE.get(entry.kind), OnHost)


def lift_from_host(entry: JournalEntry) -> str | None:
    """Lift what the entry of a staging that is gone left on the host; what could not be lifted, or None."""
    kind: object = UNDOABLE.get(entry.kind)
    if not isinstance(kind, OnHost):
        return None
    try:
        kind.lift_from_host(entry)
    except StagingError as error:
        return f"on this host: {error}"
    return None


def _mark(journal: Journal, entry: JournalEntry, result: EntryResult) -> EntryResult:
    """Mark an undone entry done. A full disk must not keep the next ones from being undone."""
    if result.rung is None:
        return result
    try:
        journal.done(entry, result.rung)
    except JournalError as error:
        return replace(result, failures=(*result.failures, str(error)))
    return result


def undo_entry(surface: Surface, entry: JournalEntry) -> EntryResult:
    """Climb the entry's ladder until nothing of it is left. Never raises for what a rung does."""
    kind = UNDOABLE.get(entry.kind)
    if kind is None:
        unknown = f"no undo is known for kind {entry.kind!r}"
        return EntryResult(entry.id, entry.kind, entry.target, None, unknown, ())
    residue = _residue(surface, kind, entry)
    failures: list[str] = []
    if residue is None:
        return EntryResult(entry.id, entry.kind, entry.target, "nothing was left", None, ())
    for rung in kind.rungs:
        name = f"{rung.name} ({entry.kind} on {entry.target})"
        try:
            run_bounded(partial(rung.run, surface, entry), rung.timeout_s * surface.patience, name)
        except Exception as error:  # noqa: BLE001 - whatever a rung raises, the next must be tried
            failures.append(f"{rung.name}: {type(error).__name__}: {error}")
        residue = _residue(surface, kind, entry)
        if residue is None:
            return EntryResult(entry.id, entry.kind, entry.target, rung.name, None, tuple(failures))
        failures.append(f"{rung.name}: left {residue}")
    return EntryResult(entry.id, entry.kind, entry.target, None, residue, tuple(failures))


def _residue(surface: Surface, kind: Undoable, entry: JournalEntry) -> str | None:
    """What is left of the entry when read back; not being able to read is something left."""
    try:
        return run_bounded(
            lambda: kind.residue(surface, entry),
            _READ_BACK_TIMEOUT_S * surface.patience,
            f"reading {entry.target} back",
        )
    except Exception as error:  # noqa: BLE001 - an unreadable state is an unhealed one
        return f"state cannot be read: {type(error).__name__}: {error}"
