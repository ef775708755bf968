"""Taking a release back, by the steps that the scenario names, in their order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from rollout.errors import Foreseen, NoWayBack, WorldError
from rollout.play import Play
from rollout.rollback_risks import mend, under_risks
from rollout.rollback_steps import STEPS, look

__all__ = ["roll_back"]


def roll_back(play: Play, cause: str) -> Generator[simpy.Event, Any, bool]:
    """Play the steps; true when every one of them succeeded and nothing differs from the baseline.

    A step that fails is recorded and the next one is tried all the same: half a rollback is better than none. What
    became of the release does not depend on whether its rollback looks: without the step verify, it is looked at last.
    """
    world, names = play.world, play.scenario.release.rollback
    world.record("rollback-start", play.subject, cause=cause)
    complete = True
    for name in names:
        complete = (yield from _step(play, name)) and complete
    world.record("rollback-end", play.subject, complete=complete)
    if "verify" not in names:
        complete = (yield from _final_look(play)) and complete
    return complete


def _step(play: Play, name: str) -> Generator[simpy.Event, Any, bool]:
    """One step; a failure that was foreseen is part of the play, any other is an error of the world."""
    world = play.world
    world.record("rollback-step", name, phase="start")
    try:
        differences = yield from _tried(play, name)
    except Foreseen as failure:
        _record_failed(play, name, failure)
        return False
    except WorldError as error:
        world.record("error", name, during="rollback", message=str(error))
        return False
    world.record("rollback-step", name, phase="end")
    return not differences


def _tried(play: Play, name: str) -> Generator[simpy.Event, Any, list[str]]:
    """When it fails and people can mend it, it is tried once more."""
    try:
        return (yield from under_risks(play, name))
    except Foreseen as failure:
        if isinstance(failure, NoWayBack) or play.scenario.operations.repair is None:
            raise
        _record_failed(play, name, failure)
        yield from mend(play, name)
        return (yield from STEPS[name](play))


def _record_failed(play: Play, name: str, failure: Foreseen) -> None:
    play.world.record("rollback-step", name, phase="failed", message=str(failure))


def _final_look(play: Play) -> Generator[simpy.Event, Any, bool]:
    """Not being able to read is a difference."""
    try:
        differences = yield from look(play)
    except WorldError as error:
        play.world.record("error", "verify", during="rollback", message=str(error))
        return False
    return not differences
