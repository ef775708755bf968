"""What goes wrong on the way back, as the scenario's risks have it, and how people mend it."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import simpy

from rollout.errors import Foreseen, WorldError
from rollout.people import draw_s
from rollout.play import Play
from rollout.rollback_steps import STEPS
from rollout.world import Observation
from scenarios.models import Change, Distribution

__all__ = ["mend", "under_risks"]

# A service or store is unhealthy while more than half of its answers of the last 5 s were failures; at a resolution
# coarser than that, of the last whole cell and the one that runs, which begins empty. So it is when those of the last
# second were, if they are enough to tell: a guardrail may be faster than 5 s, and the step is not to slip through.
_UNHEALTHY_RATIO = 0.5
_WINDOW_S = 5.0
_FRESH_S = 1.0
_FRESH_ANSWERS = 10
_WINDOW_CELLS = 2
_LOOK_EVERY_S = 1.0


def under_risks(play: Play, name: str) -> Generator[simpy.Event, Any, list[str]]:
    """A step of the rollback with what is wrong with it; raises Foreseen when it fails, or does harm."""
    risks = [risk for risk in play.risks if risk.step == name]
    for risk in risks:
        if risk.depends_on is not None:
            yield from _wait_for(play, name, risk.depends_on)
    for risk in risks:
        if risk.takes_s is not None:
            yield play.world.env.timeout(risk.takes_s)
    for risk in risks:
        if risk.fails:
            raise Foreseen(f"{risk.name}: the step fails")
    differences = yield from STEPS[name](play)
    harm = [(risk, change) for risk in risks if risk.worse is not None for change in _harmed(play, name)]
    for risk, change in harm:
        yield play.world.worsen(change.service, change.old, risk.worse)
    if harm:
        raise Foreseen(f"{harm[0][0].name}: the old version came back worse")
    return differences


def mend(play: Play, name: str) -> Generator[simpy.Event, Any, None]:
    """People put right what failed in a step: the harm that it did is gone with it."""
    repair = play.scenario.operations.repair
    assert repair is not None, "whoever calls has looked"
    yield play.world.env.timeout(_repair_s(play, repair, name))
    play.world.record("repair", name, person="drawn from the scenario")
    for risk in play.risks:
        if risk.step == name and risk.worse is not None:
            for change in play.begun:
                yield play.world.worsen(change.service, change.old, None)


def _harmed(play: Play, name: str) -> list[Change]:
    """Redeploying what had never been stopped starts nothing, and so brings nothing back that could be worse."""
    begun = list(reversed(play.begun))
    return [change for change in begun if play.was_stopped(change)] if name == "redeploy" else begun


def _wait_for(play: Play, name: str, needed: str) -> Generator[simpy.Event, Any, None]:
    """Until what the step needs answers again, or until people have found a way around it."""
    world, repair = play.world, play.scenario.operations.repair
    if (yield from _healthy(play, needed)):
        return
    world.record("rollback-step", name, phase="waits", needs=needed)
    around_s = math.inf
    if repair is not None:
        around_s = world.env.now + _repair_s(play, repair, name)
    # What only was out of reach has not failed: it is as well again as it was.
    failed = needed not in play.out_of_reach
    while not (yield from _healthy(play, needed, unasked=not failed)):
        if world.env.now >= around_s:
            world.record("repair", name, person="drawn from the scenario")
            return
        yield world.env.timeout(min(_LOOK_EVERY_S, around_s - world.env.now))


def _repair_s(play: Play, repair: Distribution, name: str) -> float:
    return draw_s(repair, play.people.stream(f"repair {name}"))


def _healthy(play: Play, name: str, *, unasked: bool = True) -> Generator[simpy.Event, Any, bool]:
    """Whether most of its answers are good; `unasked` is what it counts as while nothing is asked of it.

    Nothing was asked of it lately when those who ask have given it up, behind an open breaker for one: then its last
    answers count, however old. Healthy before the first answer, since nobody knows better; but what was unhealthy is
    not well again because nobody asked. Not being able to look is not healthy.
    What is out of reach gives no answers at all, so it is known by its outage.
    """
    if name in play.out_of_reach:
        return False
    cells_s = _WINDOW_CELLS * play.scenario.measure.resolution_s
    window_s = max(_WINDOW_S, cells_s)
    try:
        seen = yield play.world.observe(name, None, window_s)
        while unasked and seen.requests == 0 and window_s < play.world.env.now:
            window_s *= 2.0
            seen = yield play.world.observe(name, None, window_s)
        fresh = yield play.world.observe(name, None, max(_FRESH_S, cells_s))
    except WorldError:
        return False
    if seen.requests == 0:
        return unasked
    return not (_mostly_fails(seen) or (fresh.requests >= _FRESH_ANSWERS and _mostly_fails(fresh)))


def _mostly_fails(seen: Observation) -> bool:
    return seen.errors > _UNHEALTHY_RATIO * seen.requests
