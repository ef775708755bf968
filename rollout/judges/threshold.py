"""The threshold: bad while the metric is above its limit over a window that holds enough requests."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.judges.base import Finding, Query
from rollout.judges.metrics import Metric
from rollout.world import Observation

__all__ = ["Threshold"]


class Threshold:
    """Holds one window of one version against a limit.

    Exact at the limit and at the minimum. Fewer than `minimum` requests, or for a latency no successful answer at all,
    are never bad.
    """

    def __init__(self, metric: Metric, limit: float, version: str | None, window_s: float, minimum: int) -> None:
        self.queries = (Query(version, window_s),)
        self._metric = metric
        self._limit = limit
        self._minimum = minimum

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """The value is read only where it is bad: guardrails look often, and find nothing as a rule."""
        observation = observations[0]
        enough = observation.requests >= self._minimum
        bad = enough and self._metric.above(observation, self._limit)
        value = self._metric.value(observation) if bad else None
        return Finding(bad, enough, value, self._limit, observation.requests)
