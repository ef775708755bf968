"""An analysis: judges look at the release for a time, and say whether it may go on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import simpy

from rollout.errors import Rejected, WorldError
from rollout.judges.base import Finding, Judge, look
from rollout.judges.making import judge_of
from rollout.play import Play
from scenarios.models import Analysis, Change, Guardrail

__all__ = ["analyse"]


@dataclass
class _Check:
    """One judge at work. Its last finding counts at the end: without enough data a `needed` check is inconclusive."""

    guardrail: Guardrail
    name: str
    judge: Judge
    interval_s: float
    due_s: float
    needed: bool
    in_a_row: int = 0
    enough: bool = False


def analyse(play: Play, change: Change, analysis: Analysis) -> Generator[simpy.Event, Any, None]:
    """Look until the time is over; raises Rejected as soon as a check finds the release bad.

    An observation that fails is no evidence: the check goes on, and is inconclusive should it be the last.
    """
    world, subject = play.world, analysis.title
    checks, until_s = list(_checks(play, change, analysis)), world.env.now + analysis.for_s
    while True:
        due_s = min(check.due_s for check in checks)
        if due_s > until_s:
            break
        yield world.env.timeout(due_s - world.env.now)
        for check in checks:
            if check.due_s == due_s:
                check.due_s += check.interval_s
                yield from _look(play, check, subject)
    yield world.env.timeout(until_s - world.env.now)
    open_ = [check for check in checks if check.needed and not check.enough]
    if not open_:
        world.record("analysis", subject, result="passed")
        return
    names = ", ".join(check.name for check in open_)
    world.record("analysis", subject, result="inconclusive", checks=names, then=analysis.inconclusive)
    if analysis.inconclusive == "rollback":
        raise Rejected(f"inconclusive: {names}")
    if analysis.inconclusive == "pause":
        yield from play.people.page(f"{subject} inconclusive", change.service)


def _checks(play: Play, change: Change, analysis: Analysis) -> Iterator[_Check]:
    release, resolution_s = play.scenario.release, play.scenario.measure.resolution_s
    for guardrail, name in zip(analysis.checks, analysis.names, strict=True):
        of = release.change_of(guardrail.of) or change
        interval_s = guardrail.interval_s(resolution_s)
        watched = play.watched(of, guardrail)
        for each in watched:
            judge = judge_of(guardrail, each, play.world.edges_s)
            # Of a toggle the answers with the flag on, which are last: once it is on for all, there are no others.
            yield _Check(guardrail, name, judge, interval_s, play.world.env.now + interval_s, each is watched[-1])


def _look(play: Play, check: _Check, subject: str) -> Generator[simpy.Event, Any, None]:
    try:
        finding: Finding = yield from look(play.world.observe, check.guardrail.of, check.judge)
    except WorldError as error:
        play.world.record("error", check.name, during="observe", message=str(error))
        check.enough = False
        return
    check.enough = finding.enough
    check.in_a_row = check.in_a_row + 1 if finding.bad else 0
    if check.in_a_row < check.guardrail.consecutive:
        return
    # A check that finds it bad is a guardrail that trips: what is measured of those holds for it too.
    detail = {"value": finding.value, "above": finding.limit, "requests": finding.requests, "action": "rollback"}
    play.world.record("guardrail-trip", check.name, **detail)
    play.world.record("analysis", subject, result="failed", checks=check.name)
    raise Rejected(check.name)
