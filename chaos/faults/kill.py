"""Kill: replicas of a service die at once, by SIGKILL of their processes.

The undo starts replicas again until there are as many as were last ordered: when a rollback has
retired the version meanwhile, none comes back. A deploy during the fault restores them as well, as
it would on any platform, and so does a zone that is back, or replaced, as in the simulator.

Not modelled: the death of a machine (neighbours die too, addresses stop answering instead of
refusing); a hung process (it would keep its connections); a platform that restarts the dead by
itself before the fault's end; loss of what the process had on disk.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.surface import Surface
from chaos.faults.victims import DEPLOY_TIMEOUT_S, bring_back, choose_victims, missing, wanted
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["KILL"]


class KillFault:
    """The kind `kill`."""

    kind = "kill"
    confirmed = "fewer processes run, by those killed"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Start the missing replicas; if that does not do, start them all afresh."""
        return (
            Rung("restore replicas", bring_back, DEPLOY_TIMEOUT_S),
            Rung("restart replicas", _restart, 2 * DEPLOY_TIMEOUT_S),
        )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Chooses the victims' versions: `any` takes the version with most replicas left first."""
        effect = fault.kill
        assert effect is not None
        victims = choose_victims(surface, self.kind, effect, context)
        undo = {"service": effect.of, "victims": victims, "ready": dict(surface.ready(effect.of))}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """SIGKILL the victims."""
        for version, replicas in entry.undo["victims"].items():
            surface.kill(entry.undo["service"], version, replicas)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Fewer replicas of each victim's version run than before, by the number killed."""
        ready = surface.ready(entry.undo["service"])
        for version, replicas in entry.undo["victims"].items():
            left, allowed = ready.get(version, 0), entry.undo["ready"][version] - replicas
            if left > allowed:
                raise FaultNotConfirmed(f"kill of {entry.target} {version}: {left} replicas run, must be {allowed}")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Replicas that were ordered and do not run."""
        left = missing(surface, entry)
        if not left:
            return None
        listed = ", ".join(f"{replicas} of {version}" for version, replicas in left.items())
        return f"{entry.undo['service']} lacks replicas: {listed}"


def _restart(surface: Surface, entry: JournalEntry) -> None:
    """Kills rather than deploys 0, which would change how many are ordered."""
    service = entry.undo["service"]
    for version, replicas in wanted(surface, entry).items():
        surface.kill(service, version, surface.ready(service).get(version, 0))
        surface.deploy(service, version, replicas)


KILL = KillFault()
