"""The steps of a rollback by the names that scenarios give them.

A step is a generator over the play: it returns the differences from the baseline that it found (none, as a rule), and
raises WorldError when it cannot be carried out or confirmed. Steps on services go through the begun changes backwards:
what was released last is taken back first. A service that fails keeps none of the others from being taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import simpy

from rollout.errors import WorldError
from rollout.play import Play
from scenarios.models import Change

__all__ = ["STEPS", "RollbackStep", "look"]

RollbackStep = Callable[[Play], Generator[simpy.Event, Any, list[str]]]


def redeploy(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The old version back to its replicas."""

    def again(change: Change) -> Iterator[simpy.Event]:
        yield play.world.deploy(change.service, change.old, play.replicas(change))

    return (yield from _each(play, again))


def route_back(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """All traffic to the old version."""

    def back(change: Change) -> Iterator[simpy.Event]:
        yield play.world.route(change.service, {change.old: 1.0, change.new: 0.0})
        if change.service in play.mirrored:
            yield play.world.mirror(change.service, change.new, 0.0)

    return (yield from _each(play, back))


def kill_switch(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The flag off, where it was turned on."""
    toggle = play.strategy.toggle

    def off(change: Change) -> Iterator[simpy.Event]:
        if toggle is not None and change.service in play.flagged:
            yield play.world.flag(change.service, 0.0, (), toggle.propagation_s)

    return (yield from _each(play, off))


def procedure(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """The operator's own procedure, whatever that does."""
    return (yield from _each(play, lambda change: [play.world.procedure(change.service, change.old, change.new)]))


def retire(play: Play) -> Generator[simpy.Event, Any, list[str]]:
    """Stop the new version."""
    return (yield from _each(play, lambda change: [play.world.deploy(change.service, change.new, 0)]))


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


def _each(play: Play, actions: Callable[[Change], Iterable[simpy.Event]]) -> Generator[simpy.Event, Any, list[str]]:
    """One begun change after the other, the last first; raises the first WorldError of any when all have been tried."""
    errors = []
    for change in reversed(play.begun):
        try:
            for action in actions(change):  # noqa: UP028 - what an action answers must not be sent to a list
                yield action
        except WorldError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return []


STEPS: Mapping[str, RollbackStep] = {
    "kill-switch": kill_switch,
    "procedure": procedure,
    "redeploy": redeploy,
    "route-back": route_back,
    "retire": retire,
    "verify": look,
    "revert-migration": revert_migration,
    "reconcile": reconcile,
    "restore": restore,
    "fail-over": fail_over,
}
