"""What a drill needs of a cluster, asked before anything is changed: whoever begins must be able to undo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.kubernetes.api import AUTOSCALER, POD, Right
from chaos.kubernetes.surface import KubernetesSurface
from scenarios.models import Scenario

# Of the faults of pods; the last rung of a pause deletes what could not be let go on.
_OF_FAULTS = {
    "kill": (Right("list", POD), Right("delete", POD)),
    "pause": (Right("list", POD), Right("create", POD, part="exec"), Right("delete", POD)),
}
_READING = ("get", "list")

__all__ = ["lacking"]


def lacking(surface: KubernetesSurface, scenario: Scenario) -> Sequence[str]:
    """A line for each right that the account lacks; if none, for each reason why the service would not follow."""
    api, change = surface.api, scenario.release.change
    missing = [right for right in dict.fromkeys(_rights(surface, scenario)) if not api.may(right)]
    if missing:
        return [f"namespace {api.namespace}: the account may not {right}" for right in missing]
    workload = surface.workload(change.service)
    return [*(f"{line}: must be at rest" for line in workload.left()), *workload.unfit((change.old, change.new))]


def _rights(surface: KubernetesSurface, scenario: Scenario) -> Iterator[Right]:
    """Every service of the file is read, so that it can be compared afterwards; not every one is changed."""
    changed = {scenario.release.change.service}
    yield Right("list", AUTOSCALER)
    for fault in scenario.faults:
        effect = fault.kill or fault.pause
        assert effect is not None, "others were refused"
        changed.add(effect.of)
        yield from _OF_FAULTS[fault.kind]
    for service in surface.services:
        for right in surface.workload(service).rights():
            if service in changed or right.verb in _READING:
                yield right
