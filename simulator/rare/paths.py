"""A trajectory, named by how it came about: a root, and where it was split off.

A path is replayed from the start: the first `root` draws until the moment of the first split, then those of that
branch, and so on. So a trajectory depends on the seed and its path alone, wherever it is played, and nothing needs to
be copied in the middle of a run (the control plane's processes cannot be).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Stream

__all__ = ["Outcome", "Path", "Split", "branch_keys", "records_of"]

_SPLIT_KEY = 3000
"""Far above the streams of `simulator.draws` and `simulator.streams`, which have the same seed."""


@dataclass(frozen=True, slots=True)
class Split:
    """At tick `tick`, on crossing level `level` (from 0), branch number `branch` (from 0) took draws of its own."""

    tick: int
    level: int
    branch: int


@dataclass(frozen=True, slots=True)
class Path:
    """A root's number and the splits that led here, in order of time; none for the root itself."""

    root: int
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trajectory: whether it hit the event, and how far it came.

    `records` are its peaks since its last split, each (tick, importance) greater than the one before; the first is that
    of the split itself.
    """

    records: tuple[tuple[int, float], ...]
    hit: bool

    @property
    def peak(self) -> float:
        """The greatest importance."""
        return self.records[-1][1]

    def crossing(self, importance: float) -> int | None:
        """The tick at which it first reached an importance; None when it never did."""
        return next((tick for tick, reached in self.records if reached >= importance), None)


def branch_keys(seed: int, path: Path, splits: int) -> NDArray[np.uint64]:
    """The data plane's stream keys after the first `splits` (at least 1) splits of a path, shape (streams,)."""
    taken = [number for split in path.splits[:splits] for number in (split.tick, split.level, split.branch)]
    sequence = np.random.SeedSequence(seed, spawn_key=(_SPLIT_KEY, path.root, *taken))
    return sequence.generate_state(len(Stream), np.uint64).astype(np.uint64, copy=False)


def records_of(path: Path, importance: NDArray[np.int64]) -> tuple[tuple[int, float], ...]:
    """The records of an outcome, from the importance at each tick from 0 on, shape (ticks,)."""
    begun = path.splits[-1].tick if path.splits else 0
    since = importance[begun:]
    greater = np.flatnonzero(np.diff(np.maximum.accumulate(since), prepend=-1))
    return tuple((begun + int(place), float(since[place])) for place in greater)
