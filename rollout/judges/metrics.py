"""Metrics: what is read from an observation, and whether it is above a limit."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evidence.histogram import quantile_at_most, quantile_upper_s
from rollout.world import Observation
from scenarios.models import Guardrail

__all__ = ["ErrorRatio", "Metric", "Quantile", "metric_of"]


class Metric(Protocol):
    """One number of an observation."""

    def above(self, observation: Observation, limit: float) -> bool:
        """Whether it is above the limit, exactly; false without data."""
        ...

    def value(self, observation: Observation) -> float | None:
        """The number, as exact as the observation is; None without data, or where it is beyond all bounds."""
        ...


class ErrorRatio:
    """Failed answers over all answers."""

    def above(self, observation: Observation, limit: float) -> bool:
        """By division: 5 of 100 is not above 5 %."""
        return observation.requests > 0 and observation.errors / observation.requests > limit

    def value(self, observation: Observation) -> float | None:
        """The ratio."""
        return observation.errors / observation.requests if observation.requests else None


class Quantile:
    """A quantile of the successful answers' latencies, in seconds. Limits must be edges of the histogram."""

    def __init__(self, quantile: float, edges_s: NDArray[np.float64]) -> None:
        self._quantile = quantile
        self._edges_s = edges_s

    def above(self, observation: Observation, limit: float) -> bool:
        """By counting: more than 1 - q of the answers took longer."""
        return quantile_at_most(observation.histogram, self._edges_s, self._quantile, limit) is False

    def value(self, observation: Observation) -> float | None:
        """The upper edge of the quantile's bin."""
        value = quantile_upper_s(observation.histogram, self._edges_s, self._quantile)
        return value if value is not None and math.isfinite(value) else None


def metric_of(guardrail: Guardrail, edges_s: NDArray[np.float64]) -> Metric:
    """The metric that a guardrail names, for histograms with these edges."""
    quantile = guardrail.quantile
    return ErrorRatio() if quantile is None else Quantile(quantile, edges_s)
