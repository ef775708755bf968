"""Increments of an observation of everything: what came since the last look, counted once."""

from __future__ import annotations

from rollout.world import Observation

__all__ = ["Increments"]


class Increments:
    """Differences of observations over `base.EVER_S`. The first look is where counting starts."""

    def __init__(self) -> None:
        self._before: Observation | None = None

    def of(self, total: Observation) -> Observation | None:
        """What came since the look before; None at the first."""
        before, self._before = self._before, total
        if before is None:
            return None
        return Observation(
            total.requests - before.requests, total.errors - before.errors, total.histogram - before.histogram
        )
