"""Which replicas a fault of processes hits."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.errors import StagingError
from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry
from scenarios.models import VictimsPart

__all__ = ["DEPLOY_TIMEOUT_S", "bring_back", "choose_victims", "missing", "wanted"]

DEPLOY_TIMEOUT_S = 30.0


def choose_victims(surface: Surface, kind: str, effect: VictimsPart, context: PlanContext) -> dict[str, int]:
    """How many of which version: of `any`, the version with most replicas left first. FaultRefused for too many."""
    try:
        candidates = dict(surface.ready(effect.of))
    except StagingError as error:
        raise FaultRefused(f"{kind} of {effect.of}: {error}") from error
    if effect.version != "any":
        version = context.old_version if effect.version == "old" else context.new_version
        if version is None or effect.of != context.changed_service:
            raise FaultRefused(
                f"{kind} of {effect.of}: version(={effect.version}) must be any, "
                "since the release does not change this service"
            )
        candidates = {version: candidates.get(version, 0)}
    victims: dict[str, int] = {}
    for _ in range(effect.replicas):
        version = max(sorted(candidates), key=lambda name: candidates[name], default="")
        if not candidates.get(version):
            raise FaultRefused(
                f"{kind} of {effect.of}: replicas(={effect.replicas}) must be at most "
                f"{sum(victims.values())}, those of version {effect.version} that run"
            )
        candidates[version] -= 1
        victims[version] = victims.get(version, 0) + 1
    return victims


def wanted(surface: Surface, entry: JournalEntry) -> dict[str, int]:
    """How many replicas of the versions that were hit were last ordered."""
    ordered = surface.ordered(entry.undo["service"])
    return {version: ordered.get(version, 0) for version in entry.undo["victims"]}


def missing(surface: Surface, entry: JournalEntry) -> Mapping[str, int]:
    """How many of them do not run, by version."""
    ready = surface.ready(entry.undo["service"])
    short = {version: count - ready.get(version, 0) for version, count in wanted(surface, entry).items()}
    return {version: count for version, count in short.items() if count > 0}


def bring_back(surface: Surface, entry: JournalEntry) -> None:
    """Start those that do not run."""
    counts = wanted(surface, entry)
    for version in missing(surface, entry):
        surface.deploy(entry.undo["service"], version, counts[version])
