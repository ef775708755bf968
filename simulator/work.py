"""What a worker needs to know to play replications: small, and the same for every one of them.

A pool of workers plays anything of this form: a `Task` that makes a player, whose answer depends on a number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from scenarios.models import Scenario, Strategy
from scenarios.uncertain import Uncertain
from simulator.replication import Player
from simulator.uncertain import UncertainPlayer

__all__ = ["Plays", "Task", "Work"]

Answer_co = TypeVar("Answer_co", covariant=True)


class Plays(Protocol[Answer_co]):
    """Made once in each worker."""

    def measures(self, number: int, /) -> Answer_co:
        """The answer for a number, such as that of a replication."""
        ...


class Task(Protocol[Answer_co]):
    """What can be sent to workers: it is pickled."""

    def player(self) -> Plays[Answer_co]:
        """Who answers."""
        ...


@dataclass(frozen=True)
class Work:
    """One scenario under one strategy with one seed; `defects` None: drawn in each replication.

    `inputs` are those that the scenario has as ranges, None without any.
    """

    scenario: Scenario
    strategy: Strategy
    seed: int
    defects: tuple[str, ...] | None
    inputs: Uncertain | None = None

    def player(self) -> Player | UncertainPlayer:
        """Who plays it."""
        if self.inputs is None:
            return Player(self.scenario, self.strategy, self.seed, self.defects)
        return UncertainPlayer(self.inputs, self.scenario, self.strategy, self.seed, self.defects)
