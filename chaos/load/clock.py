"""How another machine's clock stands to this one's, by asking it the time: half the fastest round trip is the error."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Clock", "clock_between", "error_over"]


@dataclass(frozen=True)
class Clock:
    """What to add to this machine's monotonic time to have the other's, and by how much that may be wrong; seconds."""

    ahead_s: float
    error_s: float


def clock_between(asked: Iterable[tuple[float, float, float]]) -> Clock:
    """From (asked, the other's time, answered), the first and last on our own clock.

    The other read its clock somewhere between the two; the shortest round trip leaves least doubt.
    """
    asked_s, other_s, answered_s = min(asked, key=lambda each: each[2] - each[0])
    half_s = (answered_s - asked_s) / 2
    return Clock(other_s - (asked_s + half_s), half_s)


def error_over(begin: Clock, end: Clock) -> float:
    """How wrong `begin` may have been at any time until `end` was measured, as the clocks drift apart meanwhile."""
    return max(begin.error_s, abs(end.ahead_s - begin.ahead_s) + end.error_s)
