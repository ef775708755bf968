"""Kill: replicas of a service die at once, by SIGKILL of their processes.

The undo starts replicas again until there are as many as were last ordered: when a rollback has
retired the version meanwhile, none comes back. A deploy during the fault restores them as well, as
it would on any platform.

Not modelled: the death of a machine (neighbours die too, addresses stop answering instead of
refusing); a hung process (it would keep its connections); a platform that restarts the dead by
itself before the fault's end; loss of what the process had on disk.
"""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault, Kill

_DEPLOY_TIMEOUT_S = 30.0

__all__ = ["KILL"]


class KillFault:
    """The kind `kill`."""

    kind = "kill"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Start the missing replicas; if that does not do, start them all afresh."""
        return (
            Rung("restore replicas", _restore, _DEPLOY_TIMEOUT_S),
            Rung("restart replicas", _restart, 2 * _DEPLOY_TIMEOUT_S),
        )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Chooses the victims' versions: `any` takes the version with most replicas left first."""
        effect = fault.kill
        assert effect is not None
        try:
            ready = dict(surface.ready(effect.of))
        except StagingError as error:
            raise FaultRefused(f"kill of {effect.of}: {error}") from error
        victims = _victims(effect, ready, context)
        undo = {"service": effect.of, "victims": victims, "ready": ready}
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
        missing = _missing(surface, entry)
        if not missing:
            return None
        listed = ", ".join(f"{replicas} of {version}" for version, replicas in missing.items())
        return f"{entry.undo['service']} lacks replicas: {listed}"


def _victims(effect: Kill, ready: dict[str, int], context: PlanContext) -> dict[str, int]:
    """How many of which version die; FaultRefused when there are not so many."""
    if effect.version == "any":
        candidates = dict(ready)
    else:
        version = context.old_version if effect.version == "old" else context.new_version
        if version is None or effect.of != context.changed_service:
            raise FaultRefused(
                f"kill of {effect.of}: version(={effect.version}) must be any, "
                "since the release does not change this service"
            )
        candidates = {version: ready.get(version, 0)}
    victims: dict[str, int] = {}
    for _ in range(effect.replicas):
        version = max(sorted(candidates), key=lambda name: candidates[name], default="")
        if not candidates.get(version):
            raise FaultRefused(
                f"kill of {effect.of}: replicas(={effect.replicas}) must be at most "
                f"{sum(victims.values())}, those of version {effect.version} that run"
            )
        candidates[version] -= 1
        victims[version] = victims.get(version, 0) + 1
    return victims


def _wanted(surface: Surface, entry: JournalEntry) -> dict[str, int]:
    """How many replicas of the versions that were hit were last ordered."""
    ordered = surface.ordered(entry.undo["service"])
    return {version: ordered.get(version, 0) for version in entry.undo["victims"]}


def _missing(surface: Surface, entry: JournalEntry) -> dict[str, int]:
    """How many of them do not run, by version."""
    ready = surface.ready(entry.undo["service"])
    wanted = _wanted(surface, entry)
    short = {version: count - ready.get(version, 0) for version, count in wanted.items()}
    return {version: count for version, count in short.items() if count > 0}


def _restore(surface: Surface, entry: JournalEntry) -> None:
    wanted = _wanted(surface, entry)
    for version in _missing(surface, entry):
        surface.deploy(entry.undo["service"], version, wanted[version])


def _restart(surface: Surface, entry: JournalEntry) -> None:
    """Kills rather than deploys 0, which would change how many are ordered."""
    service = entry.undo["service"]
    for version, replicas in _wanted(surface, entry).items():
        surface.kill(service, version, surface.ready(service).get(version, 0))
        surface.deploy(service, version, replicas)


KILL = KillFault()
