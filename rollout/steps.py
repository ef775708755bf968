"""The steps that plans are made of: each knows how it is performed, so the controller knows no kind of step.

A step's event fires when its effect is confirmed, and fails with WorldError when it cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import simpy

from rollout.play import Play
from scenarios.models import Change

__all__ = ["Bake", "Deploy", "Flag", "Mirror", "Route", "Step", "Work"]


class Work(simpy.Process):
    """What people or judges do for a step: it ends with the release, while a deploy, once ordered, goes on."""


class Step(Protocol):
    """One step of a change; its text is what the timeline calls it."""

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Start it; whoever waits for the event waits for its end."""
        ...


@dataclass(frozen=True, slots=True)
class Deploy:
    """Have exactly `replicas` ready replicas of a version; with `zones`, in those alone."""

    version: str
    replicas: int
    zones: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" in {', '.join(self.zones)}" if self.zones else ""
        return f"deploy {self.version} x{self.replicas}{where}" if self.replicas else f"stop {self.version}"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order them."""
        play.ordered[change.service, self.version] = self.replicas
        if not self.zones:
            return play.world.deploy(change.service, self.version, self.replicas)
        return play.world.deploy(change.service, self.version, self.replicas, self.zones)


@dataclass(frozen=True, slots=True)
class Route:
    """Send `new_share` of the requests to the new version, the rest to the old one; all of `cohorts` to the new one."""

    new_share: float
    cohorts: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.cohorts:
            return f"route {self.new_share:.4g} to new"
        others = f", {self.new_share:.4g} of the others" if self.new_share else ""
        return f"route {', '.join(self.cohorts)}{others} to new"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order the shares."""
        weights = {change.old: 1.0 - self.new_share, change.new: self.new_share}
        if not self.cohorts:
            return play.world.route(change.service, weights)
        whole = {change.old: 0.0, change.new: 1.0}
        return play.world.route(change.service, weights, dict.fromkeys(self.cohorts, whole))


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copy `share` of the requests to the new version; nobody waits for what it answers."""

    share: float

    def __str__(self) -> str:
        return f"mirror {self.share:.4g} to new"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order the copies."""
        play.mirrored.add(change.service)
        return play.world.mirror(change.service, change.new, self.share)


@dataclass(frozen=True, slots=True)
class Flag:
    """Turn the flag on for `share` of the requests and for all of `cohorts`."""

    share: float
    cohorts: tuple[str, ...]
    propagation_s: float

    def __str__(self) -> str:
        whom = [*self.cohorts, *([f"{self.share:.4g}"] if self.share or not self.cohorts else [])]
        return f"flag on for {', '.join(whom)}"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Order it; each replica follows within the propagation."""
        play.flagged.add(change.service)
        return play.world.flag(change.service, self.share, self.cohorts, self.propagation_s)


@dataclass(frozen=True, slots=True)
class Bake:
    """Leave everything as it is for a time, under the guardrails."""

    duration_s: float

    def __str__(self) -> str:
        return f"bake {self.duration_s:g} s"

    def perform(self, play: Play, change: Change) -> simpy.Event:  # noqa: ARG002 - a bake changes nothing
        """Wait."""
        return play.world.env.timeout(self.duration_s)
