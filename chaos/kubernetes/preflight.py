"""What a drill needs of a cluster, asked before anything is changed: whoever begins must be able to undo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.kubernetes.api import AUTOSCALER, POD, Right
from chaos.kubernetes.surface import KubernetesSurface
from chaos.kubernetes.workload import Workload
from scenarios.models import Scenario, Strategy

# Of the faults of pods; the last rung of a pause deletes what could not be let go on.
_OF_FAULTS = {
    "kill": (Right("list", POD), Right("delete", POD)),
    "pause": (Right("list", POD), Right("create", POD, part="exec"), Right("delete", POD)),
}
_READING = ("get", "list")

__all__ = ["lacking"]


def lacking(surface: KubernetesSurface, scenario: Scenario, strategy: Strategy | None) -> Sequence[str]:
    """A line for each right that the account lacks; if none, for each reason why the service would not follow.

    `strategy` is the one that releases it, if any does.
    """
    api, change = surface.api, scenario.release.change
    missing = [right for right in dict.fromkeys(_rights(surface, scenario)) if not api.may(right)]
    if missing:
        return [f"namespace {api.namespace}: the account may not {right}" for right in missing]
    workload = surface.workload(change.service)
    unfit = [*(f"{line}: must be at rest" for line in workload.left()), *workload.unfit((change.old, change.new))]
    return unfit or [*_unroutable(workload, strategy)]


def _unroutable(workload: Workload, strategy: Strategy | None) -> Iterator[str]:
    """The first step by which cohorts have become too many."""
    for path, cohorts in () if strategy is None else _steered(strategy):
        why = workload.unroutable(cohorts)
        if why is not None:
            yield f"{path}: {why}"
            return


def _steered(strategy: Strategy) -> Iterator[tuple[str, Sequence[str]]]:
    """Each step that gives cohorts shares of their own, and all that have them by then."""
    cohorts: list[str] = []
    for index, step in enumerate(strategy.canary.steps if strategy.canary is not None else ()):
        if step.cohort is not None:
            cohorts.append(step.cohort)
            yield f"canary.steps[{index}].cohort", tuple(cohorts)
    if strategy.waves is not None and strategy.waves.by == "cohorts":
        for index, wave in enumerate(strategy.waves.waves[:-1]):  # the last one is all of the requests
            cohorts += wave
            yield f"waves.waves[{index}]", tuple(cohorts)


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
