"""Pause: replicas of a service stand still, by SIGSTOP of their processes, and go on by SIGCONT.

A hung process: it keeps its connections, takes new ones (the kernel does) and answers nothing, until a health check
puts it out of rotation. The victims are chosen and journalled before the first signal. One that was stopped for good
meanwhile, by a deploy or another fault, does not come back. Not modelled: a process that hangs in part.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.faults.victims import choose_victims
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.processes import ProcessId
from scenarios.models import Fault

__all__ = ["PAUSE"]


class PauseFault:
    """The kind `pause`."""

    kind = "pause"
    confirmed = "the kernel says that the processes stand still"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Let them go on; once more."""
        return (Rung("continue", _continue, 10.0), Rung("continue again", _continue, 10.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses replicas that stand still already: the undo of the first would let them go on."""
        effect = fault.pause
        assert effect is not None
        victims = choose_victims(surface, self.kind, effect, context)
        running = surface.running(effect.of)
        chosen = [
            process
            for version, replicas in victims.items()
            for process in [each for each in running[version] if surface.state(each) == "running"][:replicas]
        ]
        if len(chosen) < effect.replicas:
            raise FaultRefused(
                f"pause of {effect.of}: replicas(={effect.replicas}) must be at most {len(chosen)}, "
                "those that do not stand still already"
            )
        undo = {"service": effect.of, "victims": [[process.pid, process.started] for process in chosen]}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGSTOP."""
        for process in _victims(entry):
            surface.pause(process)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The kernel says that they stand still."""
        for process in _victims(entry):
            state = surface.state(process)
            if state != "paused":
                raise FaultNotConfirmed(f"pause of {entry.target}: process {process.pid} is {state}, must be paused")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Those that still stand still."""
        left = [str(process.pid) for process in _victims(entry) if surface.state(process) == "paused"]
        return f"{entry.undo['service']}: processes {', '.join(left)} stand still" if left else None


def _victims(entry: JournalEntry) -> Iterator[ProcessId]:
    return (ProcessId(pid, started) for pid, started in entry.undo["victims"])


def _continue(surface: Surface, entry: JournalEntry) -> None:
    for process in _victims(entry):
        surface.resume(process)


PAUSE = PauseFault()
