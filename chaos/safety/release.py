"""The release is undone like a fault: what was there before it is in the journal before it starts."""

from __future__ import annotations

from chaos.faults.base import Rung
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry

_RESTORE_TIMEOUT_S = 60.0
# Weights are kept by the router in ten-thousandths.
_WEIGHT_RESOLUTION = 1e-4

__all__ = ["RELEASE", "plan_release"]


def plan_release(surface: Surface, service: str, drill_id: str) -> JournalEntry:
    """The entry that brings `service` back to how it is now: replicas by version and routes.

    Defects and steering are not kept: no baseline has any, and the undo switches them off.
    """
    undo = {
        "service": service,
        "replicas": dict(surface.ordered(service)),
        "routes": dict(surface.routes(service)),
    }
    return new_entry(surface.token(), drill_id, RELEASE.kind, service, undo)


class ReleaseUndo:
    """The kind `release`."""

    kind = "release"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Order the baseline; if that does not do, start its replicas afresh."""
        return (
            Rung("restore baseline", _restore, _RESTORE_TIMEOUT_S),
            Rung("restart replicas", _restart, 2 * _RESTORE_TIMEOUT_S),
        )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Replicas or routes that differ from the baseline, and steering and defects that are on."""
        service, replicas = entry.undo["service"], entry.undo["replicas"]
        left = []
        for name, found in (("ready", surface.ready(service)), ("ordered", surface.ordered(service))):
            if dict(found) != replicas:
                left.append(f"{name} replicas {dict(found)}, were {replicas}")
        routes = dict(surface.routes(service))
        if not _same_weights(routes, entry.undo["routes"]):
            left.append(f"routes {routes}, were {entry.undo['routes']}")
        left += surface.steering(service)
        defects = surface.defects(service)
        if defects:
            left.append(f"defects on: {', '.join(defects)}")
        return f"{service}: {'; '.join(left)}" if left else None


def _same_weights(found: dict[str, float], baseline: dict[str, float]) -> bool:
    return all(
        abs(found.get(version, 0.0) - baseline.get(version, 0.0)) <= _WEIGHT_RESOLUTION / 2
        for version in {*found, *baseline}
    )


def _restore(surface: Surface, entry: JournalEntry) -> None:
    """Baseline replicas first, then the routes to them, and only then stop what came with it."""
    service, replicas = entry.undo["service"], entry.undo["replicas"]
    for version, count in replicas.items():
        surface.deploy(service, version, count)
    surface.route(service, entry.undo["routes"])
    surface.clear_steering(service)
    for version in {*surface.ordered(service), *surface.ready(service)} - set(replicas):
        surface.deploy(service, version, 0)
    surface.clear_defects(service)


def _restart(surface: Surface, entry: JournalEntry) -> None:
    service = entry.undo["service"]
    for version in {*surface.ordered(service), *surface.ready(service)}:
        surface.deploy(service, version, 0)
    _restore(surface, entry)


RELEASE = ReleaseUndo()
