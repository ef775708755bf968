"""Playing a fault of the scenario: in force at its time, taken back after it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from rollout.errors import WorldError
from rollout.world import World
from scenarios.models import Fault

__all__ = ["play_fault"]


def play_fault(world: World, fault: Fault) -> Generator[simpy.Event, Any, None]:
    """Inject, wait, heal; what cannot be confirmed is recorded as an error, which no verdict passes over."""
    subject = f"{fault.kind} on {fault.target}"
    yield world.env.timeout(fault.at_s)
    try:
        yield world.inject(fault)
    except WorldError as error:
        world.record("error", subject, during="inject", message=str(error))
        return
    world.record("fault-start", subject, kind=fault.kind)
    yield world.env.timeout(max(0.0, fault.at_s + fault.for_s - world.env.now))
    try:
        yield world.heal(fault)
    except WorldError as error:
        world.record("error", subject, during="heal", message=str(error))
        return
    world.record("fault-end", subject, kind=fault.kind)
