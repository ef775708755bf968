"""The verbs for data (chaos.staging.data_verbs) by the user's own commands.

A command ends with exit code 3 when what it needs is gone for good: no backup, no standby, a schema past its point of
no return. Then nobody need try again, and the drill says so; any other code than 0 is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chaos.staging.commands.answers import (
    BackupRead,
    FailOverRead,
    MigrationState,
    ReconcileRead,
    RestoreRead,
    WrongRead,
    understood,
)
from chaos.staging.commands.calling import Caller
from chaos.staging.commands.errors import CommandFailed, VerbMissing
from chaos.staging.data_verbs import BASELINE, BackedUp, NothingLeft, Restored, StoredOrder
from chaos.staging.files.commands import DataCommands

__all__ = ["CommandsData"]

NOTHING_LEFT = 3
_STATE = "state"


class CommandsData:
    """Fulfils DataVerbs for one store, and puts it back."""

    def __init__(self, commands: DataCommands, caller: Caller) -> None:
        self._commands = commands.by_verb()
        self._store = commands.store
        self._caller = caller

    def migrate(self, phase: str, lock_s: float) -> None:
        """By the migrate command; where the schema stands is read back."""
        self._call("migrate", phase=phase, lock_s=lock_s)
        state, wanted = self.migration_state(), BASELINE if phase == "revert" else phase
        if state != wanted:
            raise CommandFailed(f"{phase} of the migration: state(={state}) must be {wanted}")

    def migration_state(self) -> str:
        """By the migrate command, for the phase `state`."""
        printed = self._call("migrate", phase=_STATE, lock_s=0.0)
        return understood("migrate", MigrationState, printed, self._caller.redact).state

    def end_migration(self) -> None:
        """The command is ended, with its process group; it has to see to it that its work in the database ends, too."""
        self._caller.end("migrate")

    def reconcile(self) -> int:
        """By the reconcile command."""
        return understood("reconcile", ReconcileRead, self._call("reconcile"), self._caller.redact).rows

    @property
    def tells_wrong(self) -> bool:
        """Where there is a command for it."""
        return "wrong" in self._commands

    def wrong_since(self, moment: datetime) -> list[StoredOrder]:
        """By the wrong command; asked again and again, it is kept only when it fails."""
        printed = self._call("wrong", quiet=True, since=moment.isoformat())
        found = understood("wrong", WrongRead, printed, self._caller.redact)
        return [StoredOrder(row.id, None, row.written) for row in found.rows]

    def fail_over(self) -> datetime | None:
        """By the fail-over command."""
        return understood("fail-over", FailOverRead, self._call("fail-over"), self._caller.redact).kept

    def back_up(self) -> BackedUp:
        """By the backup command."""
        began_s = time.monotonic()
        found = understood("backup", BackupRead, self._call("backup"), self._caller.redact)
        return BackedUp(found.taken, found.size_bytes, time.monotonic() - began_s)

    def restore(self, until: datetime) -> Restored:
        """By the restore command."""
        found = understood("restore", RestoreRead, self._call("restore", until=until.isoformat()), self._caller.redact)
        return Restored(found.taken, found.kept, found.rows)

    def _call(self, verb: str, *, quiet: bool = False, **told: Any) -> str:
        command = self._commands.get(verb)
        if command is None:
            raise VerbMissing(f"{verb} of {self._store}: the staging file has no command for it")
        words: Mapping[str, Any] = {"store": self._store, **told}
        ended = self._caller.ask(verb, command, words, quiet=quiet)
        if ended.code == NOTHING_LEFT:
            raise NothingLeft(self._caller.failure(verb, command, ended))
        if ended.code != 0:
            raise CommandFailed(self._caller.failure(verb, command, ended))
        return ended.out
