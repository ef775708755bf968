"""What keeps trouble from spreading: at services ejection, shedding and quotas; at calls retry budgets and breakers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.base import Part
from scenarios.quantities import PositiveCount, PositiveDurationS, PositiveRatio, RatePerS

__all__ = ["Balancing", "Breaker", "Ejection", "Quota", "RetryBudget", "Shedding"]

Balancing = Literal["round-robin", "least-request", "random-of-two"]


class Ejection(Part):
    """A replica that fails too often in a row gets no requests for a while (outlier ejection)."""

    consecutive: PositiveCount = Field(5, description="failures in a row: errors, refusals, timeouts of its callers")
    for_s: PositiveDurationS = Field(30.0, alias="for", description="without requests")
    most: PositiveRatio = Field(0.5, description="of the ready replicas that may be out at once")


class Shedding(Part):
    """A replica refuses new requests while the first one in its queue has waited too long."""

    queue_wait_s: PositiveDurationS = Field(alias="queue_wait", description="of the first in the queue")


class Quota(Part):
    """A token bucket, full at first; what it cannot pay is refused."""

    rate_per_s: RatePerS = Field(alias="rate", description="tokens that come in, one a request")
    burst: PositiveCount = Field(description="tokens that it holds at most")


class RetryBudget(Part):
    """What all callers together may retry; a retry that it cannot pay is not made."""

    share: PositiveRatio = Field(0.2, description="of the first attempts of about the last 10 s")
    minimum_per_s: RatePerS | None = Field(None, alias="minimum", description="besides; without it, none")


class Breaker(Part):
    """A circuit breaker, one for all callers of a call; what it refuses is not retried."""

    errors: PositiveRatio = Field(0.5, description="failed answers that open it")
    window_s: PositiveDurationS = Field(10.0, alias="window", description="over which answers count")
    minimum: PositiveCount = Field(20, description="answers in the window, before it judges")
    open_s: PositiveDurationS = Field(30.0, alias="open", description="until it lets probes through")
    probes: PositiveCount = Field(3, description="that must all succeed for it to close")
