"""Experiment: the method of a Chaos Toolkit experiment is in force; its rollbacks take it back.

The order is ours, not the toolkit's: the steady-state hypothesis must hold before, the whole experiment is in the
journal before its first action, its rollbacks run on every path, by the watchdog too, and then the hypothesis must hold
again. The toolkit itself leaves out rollbacks when a probe fails or the run is interrupted, and believes every one.

Not modelled: the toolkit's controls and its settings. What an action aims at is the experiment's: the allow-list of
targets does not see it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaos.errors import ChaosError, StagingError
from chaos.experiments.playing import ExperimentRefused, play, read
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Experiment, Fault

_METHOD_TIMEOUT_S = 60.0
_HYPOTHESIS_TIMEOUT_S = 8.0
_ROLLBACKS_TIMEOUT_S = 60.0

__all__ = ["EXPERIMENT"]


class ExperimentFault:
    """The kind `experiment`."""

    kind = "experiment"
    confirmed = "its actions succeed, and the probes of its method are within their tolerance"

    def __init__(self) -> None:
        # Entries whose rollbacks this process has played to their end. Another process plays them once more.
        self._rolled_back: set[str] = set()
        # What the probes of a method found, until it is confirmed.
        self._unmet: dict[str, list[str]] = {}

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Its rollbacks; once more, since what they need may be busy."""
        return (
            Rung("rollbacks", self._roll_back, _ROLLBACKS_TIMEOUT_S + 5.0),
            Rung("rollbacks again", self._roll_back, _ROLLBACKS_TIMEOUT_S + 5.0),
        )

    def require_possible(self, fault: Fault) -> None:
        """Refuses what cannot be read, cannot be confirmed or whose undo cannot be read back."""
        assert fault.experiment is not None
        _read(fault.experiment)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses as above, and where the steady state does not hold."""
        effect = fault.experiment
        assert effect is not None
        experiment = _read(effect)
        try:
            unsteady = [str(each) for each in play(experiment, "hypothesis", _HYPOTHESIS_TIMEOUT_S) if not each.well]
        except ExperimentRefused as error:
            raise FaultRefused(f"experiment {effect.file}: {error}") from error
        if unsteady:
            raise FaultRefused(f"experiment {effect.file}: no steady state before it: {'; '.join(unsteady)}")
        undo = {"experiment": experiment}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.file, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Play the method to its end, background activities included."""
        del surface  # what it acts on is the experiment's
        self._rolled_back.discard(entry.id)
        activities = play(entry.undo["experiment"], "method", _METHOD_TIMEOUT_S)
        self._unmet[entry.id] = [str(each) for each in activities if not each.well]

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Every action succeeded, and every probe of the method was within its tolerance."""
        del surface
        unmet = self._unmet.pop(entry.id)
        if unmet:
            raise FaultNotConfirmed(f"experiment {entry.target}: {'; '.join(unmet)}")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Rollbacks that have not run, or a hypothesis that does not hold."""
        del surface
        if entry.id not in self._rolled_back:
            return "its rollbacks have not run"
        return self._unsteady(entry)

    def _unsteady(self, entry: JournalEntry) -> str | None:
        left = [
            str(each) for each in play(entry.undo["experiment"], "hypothesis", _HYPOTHESIS_TIMEOUT_S) if not each.well
        ]
        return f"no steady state: {'; '.join(left)}" if left else None

    def lift_from_host(self, entry: JournalEntry) -> None:
        """Its rollbacks once more, when its staging is gone: what it acts on need not have been there."""
        try:
            if entry.id not in self._rolled_back:
                self._play_rollbacks(entry)
            left = self._unsteady(entry)
        except ChaosError as error:
            raise StagingError(str(error)) from error
        if left is not None:
            raise StagingError(left)

    def _roll_back(self, surface: Surface, entry: JournalEntry) -> None:
        del surface
        self._play_rollbacks(entry)

    def _play_rollbacks(self, entry: JournalEntry) -> None:
        failed = [
            str(each) for each in play(entry.undo["experiment"], "rollbacks", _ROLLBACKS_TIMEOUT_S) if not each.well
        ]
        if failed:
            raise FaultNotConfirmed(f"rollbacks of {entry.target}: {'; '.join(failed)}")
        self._rolled_back.add(entry.id)


def _read(effect: Experiment) -> dict[str, Any]:
    try:
        experiment = read(Path(effect.file))
        if not experiment.get("steady-state-hypothesis", {}).get("probes"):
            raise ExperimentRefused(
                f"experiment {effect.file}: must have a steady-state-hypothesis with probes, "
                "which tell that it is undone"
            )
        probes = [each for each in experiment["method"] if each.get("type") == "probe" and "tolerance" in each]
        if effect.confirm == "probes" and not probes:
            raise ExperimentRefused(
                f"experiment {effect.file}: its method must have a probe with a tolerance, "
                "which tells that it is in force (confirm: actions takes the actions' own word)"
            )
    except ExperimentRefused as error:
        raise FaultRefused(str(error)) from error
    return experiment


EXPERIMENT = ExperimentFault()
