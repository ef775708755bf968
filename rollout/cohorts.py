"""Which share of a service's requests comes from which cohort."""

from __future__ import annotations

from collections import Counter

from scenarios.models import Scenario

__all__ = ["cohort_shares"]


def cohort_shares(scenario: Scenario, service: str) -> dict[str, float]:
    """Share of each cohort in the calls that a service gets at the functions' own rates; retries are not counted."""
    calls: dict[str, float] = {}
    for function in scenario.functions.values():
        times = _visits(scenario, function.path)[service]
        for cohort, share in function.cohort_shares.items():
            calls[cohort] = calls.get(cohort, 0.0) + times * function.rate_per_s * share
    total = sum(calls.values())
    return {cohort: each / total for cohort, each in calls.items() if each} if total else {}


def _visits(scenario: Scenario, path: list[str]) -> Counter[str]:
    """How often one request comes to each service: along its path, then to all below the last."""
    visits, below = Counter(path), path[-1:]
    while below:
        called = [call.callee for call in scenario.system.calls_of(below.pop())]
        visits.update(called)
        below += called
    return visits
