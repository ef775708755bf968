"""The steps of a rollback by the names that scenarios give them.

A step is a generator over the play: it returns the differences from the baseline that it found (none, as a rule), and
raises WorldError when it cannot be carried out or confirmed. Steps on services go through the begun changes backwards:
what was released last is taken back first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import simpy

from rollout.play import Play

__all__ = ["STEPS", "RollbackStep", "look"]

RollbackStep = Callable[[Play], Generator[simpy.Event, Any, list[str]]]


def redeploy(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The old version back to its replicas."""
    for change in reversed(play.begun):
        yield play.world.deploy(change.service, change.old, play.replicas(change))
    return []


def route_back(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """All traffic to the old version."""
    for change in reversed(play.begun):
        yield play.world.route(change.service, {change.old: 1.0, change.new: 0.0})
        if change.service in play.mirrored:
            yield play.world.mirror(change.service, change.new, 0.0)
    return []


def kill_switch(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The flag off; where there is none, nothing."""
    toggle = play.strategy.toggle
    if toggle is not None:
        for change in reversed(play.begun):
            yield play.world.flag(change.service, 0.0, (), toggle.propagation_s)
    return []


def retire(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """Stop the new version."""
    for change in reversed(play.begun):
        yield play.world.deploy(change.service, change.new, 0)
    return []


def look(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """Read everything back and compare it with the baseline."""
    differences: list[str] = yield play.world.verify(play.dark)
    play.world.record("verify", play.subject, differences=differences)
    return differences


def revert_migration(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The schema back to what it was."""
    yield play.world.data.migrate("revert")
    return []


def reconcile(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """Put right what rows are wrong."""
    yield play.world.data.reconcile()
    return []


def restore(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The data back to before the release."""
    yield play.world.data.restore()
    return []


def fail_over(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """To the standbys."""
    yield play.world.data.fail_over()
    return []


STEPS: Mapping[str, RollbackStep] = {
    "kill-switch": kill_switch,
    "redeploy": redeploy,
    "route-back": route_back,
    "retire": retire,
    "verify": look,
    "revert-migration": revert_migration,
    "reconcile": reconcile,
    "restore": restore,
    "fail-over": fail_over,
}
