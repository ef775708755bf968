"""What to know of a scenario before its figures are believed: said beside them, never left to be found out."""

from __future__ import annotations

import math

from scenarios.models import Scenario

__all__ = ["caveats"]

# A share of windows that are empty by chance, above which it shows in an RTO over thousands of windows.
_EMPTY_MAX = 1e-3
_TAKES_BACK = {"route-back", "retire"}


def caveats(scenario: Scenario) -> list[str]:
    """A line for each thing that makes a figure mean less than it seems to; none for most scenarios."""
    return [*_sparse(scenario), *_left_behind(scenario)]


def _sparse(scenario: Scenario) -> list[str]:
    """Requests come at random: a window of n expected ones holds none with probability exp(-n), and counts as bad."""
    measure, found = scenario.measure, []
    for name, function in scenario.functions.items():
        rate_per_s = min(rate for _, rate in function.rates(scenario.clock, scenario.duration_s))
        empty = math.exp(-rate_per_s * measure.window_s)
        if empty > _EMPTY_MAX:
            enough_s = math.ceil(-math.log(_EMPTY_MAX) / rate_per_s)
            found.append(
                f"functions.{name}: at {rate_per_s:g}/s a window of {measure.window_s:g} s holds no request with a "
                f"probability of {empty:.1%}, and is not good then: for an RTO of outages only, give measure.window "
                f"at least {enough_s} s"
            )
    return found


def _left_behind(scenario: Scenario) -> list[str]:
    """A kill switch takes back what a flag turned on, and nothing else."""
    release = scenario.release
    if _TAKES_BACK & set(release.rollback):
        return []
    kinds = [each.kind for each in (release.strategy, *release.alternatives) if each.toggle is None]
    if not kinds:
        return []
    named = ", ".join(kinds)
    return [f"release.rollback: has neither route-back nor retire: after one of {named} the new version still serves"]
