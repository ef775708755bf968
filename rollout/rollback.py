"""Taking a release back, by the steps that the scenario names, in their order."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from rollout.errors import WorldError
from rollout.world import World
from scenarios.models import Change

__all__ = ["look", "roll_back"]


def roll_back(
    world: World, change: Change, replicas: int, steps: Sequence[str], cause: str
) -> Generator[simpy.Event, Any, bool]:
    """Play the steps; true when every one of them succeeded and nothing differs from the baseline.

    A step that fails is recorded and the next one is tried all the same: half a rollback is better than none.
    """
    world.record("rollback-start", change.service, cause=cause)
    complete = True
    for step in steps:
        world.record("rollback-step", step, phase="start")
        try:
            differences = yield from _play(world, change, replicas, step)
        except WorldError as error:
            world.record("error", step, during="rollback", message=str(error))
            complete = False
            continue
        complete = complete and not differences
        world.record("rollback-step", step, phase="end")
    world.record("rollback-end", change.service, complete=complete)
    return complete


def look(world: World, change: Change) -> Generator[simpy.Event, Any, bool]:
    """Whether nothing differs from the baseline, read back and recorded; not being able to read is a difference."""
    try:
        differences: list[str] = yield world.verify()
    except WorldError as error:
        world.record("error", "verify", during="rollback", message=str(error))
        return False
    world.record("verify", change.service, differences=differences)
    return not differences


def _play(world: World, change: Change, replicas: int, step: str) -> Generator[simpy.Event, Any, list[str]]:
    """One step; the differences from the baseline that it found (only `verify` looks for them)."""
    if step == "redeploy":
        yield world.deploy(change.service, change.old, replicas)
    elif step == "route-back":
        yield world.route(change.service, {change.old: 1.0, change.new: 0.0})
    elif step == "retire":
        yield world.deploy(change.service, change.new, 0)
    elif step != "verify":
        raise WorldError(f"{step}: this world does not know the step")
    else:
        differences: list[str] = yield world.verify()
        world.record("verify", change.service, differences=differences)
        return differences
    return []
