"""The release calendar, kept: a release that may not start now waits or is skipped, and says so."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from typing import Any

import simpy

from rollout.world import World
from scenarios.models import Scenario

__all__ = ["hold", "tell_postponed"]


def tell_postponed(world: World, scenario: Scenario, subject: str, defects: Sequence[str]) -> None:
    """Record, for a run that has been moved to where the calendar is open, that it was and by how much."""
    if scenario.start is None or scenario.clock is None or scenario.clock == scenario.start:
        return
    planned = scenario.start + timedelta(seconds=scenario.release.at_s)
    held_s = (scenario.clock - scenario.start).total_seconds()
    opens = planned + timedelta(seconds=held_s)
    _record(world, subject, scenario.calendar.closed_by(planned), "postpone", opens, held_s, defects)


def hold(
    world: World,
    scenario: Scenario,
    subject: str,
    defects: Sequence[str],
    until: simpy.Event,
    begun: bool = False,
) -> Generator[simpy.Event, Any, bool]:
    """Wait until the calendar lets `subject` start, or `until`; false when it is to be skipped.

    What belongs to a release that has `begun` is never skipped: half a release is what nobody planned.
    """
    calendar, clock = scenario.calendar, scenario.clock
    now = None if clock is None else clock + timedelta(seconds=world.env.now)
    reason = None if now is None else calendar.closed_by(now)
    if now is None or reason is None:
        return True
    opens = calendar.opens(now)
    skipped = calendar.when_closed == "skip" and not begun
    wait_s = None if opens is None or skipped else (opens - now).total_seconds()
    _record(world, subject, reason, "skip" if skipped else "wait", opens, wait_s, defects)
    if skipped:
        return False
    yield until if wait_s is None else world.env.timeout(wait_s) | until
    return True


def _record(
    world: World,
    subject: str,
    reason: str | None,
    when_closed: str,
    opens: datetime | None,
    held_s: float | None,
    defects: Sequence[str],
) -> None:
    world.record(
        "calendar-closed",
        subject,
        reason=reason,
        when_closed=when_closed,
        opens=None if opens is None else f"{opens:%a %Y-%m-%d %H:%M}",
        held_s=held_s,
        defects=list(defects),
    )
