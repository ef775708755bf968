"""One replica in its steady state, as an M/G/c queue without a bound: waits."""

from simulator.kernel.inline import outlined

BUSY_MAX = 0.98
"""Utilisation up to which an unbounded queue counts as in its steady state; nearer to 1 it takes long to get there."""


@outlined
def steady(workers: int, load: float, hold_s: float, variability: float) -> tuple[float, float]:
    """Of one replica with `load` in work on the mean: the share that waits, and their mean wait."""
    busy = min(load / workers, BUSY_MAX)
    blocked = 1.0  # Erlang B
    for k in range(1, workers + 1):
        blocked = load * blocked / (k + load * blocked)
    waits = blocked / (1.0 - busy * (1.0 - blocked))
    return min(1.0, waits), variability * hold_s / (workers * (1.0 - busy))
