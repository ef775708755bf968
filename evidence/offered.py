"""The most that comes to a service, from the load alone."""

from __future__ import annotations

from itertools import pairwise

from scenarios.models import Scenario

__all__ = ["calls_per_s_at_most"]


def calls_per_s_at_most(scenario: Scenario, service: str) -> float:
    """What comes to a service at the height of every function's load, when each call is tried as often as it may be."""
    total = 0.0
    for function in scenario.functions.values():
        path, peak_per_s = function.path, max(rate for _, rate in function.rates(scenario.clock, scenario.duration_s))
        # Each service of the path calls the next one alone; the last, and all below it, make all of their calls.
        following = dict(pairwise(path))
        open_ends = [(path[0], 1)]
        while open_ends:
            name, tries = open_ends.pop()
            if name == service:
                total += peak_per_s * tries
            open_ends += [
                (call.callee, tries * (1 + call.retries))
                for call in scenario.system.calls_of(name)
                if call.callee == following.get(name, call.callee)
            ]
    return total
