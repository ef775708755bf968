"""What people do about bad data that shows, however the release ended: find out, decide, put it right."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from rollout.errors import Foreseen, WorldError
from rollout.people import draw_s
from rollout.play import Play
from rollout.rollback_steps import STEPS
from scenarios.models import Repair

__all__ = ["repair"]


def repair(play: Play, plan: Repair, rollback: Callable[[], simpy.Event | None]) -> Generator[simpy.Event, Any, None]:
    """Answer each symptom of bad data; `rollback` gives the end of the one under way, which may put it right itself.

    A step that fails is recorded, and ends the answer: data that cannot be put right stays as it is.
    """
    world = play.world
    while True:
        yield world.data.symptom()
        if plan.detect is not None:
            yield world.env.timeout(draw_s(plan.detect, play.people.stream("repair detect")))
        world.record("noticed", "data", what="bad data")
        if play.scenario.operations.on_call is not None:
            yield from play.people.page("bad data")
        under_way = rollback()
        if under_way is not None:
            yield under_way
        if world.data.dirty():
            yield from _answer(play, plan)


def _answer(play: Play, plan: Repair) -> Generator[simpy.Event, Any, None]:
    world = play.world
    world.record("response-start", "data", what="repair")
    complete = True
    while complete and world.data.dirty():
        for step in plan.steps:
            try:
                yield from STEPS[step](play)
            except WorldError as error:
                kind = "step-failed" if isinstance(error, Foreseen) else "error"
                world.record(kind, step, during="repair", message=str(error))
                complete = False
    world.record("response-end", "data", what="repair", complete=complete)
