"""A staging that the user's own commands change and look at, behind the seam (chaos.staging.adapter)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

from chaos.faults.base import FaultKind
from chaos.faults.surface import Surface
from chaos.ledger import FinalRead
from chaos.staging.adapter import Hear
from chaos.staging.commands.answers import Counters, FactsRead, LedgerRead, understood, understood_list
from chaos.staging.commands.calling import Caller
from chaos.staging.commands.data import CommandsData
from chaos.staging.commands.errors import AnswerNotUnderstood
from chaos.staging.commands.faults import COMMAND_FAULT
from chaos.staging.commands.running import end_left_over
from chaos.staging.commands.surface import CommandsSurface
from chaos.staging.config import Defect
from chaos.staging.data_verbs import DataVerbs
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.files.described import Described
from chaos.staging.files.loading import Loaded

__all__ = ["CommandsAdapter"]

# The fact that stands for all that the verify command looks at.
_DRIFT, _NONE = "differs from what was declared", "nothing"


class CommandsAdapter(Described):
    """Fulfils StagingAdapter."""

    name = "commands"

    def __init__(self, loaded: Loaded, state_dir: Path) -> None:
        super().__init__(loaded, state_dir)
        assert loaded.file.commands is not None
        self._commands = loaded.file.commands
        self._caller = Caller(self._commands, loaded.path.parent / self._commands.folder, state_dir)
        self._surface = CommandsSurface(self._file.marker.token, self._commands, self._caller)

    @property
    def surface(self) -> Surface:
        """Its commands. The faults' own part is missing: none but COMMAND_FAULT and the release's undo is given it."""
        return cast("Surface", self._surface)

    @property
    def faults(self) -> Mapping[str, FaultKind]:
        """Those that the file has commands for."""
        return dict.fromkeys(self._commands.faults, COMMAND_FAULT)

    def record_to(self, folder: Path, hear: Hear) -> None:
        """Every call, in a folder of its own."""
        self._caller.record_to(folder / "commands", hear)

    def settle(self) -> None:
        """Commands of a harness that was killed may still be at work."""
        end_left_over(self._state_dir)

    @property
    def data(self) -> DataVerbs | None:
        """By the commands of its store, where the file has any."""
        return None if self._commands.data is None else CommandsData(self._commands.data, self._caller)

    def deploy(self, service: str, version: str, replicas: int, timeout_s: float, zones: Sequence[str] = ()) -> None:
        """The command has its own time, and knows no zones: waves over them were refused."""
        del timeout_s, zones
        self._surface.deploy(service, version, replicas)

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """By the route command."""
        self._surface.route(service, weights, cohorts)

    def mirror(self, service: str, version: str, share: float) -> None:
        """By the mirror command."""
        self._surface.mirror(service, version, share)

    def flag(self, service: str, share: float, cohorts: Sequence[str]) -> int:
        """The command ends when all follow, so orders need no numbers."""
        self._surface.flag(service, share, list(cohorts))
        return 0

    def flag_orders(self, service: str) -> Sequence[int]:
        """Replicas cannot be asked."""
        del service
        return ()

    def procedure(self, service: str, old: str, new: str) -> None:
        """By the rollback command."""
        self._surface.procedure(service, old, new)

    def redact(self, text: str) -> str:
        """By the file's `secrets`."""
        return self._caller.redact(text)

    def standing(self, service: str) -> Mapping[str, Mapping[str, int]]:
        """Nobody tells."""
        del service
        return {}

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """By their names."""
        self._surface.set_defects(service, version, [defect.name for defect in defects])

    def observe(self) -> list[EnvoyStats]:
        """By the observe command, or by what else the file names for it."""
        return super().observe() if self._commands.observe is None else [each.stats() for each in self._counters()]

    def unversioned(self) -> frozenset[str]:
        """Those of which the first answer of the observe command has one version."""
        versions = [each.service for each in self._counters()]
        return frozenset(service for service in versions if versions.count(service) == 1)

    def spans_folder(self) -> Path | None:
        """Its services' traces are not asked for."""
        return None

    def dead(self) -> list[str]:
        """Nobody says which parts a staging of commands has."""
        return []

    def stores(self) -> Sequence[str]:
        """Those that requests write to, when there is a command that looks."""
        named = {each.store for each in self._file.requests.values() if each.store is not None}
        return tuple(sorted(named)) if self._commands.ledger is not None else ()

    def final_read(self, store: str, ids: Sequence[str], since: datetime) -> FinalRead:
        """By the ledger command, which is told the ids on its standard input."""
        assert self._commands.ledger is not None
        told = {"store": store, "ids": list(ids), "since": since.isoformat()}
        printed = self._caller.call("ledger", self._commands.ledger, told)
        read = understood("ledger", LedgerRead, printed, self._caller.redact).read()
        data = self.data
        if data is None or not data.tells_wrong:
            return read
        # A row that is wrong is not what was acknowledged.
        return replace(read, found=read.found - {row.id for row in data.wrong_since(since)})

    def differences(self) -> list[str]:
        """What the verify command prints."""
        if self._commands.verify is None:
            return []
        printed = self._caller.redact(self._caller.call("verify", self._commands.verify, {}))
        return [line for line in printed.splitlines() if line.strip()]

    def facts(self) -> Mapping[str, str]:
        """What the facts command prints, and what the verify command does."""
        facts: dict[str, str] = {}
        if self._commands.facts is not None:
            printed = self._caller.call("facts", self._commands.facts, {})
            facts |= understood("facts", FactsRead, printed, self._caller.redact).root
        if self._commands.verify is not None:
            facts[_DRIFT] = "; ".join(self.differences()) or _NONE
        return facts

    def declared(self) -> Mapping[str, str]:
        """Whatever the facts are, the verify command finds nothing; without one nothing is declared."""
        return {**self.facts(), _DRIFT: _NONE} if self._commands.verify is not None else {}

    def _counters(self) -> list[Counters]:
        if self._commands.observe is None:
            return []
        answer = self._caller.ask("observe", self._commands.observe, {}, quiet=True)
        if answer.code != 0:
            raise AnswerNotUnderstood(f"command of observe ended with exit code(={answer.code}), must be 0")
        return understood_list("observe", Counters, answer.out, self._caller.redact)
