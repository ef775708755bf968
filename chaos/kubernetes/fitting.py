"""What of a scenario a cluster cannot play, by path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.kubernetes.models import Kubernetes
from scenarios.models import Scenario, Strategy

__all__ = ["unplayable"]

_FAULTS = ("kill", "pause")


def unplayable(scenario: Scenario, strategy: Strategy, defects: Sequence[str], config: Kubernetes) -> Iterator[str]:
    """A line for each."""
    change = scenario.release.change
    yield from _versions(change.service, (change.old, change.new), config)
    if defects:
        yield f"release.defects: {', '.join(defects)}: must be in the new version's image (--good: as it is)"
    if strategy.toggle is not None:
        yield "toggle: a cluster has no flags"
    if strategy.waves is not None:
        yield f"waves: by {strategy.waves.by}: an HTTPRoute is changed by weights alone"
    for index, step in enumerate(strategy.canary.steps if strategy.canary is not None else ()):
        if step.cohort is not None:
            yield f"canary.steps[{index}].cohort: {step.cohort}: an HTTPRoute is changed by weights alone"
        if step.mirror is not None:
            yield f"canary.steps[{index}].mirror: what a copy writes would stay"
    for index, fault in enumerate(scenario.faults):
        if fault.kind not in _FAULTS:
            yield f"faults[{index}].{fault.kind}: must be one that a cluster can have ({', '.join(_FAULTS)})"
        elif fault.pause is not None and getattr(config.services.get(fault.pause.of), "pause", None) is None:
            yield f"faults[{index}].pause: {fault.pause.of}: the file does not say which process (services.NAME.pause)"


def _versions(service: str, versions: Sequence[str], config: Kubernetes) -> Iterator[str]:
    target, change = config.services.get(service), "release.changes[0]"
    if target is None:
        yield f"{change}.service: {service}: must be one of the file's services ({', '.join(config.services)})"
        return
    known = target.deployments if target.rollout is None else target.rollout.images
    for key, version in zip(("from", "to"), versions, strict=True):
        if version not in known:
            yield f"{change}.{key}: {version}: must be one of the file's versions of {service} ({', '.join(known)})"
