"""What of a scenario a cluster cannot play, by path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.kubernetes.faults import POD_FAULTS
from chaos.kubernetes.models import Kubernetes, ServiceTarget
from scenarios.models import Scenario, Strategy

__all__ = ["unplayable"]


def unplayable(scenario: Scenario, strategy: Strategy, defects: Sequence[str], config: Kubernetes) -> Iterator[str]:
    """A line for each."""
    change = scenario.release.change
    route = getattr(config.services.get(change.service), "route", None)
    yield from _versions(change.service, (change.old, change.new), config)
    yield from _strategy(strategy, config.services.get(change.service))
    if defects:
        yield f"release.defects: {', '.join(defects)}: must be in the new version's image (--good: as it is)"
    if strategy.toggle is not None:
        yield "toggle: a cluster has no flags"
    if strategy.waves is not None and strategy.waves.by == "zones":
        yield "waves: by zones: replicas are ordered by version alone"
    elif strategy.waves is not None and route is None:
        yield f"waves: by cohorts: the file has no route of {change.service}"
    for index, step in enumerate(strategy.canary.steps if strategy.canary is not None else ()):
        if step.cohort is not None and route is None:
            yield f"canary.steps[{index}].cohort: {step.cohort}: the file has no route of {change.service}"
        if step.mirror is not None and (route is None or change.new not in route.copies):
            yield (
                f"canary.steps[{index}].mirror: the file does not say which Service takes copies for "
                f"{change.service} {change.new}, so that nothing of what they write stays (route.copies)"
            )
    for index, fault in enumerate(scenario.faults):
        where, effect = f"faults[{index}].{fault.kind}", fault.kill or fault.pause
        if fault.kind not in POD_FAULTS or effect is None:
            yield f"{where}: must be one that a cluster can have ({', '.join(POD_FAULTS)})"
        elif effect.of not in config.services:
            yield f"{where}: {effect.of}: must be one of the file's services ({', '.join(config.services)})"
        elif fault.pause is not None and config.services[effect.of].pause is None:
            yield f"{where}: {effect.of}: the file does not say which process (services.NAME.pause)"


def _strategy(strategy: Strategy, target: ServiceTarget | None) -> Iterator[str]:
    if target is None or target.rollout is None or target.rollout.strategy != "blue-green":
        return
    if strategy.blue_green is None:
        yield f"{strategy.kind}: must be blue-green, as the Rollout {target.rollout.name} is by the file"


def _versions(service: str, versions: Sequence[str], config: Kubernetes) -> Iterator[str]:
    target, change = config.services.get(service), "release.changes[0]"
    if target is None:
        yield f"{change}.service: {service}: must be one of the file's services ({', '.join(config.services)})"
        return
    known = target.deployments if target.rollout is None else target.rollout.images
    for key, version in zip(("from", "to"), versions, strict=True):
        if version not in known:
            yield f"{change}.{key}: {version}: must be one of the file's versions of {service} ({', '.join(known)})"
