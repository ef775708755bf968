"""The steps that plans are made of: each knows how it is performed, so the controller knows no kind of step.

A step's event fires when its effect is confirmed, and fails with WorldError when it cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import simpy

from rollout.play import Play
from scenarios.models import Change

__all__ = ["Bake", "Deploy", "Route", "Step"]


class Step(Protocol):
    """One step of a change; its text is what the timeline calls it."""

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Start it; whoever waits for the event waits for its end."""
        ...


@dataclass(frozen=True, slots=True)
class Deploy:
    """Have exactly `replicas` ready replicas of a version."""

    version: str
    replicas: int

    def __str__(self) -> str:
        return f"deploy {self.version} x{self.replicas}" if self.replicas else f"stop {self.version}"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order them."""
        play.ordered[change.service, self.version] = self.replicas
        return play.world.deploy(change.service, self.version, self.replicas)


@dataclass(frozen=True, slots=True)
class Route:
    """Send `new_share` of the requests to the new version, the rest to the old one."""

    new_share: float

    def __str__(self) -> str:
        return f"route {self.new_share:.4g} to new"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order the shares."""
        return play.world.route(change.service, {change.old: 1.0 - self.new_share, change.new: self.new_share})


@dataclass(frozen=True, slots=True)
class Bake:
    """Leave everything as it is for a time, under the guardrails."""

    duration_s: float

    def __str__(self) -> str:
        return f"bake {self.duration_s:g} s"

    def perform(self, play: Play, change: Change) -> simpy.Event:  # noqa: ARG002 - a bake changes nothing
        """Wait."""
        return play.world.env.timeout(self.duration_s)
