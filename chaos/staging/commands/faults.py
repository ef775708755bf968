"""A fault by the user's own commands: injected, confirmed, healed and read back by them, journalled by us.

The journal's entry holds all that the commands are told, so an undo runs them without the drill. Not known here: what
such a fault really does, and whether its `residue` command looks hard enough.
"""

from __future__ import annotations

from typing import Any

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.commands.errors import VerbMissing
from chaos.staging.commands.surface import CommandsSurface
from scenarios.models import Fault

__all__ = ["COMMAND_FAULT"]

_HEAL_TIMEOUT_S = 60.0


class CommandFault:
    """Every kind of fault that a staging file has commands for, in the journal as the kind `command`."""

    kind = "command"
    confirmed = "its confirm command says so"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The heal command, and once more when it did not do."""
        return (Rung("heal command", _heal, _HEAL_TIMEOUT_S), Rung("heal command again", _heal, _HEAL_TIMEOUT_S))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """What the commands will be told: kind, target and the fault's own values."""
        try:
            _commands(surface).fault(fault.kind)
        except VerbMissing as error:
            raise FaultRefused(str(error)) from error
        effect = fault.effect.model_dump(mode="json", exclude_none=True)
        told: dict[str, Any] = {"kind": fault.kind, "target": str(fault.target), "fault": effect}
        told |= {f"fault_{name}": value for name, value in effect.items() if isinstance(value, int | float | str)}
        if context.changed_service is not None:
            told |= {"service": context.changed_service, "old": context.old_version, "new": context.new_version}
        return new_entry(surface.token(), context.drill_id, self.kind, f"{fault.kind} of {fault.target}", told)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """The inject command."""
        commands = _commands(surface)
        commands.play("inject", commands.fault(entry.undo["kind"]).inject, entry.undo)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The confirm command."""
        commands = _commands(surface)
        if not commands.holds("confirm", commands.fault(entry.undo["kind"]).confirm, entry.undo):
            raise FaultNotConfirmed(f"{entry.target}: its confirm command says that it is not in force")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The residue command."""
        commands = _commands(surface)
        if commands.holds("residue", commands.fault(entry.undo["kind"]).residue, entry.undo):
            return None
        return f"{entry.target}: its residue command says that something is left"


def _heal(surface: Surface, entry: JournalEntry) -> None:
    commands = _commands(surface)
    commands.play("heal", commands.fault(entry.undo["kind"]).heal, entry.undo)


def _commands(surface: Surface) -> CommandsSurface:
    assert isinstance(surface, CommandsSurface), surface
    return surface


COMMAND_FAULT = CommandFault()
