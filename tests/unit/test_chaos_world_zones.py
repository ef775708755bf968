"""What a zone takes with it is replaced elsewhere after a while, unless the zone is back by then."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import simpy

from chaos.errors import StagingError
from chaos.world import StagingWorld
from evidence.events import Event
from rollout.wallclock import WallClockEnvironment
from scenarios.loading import load
from scenarios.models import Fault


class Surface:
    """A staging with zones, as far as this needs one."""

    def __init__(self, *, fails: bool) -> None:
        self.replaced = 0
        self._fails = fails

    def zones(self) -> Sequence[str]:
        return ("a", "b")

    def zones_out(self) -> Sequence[str]:
        return ("b",)

    def running_in(self, zone: str) -> Sequence[str]:
        return (zone,)

    def misplaced(self) -> Sequence[str]:
        return ()

    def lose_zone(self, zone: str) -> None:
        raise AssertionError(zone)

    def regain_zone(self, zone: str) -> None:
        raise AssertionError(zone)

    def replace_lost(self) -> None:
        self.replaced += 1
        if self._fails:
            raise StagingError("nothing starts")


def played(*, early: bool = False, fails: bool = False) -> tuple[Surface, list[Event]]:
    """A zone that goes out at once, lost replicas replaced after a second; it is back early, or when they are."""
    surface, events = Surface(fails=fails), list[Event]()
    entry, undone = SimpleNamespace(id="1"), SimpleNamespace(rung="regain")
    guard: Any = SimpleNamespace(
        drill_id="d", surface=surface, inject=lambda *_: entry, heal=lambda _: undone, unmet=lambda *_: None
    )
    staging: Any = SimpleNamespace(data=None)
    observer: Any = None
    env = WallClockEnvironment(time.monotonic())
    world = StagingWorld(env, staging, guard, observer, load("shop-zones")[0], (), events.append, 1)
    fault = Fault.model_validate({"at": "0s", "for": "9s", "zone": {"of": "b", "replaced_after": "1s"}})

    def play() -> Generator[simpy.Event, Any, None]:
        yield world.inject(fault)
        while not early and not surface.replaced:
            yield env.timeout(0.02)
        yield world.heal(fault)
        yield env.timeout(1.5)  # whatever was to come has come

    env.run(until=env.process(play()))
    assert env.idle(5.0)
    return surface, events


@pytest.mark.parametrize("early", [True, False])
def test_lost_replicas_are_replaced_once_unless_the_zone_is_back(early: bool) -> None:
    surface, events = played(early=early)
    assert surface.replaced == (not early)
    told = [] if early else [("replace", "b", "start"), ("replace", "b", "end")]
    found = [(str(event.kind), event.subject, event.detail.get("phase")) for event in events]
    assert sorted(found) == sorted([*told, ("undo", "b", None)], key=str)


def test_a_replacement_that_fails_is_an_error_of_the_drill() -> None:
    events = played(fails=True)[1]
    (error,) = (event for event in events if event.kind == "error")
    assert [event.detail["phase"] for event in events if event.kind == "replace"] == ["start"]
    assert (error.subject, error.detail["message"]) == ("b", "nothing starts")
