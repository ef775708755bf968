"""What a worker needs to know to play replications: small, and the same for every one of them."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.models import Scenario, Strategy
from simulator.replication import Player

__all__ = ["Work"]


@dataclass(frozen=True)
class Work:
    """One scenario under one strategy with one seed; `defects` None: drawn in each replication."""

    scenario: Scenario
    strategy: Strategy
    seed: int
    defects: tuple[str, ...] | None

    def player(self) -> Player:
        """Who plays it."""
        return Player(self.scenario, self.strategy, self.seed, self.defects)
