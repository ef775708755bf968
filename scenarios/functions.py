"""Business functions: what must remain operational, how much it is used, and what good means for it."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from scenarios.base import Bounds, Name, Part
from scenarios.profiles import Profile
from scenarios.quantities import (
    DurationS,
    LatencyCeiling,
    MoneyAmount,
    PositiveCount,
    PositiveDurationS,
    PositiveRatio,
    RatePerS,
    RatioFloor,
)

__all__ = ["DEFAULT_COHORT", "Function", "Good"]

DEFAULT_COHORT = "default"


class Good(Bounds):
    """What holds in a good window: share of requests that succeed, and quantiles of latency."""

    success: RatioFloor
    p50: LatencyCeiling | None = None
    p90: LatencyCeiling | None = None
    p95: LatencyCeiling | None = None
    p99: LatencyCeiling | None = None

    @property
    def quantiles(self) -> dict[float, tuple[str, float]]:
        """Quantile -> (operator, seconds), for those that are bounded."""
        bounds = {0.50: self.p50, 0.90: self.p90, 0.95: self.p95, 0.99: self.p99}
        return {quantile: (bound.op, bound.value) for quantile, bound in bounds.items() if bound is not None}


class Function(Part):
    """A business function. Each service of `path` calls the next; the last makes all its calls, and so on down."""

    path: list[Name] = Field(min_length=1)
    rate_per_s: RatePerS = Field(alias="rate")
    profile: Profile = Profile()
    revenue: MoneyAmount | None = Field(None, description="of one request that succeeds")
    tier: PositiveCount = 1
    rto_s: PositiveDurationS = Field(alias="rto")
    rpo_s: DurationS = Field(alias="rpo")
    good: Good
    timeout_s: PositiveDurationS | None = Field(
        None, alias="timeout", description="how long its client waits; without it, for as long as it takes"
    )
    cohorts: dict[Name, PositiveRatio] = Field({}, description="shares of requests; the rest is 'default'")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if DEFAULT_COHORT in self.cohorts:
            raise ValueError(f"cohorts must not name {DEFAULT_COHORT!r}: it is what the others leave")
        if sum(self.cohorts.values()) > 1 + 1e-9:
            raise ValueError("shares of cohorts must add up to at most 100%")
        return self

    @property
    def cohort_shares(self) -> dict[str, float]:
        """Every cohort with its share, the default one last (absent when the others leave nothing)."""
        rest = 1.0 - sum(self.cohorts.values())
        return {**self.cohorts, DEFAULT_COHORT: rest} if rest > 1e-9 else dict(self.cohorts)

    def rates(self, start: datetime | None, duration_s: float) -> tuple[tuple[float, float], ...]:
        """(from when, rate per second) in seconds after `start`, the first from 0, none at `duration_s` or later."""
        factors = self.profile.factors(start, duration_s)
        return tuple((time_s, factor * self.rate_per_s) for time_s, factor in factors)

    def requests(self, start: datetime | None, duration_s: float) -> float:
        """Expected number of requests in the first `duration_s` seconds."""
        rates = (*self.rates(start, duration_s), (duration_s, 0.0))
        return sum(rate_per_s * (until_s - from_s) for (from_s, rate_per_s), (until_s, _) in pairwise(rates))
