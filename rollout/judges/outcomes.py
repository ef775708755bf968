"""Outcomes of requests, good or bad, as a test of shares counts them."""

from __future__ import annotations

from typing import NamedTuple

from rollout.world import Observation

__all__ = ["Outcomes", "errors", "slow"]


class Outcomes(NamedTuple):
    """How many were bad, of how many."""

    bad: int
    total: int

    def since(self, before: Outcomes) -> Outcomes:
        """Those that came after `before`."""
        return Outcomes(self.bad - before.bad, self.total - before.total)


def errors(observation: Observation) -> Outcomes:
    """Failed answers, of all."""
    return Outcomes(observation.errors, observation.requests)


def slow(within: int, observation: Observation) -> Outcomes:
    """Successful answers beyond the first `within` bins, of all successful ones."""
    answers = int(observation.histogram.sum())
    return Outcomes(answers - int(observation.histogram[:within].sum()), answers)
