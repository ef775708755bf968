"""Playing a fault of the scenario: in force at its time, taken back after it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from rollout.errors import WorldError
from rollout.play import Play
from scenarios.models import Fault

__all__ = ["play_fault"]


def play_fault(play: Play, fault: Fault) -> Generator[simpy.Event, Any, None]:
    """Inject, wait, heal; what cannot be confirmed is recorded as an error, which no verdict passes over.

    A fault that took longer to be confirmed than it is to last stays for as long from then on.
    """
    world, subject = play.world, f"{fault.kind} on {fault.target}"
    yield world.env.timeout(fault.at_s)
    try:
        yield world.inject(fault)
    except WorldError as error:
        world.record("error", subject, during="inject", message=str(error))
        return
    # What has to be confirmed may hurt from its order on.
    ordered = {} if world.env.now == fault.at_s else {"ordered_s": fault.at_s}
    world.record("fault-start", subject, kind=fault.kind, **ordered)
    if fault.kind == "outage":
        play.out_of_reach.add(fault.target)
    left_s = fault.at_s + fault.for_s - world.env.now
    yield world.env.timeout(left_s if left_s > 0 else fault.for_s)
    try:
        yield world.heal(fault)
    except WorldError as error:
        world.record("error", subject, during="heal", message=str(error))
        return
    if fault.kind == "outage":
        play.out_of_reach.discard(fault.target)
    world.record("fault-end", subject, kind=fault.kind)
