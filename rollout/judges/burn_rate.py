"""Burn rates, as Google's SRE Workbook pages by them: how fast the errors use up what the objective allows.

A burn of 1 uses up the error budget exactly within the objective's period. A long window makes a page mean something,
a short one besides lets it end with the trouble (chapter 5, Alerting on SLOs).
"""

from __future__ import annotations

from collections.abc import Sequence

from rollout.judges.base import Finding, Query
from rollout.world import Observation

__all__ = ["BurnRateJudge"]


class BurnRateJudge:
    """Bad while the burn rate is above the limit over every window, each of which holds `minimum` requests.

    The value is the lowest of the windows' burn rates: the one that decides.
    """

    def __init__(
        self, objective: float, limit: float, version: str | None, windows_s: Sequence[float], minimum: int
    ) -> None:
        self.queries = tuple(Query(version, window_s) for window_s in windows_s)
        # Rounded, so that 99.9 % allows one error in a thousand and not 1.0000000000000009 in it.
        self._budget = round(1.0 - objective, 12)
        self._limit = limit
        self._minimum = minimum

    def judge(self, observations: Sequence[Observation]) -> Finding:
        """At the limit it is not bad yet, as of a threshold."""
        requests = min(each.requests for each in observations)
        if requests < self._minimum:
            return Finding(False, False, None, self._limit, requests)
        burn = min(each.errors / each.requests for each in observations) / self._budget
        return Finding(burn > self._limit, True, burn, self._limit, requests)
