"""Collapse: a load that does not come back although what hurt it is gone (a metastable failure).

Nathan Bronson, Abutalib Aghayev, Aleksey Charapko, Timothy Zhu, "Metastable failures in distributed systems", HotOS
2021: the trigger has been removed, and a sustaining effect keeps the system down. A function that has not recovered by
the end of a run is no collapse while a fault is in force, while the release is, or while more load comes than at first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from evidence.episodes import Episode
from evidence.events import EventKind, Outcome
from evidence.timeline import Timeline
from scenarios.models import Function

__all__ = ["collapsed", "surge_end_s", "trigger_gone_s"]


def collapsed(
    episodes: Sequence[Episode], timeline: Timeline, surge_ends_s: float, end_s: float, seen_s: float
) -> bool:
    """Whether the last episode is one: open at end_s, for at least `seen_s` since its start and since its trigger went.

    `seen_s` is what a recovery takes to be seen: a shorter rest of the run cannot tell.
    """
    if not episodes or not episodes[-1].censored:
        return False
    gone_s = trigger_gone_s(timeline)
    return gone_s is not None and end_s - max(gone_s, surge_ends_s, episodes[-1].start_s) >= seen_s


def trigger_gone_s(timeline: Timeline) -> float | None:
    """Since when neither a fault, the release nor data can be what hurts; None when one of them still can.

    A release with a defect is gone when it has been taken back whole, and not by a flag that hides none of it; one
    without when it has ended in any way.
    """
    started, ended = timeline.all(EventKind.FAULT_START), timeline.all(EventKind.FAULT_END)
    if len(started) > len(ended) or timeline.data_hurts():
        return None
    gone_s = max((event.time_s for event in ended), default=0.0)
    if not timeline.all(EventKind.RELEASE_START):
        return gone_s
    outcome, bad = timeline.outcome(), bool(timeline.defects())
    if outcome == Outcome.ROLLED_BACK and bad and timeline.left_dark():
        return None
    if outcome == Outcome.ROLLED_BACK or (outcome == Outcome.PROMOTED and not bad):
        return max(gone_s, timeline.all(EventKind.RELEASE_END)[-1].time_s)
    return None


def surge_end_s(function: Function, start: datetime | None, duration_s: float) -> float:
    """Until when the function's load is above that of its first moment; infinite when it is at the end."""
    rates = function.rates(start, duration_s)
    untils = (*(time_s for time_s, _ in rates[1:]), math.inf)
    return max((until_s for (_, rate), until_s in zip(rates, untils, strict=True) if rate > rates[0][1]), default=0.0)
