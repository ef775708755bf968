"""Steps that hold a release until somebody or something lets it go on: people, sign-offs, judges.

What holds it ends with it: a release that is taken back waits for nobody.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from rollout.analysis import analyse
from rollout.calendar import hold
from rollout.people import draw_s
from rollout.play import Play
from rollout.steps import Bake, Step, Work
from scenarios.models import Analysis, Change, Distribution, Gates

__all__ = ["Admit", "Analyse", "Approve", "Pause", "gate"]


def gate(step: Gates) -> Step:
    """The gate that a step of a scenario is."""
    if step.bake_s is not None:
        return Bake(step.bake_s)
    if step.pause is not None:
        return Pause(step.pause)
    if step.approve is not None:
        return Approve(step.approve)
    assert step.analysis is not None
    return Analyse(step.analysis)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until a person goes on."""

    takes: Distribution

    def __str__(self) -> str:
        return "pause"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Wait; each pause of a service draws anew."""
        return Work(play.world.env, self._wait(play, change))

    def _wait(self, play: Play, change: Change) -> Generator[simpy.Event, Any, None]:
        yield play.world.env.timeout(draw_s(self.takes, play.people.stream(f"pause {change.service}")))


@dataclass(frozen=True, slots=True)
class Approve:
    """Wait for a sign-off."""

    name: str

    def __str__(self) -> str:
        return f"approval by {self.name}"

    def perform(self, play: Play, change: Change) -> simpy.Event:  # noqa: ARG002 - who signs, signs the release
        """Ask for it."""
        return Work(play.world.env, play.people.approve(self.name))


@dataclass(frozen=True, slots=True)
class Admit:
    """Wait until the calendar is open."""

    def __str__(self) -> str:
        return "calendar"

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Ask it; what has begun is not skipped."""
        never = play.world.env.event()  # a release that is taken back interrupts the work
        return Work(play.world.env, hold(play.world, play.scenario, change.service, (), never, begun=True))


@dataclass(frozen=True, slots=True)
class Analyse:
    """Have judges look at the release."""

    analysis: Analysis

    def __str__(self) -> str:
        return self.analysis.title

    def perform(self, play: Play, change: Change) -> simpy.Event:
        """Start the analysis; it fails with Rejected."""
        return Work(play.world.env, analyse(play, change, self.analysis))
