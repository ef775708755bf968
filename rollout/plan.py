"""From a strategy to the steps that the controller plays for one change.

Every strategy is a composition of the same few steps (rollout.steps), so a world needs to know their verbs and no
strategy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rollout.steps import Bake, Deploy, Route, Step
from scenarios.models import BlueGreen, Canary, Change, Rolling, Strategy

__all__ = ["Bake", "Deploy", "Route", "Step", "plan"]


def plan(strategy: Strategy, change: Change, replicas: int) -> tuple[Step, ...]:
    """The steps that take `replicas` replicas of a service from the old version to the new one."""
    if strategy.rolling is not None:
        return tuple(_rolling(strategy.rolling, change, replicas))
    if strategy.blue_green is not None:
        return tuple(_blue_green(strategy.blue_green, change, replicas))
    if strategy.canary is not None:
        return tuple(_canary(strategy.canary, change, replicas))
    return Deploy(change.old, 0), Deploy(change.new, replicas), Route(1.0)


def _rolling(rolling: Rolling, change: Change, replicas: int) -> Iterator[Step]:
    """Batches as Kubernetes makes them; traffic follows the share of ready replicas."""
    surge, unavailable = rolling.counts(replicas)
    old, new = replicas, 0
    while old or new < replicas:
        stopped = min(old, old + new - (replicas - unavailable))
        if stopped > 0:
            old -= stopped
            # Traffic leaves the replicas before they stop; with none left there is nowhere for it to go.
            if old + new:
                yield Route(new / (old + new))
            yield Deploy(change.old, old)
        started = min(replicas - new, replicas + surge - (old + new))
        if started > 0:
            new += started
            yield Deploy(change.new, new)
            yield Route(new / (old + new))
            if rolling.pause_s:
                yield Bake(rolling.pause_s)


def _blue_green(blue_green: BlueGreen, change: Change, replicas: int) -> Iterator[Step]:
    yield Deploy(change.new, replicas)
    if blue_green.preview_s:
        yield Bake(blue_green.preview_s)
    yield Route(1.0)
    if blue_green.scale_down_delay_s:
        yield Bake(blue_green.scale_down_delay_s)
    yield Deploy(change.old, 0)


def _canary(canary: Canary, change: Change, replicas: int) -> Iterator[Step]:
    """The canary grows with its weight; the old version stays whole until the end, so that it can take all back."""
    new = 0
    for step in canary.steps:
        if step.weight is not None:
            # The tolerance keeps 29 % of 100 replicas, 28.999... in floating point, from becoming 30.
            needed = max(1, math.ceil(step.weight * replicas - 1e-9))
            if needed != new:
                new = needed
                yield Deploy(change.new, new)
            yield Route(step.weight)
        elif step.bake_s is not None:
            yield Bake(step.bake_s)
    if new != replicas:
        yield Deploy(change.new, replicas)
    yield Route(1.0)
    yield Deploy(change.old, 0)
