"""The steps of a toggle: the new version deployed dark, then its flag turned on."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.gates import gate
from rollout.rolling import rolling_steps
from rollout.steps import Flag, Step
from scenarios.models import Change, Toggle

__all__ = ["toggle_steps"]


def toggle_steps(toggle: Toggle, change: Change, replicas: int) -> Iterator[Step]:
    """The flag ends on for all."""
    yield from rolling_steps(toggle.deploy, change, replicas)
    share, cohorts = 0.0, list[str]()
    for step in toggle.steps:
        if not step.shifts:
            yield gate(step)
            continue
        if step.on is not None:
            share = step.on
        elif step.cohort is not None:
            cohorts.append(step.cohort)
        yield Flag(share, tuple(cohorts), toggle.propagation_s)
    if share < 1.0:
        yield Flag(1.0, (), toggle.propagation_s)
