"""Episodes of impact: from the cell that tipped a window until recovery is confirmed.

Impact starts at the last cell of the first window that is not good: that cell tipped it. Recovery is the first cell of
the first of N consecutive good windows, but later than the tipping cell, which was bad. With windows of one cell this
is the plain definition. An episode that is open at the end is censored: it lasted at least to the end of the run when
the last window is bad, else to the start of the good windows that were still too few to confirm a recovery.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Episode", "find_episodes", "longest"]


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of impact, in seconds; when censored, end_s is the earliest that it can have ended."""

    start_s: float
    end_s: float
    censored: bool

    @property
    def length_s(self) -> float:
        """Seconds of impact; a lower bound when censored."""
        return self.end_s - self.start_s


def find_episodes(good: NDArray[np.bool_], window_cells: int, consecutive: int, resolution_s: float) -> list[Episode]:
    """Episodes in order, from good [cells] as evidence.health gives it."""
    bad = np.flatnonzero(~good)
    if bad.size == 0:
        return []
    runs = np.concatenate([[0], np.cumsum(good)])
    confirmed = np.flatnonzero(runs[consecutive:] - runs[:-consecutive] == consecutive)
    episodes: list[Episode] = []
    place = 0
    while place < bad.size:
        start = int(bad[place])
        following = np.searchsorted(confirmed, start)
        censored = following == confirmed.size
        first_good = int(bad[-1]) + 1 if censored else int(confirmed[following])
        end = max(first_good - window_cells + 1, start + 1) if first_good < good.size else good.size
        episodes.append(Episode(start * resolution_s, end * resolution_s, bool(censored)))
        if censored:
            break
        place = int(np.searchsorted(bad, first_good + consecutive))
    return episodes


def longest(episodes: list[Episode]) -> Episode | None:
    """The longest episode by what is known of it; the first of equals, None without any."""
    return max(episodes, key=lambda episode: episode.length_s, default=None)
