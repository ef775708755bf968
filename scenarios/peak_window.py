"""The part of a scenario's load profile with the most requests, for those who play only the peak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from scenarios.models import Scenario

__all__ = ["PeakWindow", "peak_window"]

_Rates = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PeakWindow:
    """A window of the scenario's load: `from_s` to `until_s`, in seconds after the load's start.

    rates: of each function (from when, rate per second), in seconds after the window's own start, the first from 0.
    """

    from_s: float
    until_s: float
    rates: Mapping[str, _Rates]

    def requests(self, function: str) -> float:
        """Expected number of a function's requests in the window."""
        return _requests(self.rates[function], 0.0, self.until_s - self.from_s)

    def highest_per_s(self, function: str) -> float:
        """The highest rate of a function in the window."""
        return max(rate_per_s for _, rate_per_s in self.rates[function])

    def after(self, lead_s: float) -> dict[str, _Rates]:
        """The window's rates `lead_s` later, until then as at its start."""
        return {
            name: (rates[0], *((time_s + lead_s, rate_per_s) for time_s, rate_per_s in rates[1:]))
            for name, rates in self.rates.items()
        }


def peak_window(scenario: Scenario, for_s: float) -> PeakWindow:
    """The earliest window of `for_s` seconds in which all functions together are expected to have the most requests.

    Raises ValueError when the scenario is shorter than that.
    """
    duration_s = scenario.duration_s
    if for_s > duration_s:
        raise ValueError(f"{for_s:g} s must be at most the scenario's duration ({duration_s:g} s)")
    whole = {name: each.rates(scenario.clock, duration_s) for name, each in scenario.functions.items()}
    # The load of a window that moves only bends where one of its edges passes a change of a rate.
    changes_s = {time_s for rates in whole.values() for time_s, _ in rates}
    edges_s = {*changes_s, *(time_s - for_s for time_s in changes_s), duration_s - for_s}
    starts_s = sorted(time_s for time_s in edges_s if 0 <= time_s <= duration_s - for_s)
    # Sums of the same load may differ in their last digits: of windows that are as good the earliest is taken.
    start_s = max(starts_s, key=lambda from_s: (round(_total(whole.values(), from_s, for_s), 6), -from_s))
    return PeakWindow(start_s, start_s + for_s, {name: _cut(rates, start_s, for_s) for name, rates in whole.items()})


def _total(functions: Iterable[_Rates], from_s: float, for_s: float) -> float:
    return sum(_requests(rates, from_s, from_s + for_s) for rates in functions)


def _requests(rates: _Rates, from_s: float, until_s: float) -> float:
    """The integral of a rate, the last one holding on."""
    total = 0.0
    for (begin_s, rate_per_s), (end_s, _) in pairwise((*rates, (max(until_s, rates[-1][0]), 0.0))):
        total += rate_per_s * max(0.0, min(end_s, until_s) - max(begin_s, from_s))
    return total


def _cut(rates: _Rates, from_s: float, for_s: float) -> _Rates:
    """The rates of a window, in seconds after its start."""
    first = [rate_per_s for time_s, rate_per_s in rates if time_s <= from_s][-1]
    later = ((time_s - from_s, rate_per_s) for time_s, rate_per_s in rates if from_s < time_s < from_s + for_s)
    return ((0.0, first), *later)
