"""The steps of a rolling update."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.steps import Bake, Deploy, Route, Step
from scenarios.models import Change, Rolling

__all__ = ["rolling_steps"]


def rolling_steps(rolling: Rolling, change: Change, replicas: int) -> Iterator[Step]:
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
