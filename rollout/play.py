"""What one play of a release shares among its steps: the world, the scenario, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rollout.people import People
from rollout.versions import flag_on
from rollout.world import World
from scenarios.models import Change, Guardrail, RollbackRisk, Scenario, Strategy

__all__ = ["Play"]


@dataclass
class Play:
    """One release in one world.

    `rng` draws what people do. `begun` are the changes whose steps have started, in the order in which they did: those
    are what a rollback takes back. `ordered` holds the replicas that a step asked for last, by service and version;
    `risks` are those that this run's rollback has, `mirrored` and `flagged` the services whose requests have been
    copied, and whose flag has been turned on; `out_of_reach` those with an outage in force.
    """

    world: World
    scenario: Scenario
    strategy: Strategy
    rng: np.random.Generator
    begun: list[Change] = field(default_factory=list)
    ordered: dict[tuple[str, str], int] = field(default_factory=dict)
    risks: Sequence[RollbackRisk] = ()
    mirrored: set[str] = field(default_factory=set)
    flagged: set[str] = field(default_factory=set)
    out_of_reach: set[str] = field(default_factory=set)
    people: People = field(init=False)

    def __post_init__(self) -> None:
        """Everyone who has a part in it."""
        self.people = People(self.world, self.scenario, self.rng)

    def was_stopped(self, change: Change) -> bool:
        """Whether the release has stopped replicas of the old version, some or all."""
        return self.ordered.get((change.service, change.old), self.replicas(change)) < self.replicas(change)

    @property
    def changes(self) -> list[Change]:
        """Every change of the release, in its order."""
        return self.scenario.release.changes

    @property
    def subject(self) -> str:
        """The services that are released, as the timeline names them."""
        return ", ".join(change.service for change in self.changes)

    def replicas(self, change: Change) -> int:
        """Replicas of the changed service before the release."""
        return self.scenario.system.services[change.service].replicas

    @property
    def dark(self) -> list[str]:
        """Services that a rollback leaves at the new version, flag off: those of a toggle, unless it redeploys."""
        if self.strategy.toggle is None or "redeploy" in self.scenario.release.rollback:
            return []
        return [change.service for change in self.begun]

    def watched(self, change: Change, guardrail: Guardrail) -> Sequence[Change]:
        """What a guardrail calls old and new: of a toggle, the new version's answers by flag, each judged by itself."""
        if self.strategy.toggle is None or guardrail.version != "new" or guardrail.of != change.service:
            return [change]
        return [change, change.model_copy(update={"old": change.new, "new": flag_on(change.new)})]
