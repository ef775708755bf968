"""Replications of a scenario whose inputs are ranges: each draws its inputs, then plays the scenario that has them.

So the spread of what is found holds both what is random and what is not known, and the intervals hold for both.
"""

from __future__ import annotations

from collections.abc import Sequence

from evidence.measures import FunctionMeasure
from scenarios.models import Scenario, Strategy
from scenarios.uncertain import Uncertain
from simulator.fidelity import require_modelled
from simulator.replication import Player, Timeline, Watch
from simulator.strategies import same_strategy

__all__ = ["UncertainPlayer"]


class UncertainPlayer:
    """As `Player`, for the scenario that each replication draws; `scenario` is the one of the middles."""

    def __init__(
        self,
        inputs: Uncertain,
        scenario: Scenario,
        strategy: Strategy,
        seed: int,
        defects: Sequence[str] | None = None,
    ) -> None:
        self._inputs = inputs
        self._scenario = scenario
        self._strategy = strategy
        self._seed = seed
        self._defects = defects
        require_modelled(scenario)

    def measures(self, replication: int, watch: Watch | None = None) -> list[FunctionMeasure]:
        """Draw, play, and measure each function."""
        return self._player(replication).measures(replication, watch)

    def timeline(self, replication: int) -> Timeline:
        """Draw, play, and keep everything."""
        return self._player(replication).timeline(replication)

    def _player(self, replication: int) -> Player:
        drawn = self._inputs.drawn(self._seed, replication)
        drawn = drawn.at_fidelity(self._scenario.fidelity)
        strategy = same_strategy(self._scenario, self._strategy, drawn)
        return Player(drawn, strategy, self._seed, self._defects)
