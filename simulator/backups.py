"""What one store can be restored from, and to which moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenarios.models import Backup, Store

__all__ = ["Backups", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """A backup by its running number, when it was taken, and the moment that a restore from it comes back to."""

    number: int
    taken_s: float
    kept_until_s: float


class Backups:
    """The backups and the archive of a store; they were taken before the load began as well.

    When they were taken is drawn at the start, and whether a backup restores once for each. A failed one costs the
    archive nothing: the log is then played on from an older backup, to the same moment.
    """

    def __init__(self, store: Store, backup: Backup, rng: np.random.Generator) -> None:
        self._store = store
        self._backup = backup
        self._rng = rng
        drawn_s = float(rng.uniform(0.0, backup.every_s))
        self._first_s = drawn_s if backup.age_s is None else -backup.age_s
        self._archived_s = float(rng.uniform(0.0, store.archive_every_s or 0.0))
        self._good: dict[int, bool] = {}

    @property
    def attempt_s(self) -> float:
        """What one attempt takes."""
        assert self._store.size_bytes is not None, "the language asks for a size"
        return self._backup.attempt_s(self._store.size_bytes)

    def latest(self, failed_s: float, wanted_s: float, before: Point | None = None) -> Point:
        """The best point for a store that was lost at `failed_s` and is wanted as it was at `wanted_s`.

        From the newest backup taken by then, or the next older one than `before`.
        """
        at_most_s = min(failed_s, wanted_s)
        number = math.floor((at_most_s - self._first_s) / self._backup.every_s)
        if before is not None:
            number = before.number - 1
        taken_s = self._first_s + number * self._backup.every_s
        every_s = self._store.archive_every_s
        if every_s is None:
            return Point(number, taken_s, taken_s)
        archived_s = self._archived_s + math.floor((failed_s - self._archived_s) / every_s) * every_s
        return Point(number, taken_s, max(taken_s, min(at_most_s, archived_s)))

    def restores(self, point: Point) -> bool:
        """Whether the backup can be restored; nobody knew before."""
        if point.number not in self._good:
            self._good[point.number] = bool(self._rng.random() < self._backup.tested)
        return self._good[point.number]
