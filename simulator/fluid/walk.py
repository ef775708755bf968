"""How a full queue moves until a retry of what it refused comes back, and how full those find it that come meanwhile.

The length of a queue is a walk from level to level. From its last level it is carried forward to the time of the retry.
Seen from now, the past is as likely as the future (the walk is reversible), so that two things follow from one: how
often a retry meets the full queue again, and how often there was a refusal so long ago, whose retry comes now. With
those retries the queue leaves its end later, and more slowly: both are found together.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.inline import inlined, outlined

LEVELS = 512
"""Levels below the last one that are followed; a queue seldom moves further until a retry."""
STEPS = 16
"""Of a backoff; the first and the last are short, since that is when most changes."""


@inlined
def _move(
    here: NDArray[np.float64],
    left: NDArray[np.float64],
    count: int,
    top: int,
    workers: int,
    up: float,
    leave: float,
    lasts: float,
) -> None:
    """Move for a while (an implicit step): from the lowest level followed to the last, and back."""
    above, share = 0.0, 0.0
    for down in range(count - 1, -1, -1):
        leaves = leave * min(top - down, workers) if down < count - 1 else 0.0
        whole = 1.0 + lasts * (leaves + (up if down > 0 else 0.0)) - lasts * up * share
        above = (here[down] + lasts * up * above) / whole
        share = lasts * leave * min(top - down + 1, workers) / whole
        here[down], left[down] = above, share
    for down in range(1, count):
        here[down] += left[down] * here[down - 1]


@outlined
def walk(
    levels: NDArray[np.float64],
    more: NDArray[np.float64],
    met: NDArray[np.float64],
    workers: int,
    places: float,
    load: float,
    after: float,
    variability: float,
    strength: float,
    same: float,
    refused: float,
) -> float:
    """How often a retry is refused that comes `after` so many holding times; returns by how much that has changed.

    `load`: in work on the mean, without those retries, of which `strength` come per refusal. `same`: how much of what
    it finds is the queue that refused it, and not any. `met` becomes how often retries are refused that come after each
    of the steps, `more` by how much more than `load` comes at each level from the last one down; half of the way each.
    """
    top = workers + (max(1, round(places / variability)) if places > 0.0 else 0)
    count = min(top + 1, LEVELS)
    here, left = levels[2], levels[3]
    for down in range(count):
        here[down] = 0.0
    here[0] = 1.0
    before, last = 0.0, met[STEPS]
    for step in range(STEPS):
        sine = math.sin(0.5 * math.pi * (step + 1) / STEPS)
        until = after * sine * sine
        comes = load * (1.0 + strength * 0.5 * (met[STEPS - step] + met[STEPS - step - 1]))
        _move(here, left, count, top, workers, comes / variability, 1.0 / variability, until - before)
        before = until
        met[step + 1] = 0.5 * (met[step + 1] + refused + (here[0] - refused) * same)
    met[0] = refused + (1.0 - refused) * same
    likelier = 1.0  # than the last level
    for down in range(count):
        if down > 0:
            likelier *= min(top - down + 1, workers) / (load * (1.0 + more[down]))
        was_full = refused + (here[down] / likelier - refused) * same
        more[down] = 0.5 * (more[down] + strength * min(1.0, max(0.0, was_full)))
    for down in range(count, LEVELS):
        more[down] = more[count - 1]
    return abs(met[STEPS] - last)
