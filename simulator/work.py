"""What a worker needs to know to play replications: small, and the same for every one of them.

A pool of workers plays anything of this form: a `Task` that makes a player, whose answer depends on a number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from scenarios.models import Scenario, Strategy
from simulator.replication import Player

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
    """One scenario under one strategy with one seed; `defects` None: drawn in each replication."""

    scenario: Scenario
    strategy: Strategy
    seed: int
    defects: tuple[str, ...] | None

    def player(self) -> Player:
        """Who plays it."""
        return Player(self.scenario, self.strategy, self.seed, self.defects)
