"""The steps of a canary: by weight, by cohort, by copies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rollout.gates import gate
from rollout.steps import Deploy, Mirror, Route, Step
from scenarios.models import Canary, CanaryStep, Change

__all__ = ["canary_steps", "replicas_for"]


def replicas_for(share: float, replicas: int) -> int:
    """Replicas of `replicas` that so large a share of their requests needs; at least one."""
    # The tolerance keeps 29 % of 100 replicas, 28.999... in floating point, from becoming 30.
    return max(1, math.ceil(share * replicas - 1e-9))


def canary_steps(canary: Canary, change: Change, replicas: int, cohorts: Mapping[str, float]) -> Iterator[Step]:
    """The canary grows with its traffic; the old version stays whole until the end, so that it can take all back."""
    state = _State(replicas, cohorts)
    for step in canary.steps:
        if not step.shifts:
            yield gate(step)
            continue
        before = state.new
        state.take(step)
        if state.new != before:
            yield Deploy(change.new, state.new)
        if step.mirror is not None:
            yield Mirror(step.mirror)
        elif step.scale is None:
            yield Route(state.weight, tuple(state.whole))
    if state.mirrored:
        yield Mirror(0.0)
    if state.new != replicas:
        yield Deploy(change.new, replicas)
    yield Route(1.0)
    yield Deploy(change.old, 0)


@dataclass
class _State:
    """How far it has come: weight of those that are in no cohort of `whole`, copies, and replicas."""

    replicas: int
    cohorts: Mapping[str, float]
    weight: float = 0.0
    whole: list[str] = field(default_factory=list)
    mirrored: float = 0.0
    new: int = 0
    scale: int | None = None

    def take(self, step: CanaryStep) -> None:
        """Take one step."""
        if step.weight is not None:
            self.weight = step.weight
        elif step.cohort is not None:
            self.whole.append(step.cohort)
        elif step.mirror is not None:
            self.mirrored = step.mirror
        elif step.scale == "match":
            self.scale, self.new = None, 0
        elif step.scale is not None:
            share = step.scale
            counted = share if isinstance(share, int) else replicas_for(float(share), self.replicas)
            self.scale = min(counted, self.replicas)
        self.new = self.scale if self.scale is not None else max(self.new, self._needed())

    def _needed(self) -> int:
        alone = sum(self.cohorts.get(cohort, 0.0) for cohort in self.whole)
        return replicas_for(max(alone + (1.0 - alone) * self.weight, self.mirrored), self.replicas)
