"""A staging that a drill started for itself is undone like a fault, so that it never outlives its drill.

It is the first entry of its drill and so the last to be undone, whoever undoes: the drill at its end, the watchdog
when the harness is dead, or `windtunnel undo`.
"""

from __future__ import annotations

from pathlib import Path

from chaos.faults.base import Rung
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.embedded import EmbeddedStaging
from chaos.staging.state import StateFile

_DOWN_TIMEOUT_S = 60.0

__all__ = ["EPHEMERAL", "plan_ephemeral"]


def plan_ephemeral(surface: Surface, state_dir: Path, drill_id: str) -> JournalEntry:
    """The entry that takes the staging in `state_dir` down."""
    return new_entry(surface.token(), drill_id, EPHEMERAL.kind, str(state_dir), {"state_dir": str(state_dir)})


class EphemeralStaging:
    """The kind `staging`."""

    kind = "staging"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Take it down; ending a staging escalates to SIGKILL by itself."""
        return (Rung("staging down", _down, _DOWN_TIMEOUT_S),)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The staging, while its state file is there."""
        del surface  # the staging is asked for on disk: it may be gone
        path = StateFile(Path(entry.undo["state_dir"])).path
        return f"{path} is there" if path.exists() else None


def _down(surface: Surface, entry: JournalEntry) -> None:
    del surface
    EmbeddedStaging.down(Path(entry.undo["state_dir"]))


EPHEMERAL = EphemeralStaging()
