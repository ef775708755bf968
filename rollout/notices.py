"""Notices: stakeholders and support are told of what happens, each some time after it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from rollout.people import People, draw_s
from rollout.world import World
from scenarios.models import Notice

__all__ = ["send_notices"]


def send_notices(world: World, notices: list[Notice], people: People) -> None:
    """From now on, tell everyone of the first event that they are to be told of."""
    waiting = list(notices)

    def hear(kind: str) -> None:
        for notice in [each for each in waiting if each.on == kind]:
            waiting.remove(notice)
            world.env.process(_tell(world, notice, people))

    if waiting:
        world.listen(hear)


def _tell(world: World, notice: Notice, people: People) -> Generator[simpy.Event, Any, None]:
    after_s = draw_s(notice.after, people.stream(f"notice {notice.to} {notice.on}"))
    yield world.env.timeout(after_s)
    world.record("notice", notice.to, on=notice.on, after_s=after_s)
