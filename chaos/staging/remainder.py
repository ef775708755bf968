"""What is left of a histogram when a part of it is taken out that somebody else has timed."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, sub

__all__ = ["Remainder"]


class Remainder:
    """One version's: Envoy's times of all answers, without those that its replicas gave with the flag on.

    A replica's time of an answer is shorter than Envoy's, which has the way there and back: so an answer is taken out
    of its own bin or the next longer one that has any. Bin by bin it would be taken out of one where it never was, and
    be left where it is. What replicas have told and Envoy has not yet is owed, and taken out when it comes. Bins only
    grow.
    """

    def __init__(self) -> None:
        self._whole: list[int] = []
        self._part: list[int] = []
        self._owed: list[int] = []
        self._left: list[int] = []

    def after(self, whole: Sequence[int], part: Sequence[int]) -> tuple[int, ...]:
        """What is left now, when both have grown to this; no bins before Envoy has any."""
        if not self._whole:
            self._whole, self._part, self._owed, self._left = ([0] * len(whole) for _ in range(4))
        fresh = list(map(sub, whole, self._whole))
        owed = list(map(add, self._owed, map(sub, part, self._part)))
        # the longest first: they have the fewest bins to be in
        for told in reversed(range(len(owed))):
            for place in (*range(told, len(fresh)), *reversed(range(told))):
                taken = min(owed[told], fresh[place])
                owed[told] -= taken
                fresh[place] -= taken
        self._whole, self._part, self._owed = list(whole), list(part), owed
        self._left = list(map(add, self._left, fresh))
        return tuple(self._left)
