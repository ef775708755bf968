"""From a scenario's mechanics to the network's."""

from __future__ import annotations

import math
from typing import Any

from scenarios.models import Call, Service
from simulator import network as plain

__all__ = ["of_call", "of_service"]


def of_service(service: Service) -> dict[str, Any]:
    """The fields of a `network.Station` that say what the service has beyond a plain one."""
    ejection, quota, shedding = service.ejection, service.quota, service.shedding
    return {
        "balancing": plain.Balancing[service.balancing.upper().replace("-", "_")],
        "ejection": ejection and plain.Ejection(ejection.consecutive, ejection.for_s, ejection.most),
        "shed_s": math.inf if shedding is None else shedding.queue_wait_s,
        "quota": quota and plain.Quota(quota.rate_per_s, quota.burst),
    }


def of_call(call: Call) -> dict[str, Any]:
    """The fields of a `network.Call` that say what its callers do beyond trying again."""
    budget, breaker = call.retry_budget, call.breaker
    return {
        "budget": budget and plain.RetryBudget(budget.share, budget.minimum_per_s or 0.0),
        "breaker": breaker
        and plain.Breaker(breaker.errors, breaker.window_s, breaker.minimum, breaker.open_s, breaker.probes),
        "cancel": call.cancel,
        "parallel": call.parallel,
    }
