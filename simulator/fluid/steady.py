"""One replica in its steady state, as an M/G/c queue with places or without a bound: waits, and refusals in bursts."""

from simulator.kernel.inline import outlined

BUSY_MAX = 0.98
"""Utilisation up to which an unbounded queue counts as in its steady state; nearer to 1 it takes long to get there."""


@outlined
def steady(workers: int, queue: int, load: float, hold_s: float, variability: float) -> tuple[float, float, float]:
    """Of one replica with `load` in work on the mean: share refused, share of the rest that waits, their mean wait."""
    busy = load / workers
    blocked = 1.0  # Erlang B
    for k in range(1, workers + 1):
        blocked = load * blocked / (k + load * blocked)
    if queue < 0:
        busy = min(busy, BUSY_MAX)
        waits = blocked / (1.0 - busy * (1.0 - blocked))
        return 0.0, min(1.0, waits), variability * hold_s / (workers * (1.0 - busy))
    # Less varying traffic overflows a queue as rarely as Poisson traffic a longer one (diffusion scaling).
    if queue > 0:
        queue = max(1, round(queue / variability))
    term, total, waiting, waited = blocked, 1.0, blocked, 0.0
    for j in range(1, queue + 1):
        if j == queue:
            waiting = total - 1.0 + blocked  # arrivals that find j = 0..queue-1 waiting wait themselves
        term *= busy
        total += term
        waited += j * term
    refused = term / total
    if queue == 0 or waited <= 0.0 or load <= 0.0:
        return refused, 0.0, 0.0
    waits = waiting / total / (1.0 - refused)
    accepted_per_s = load / hold_s * (1.0 - refused)
    return refused, min(1.0, waits), variability * waited / total / accepted_per_s / max(waits, 1e-12)


@outlined
def burst_of(workers: int, queue: int, load: float, variability: float) -> float:
    """By how much more than a Poisson count's the refusals of one replica vary, as a share of their mean.

    A queue that is full refuses one after the other, so refusals come in bursts. Of a birth and death process that
    refuses in its last state K the count over a long time has the variance 1 + 2 lambda D(K, K), where the deviation
    matrix has D(K, K) = p(K) sum over j < K of F(j)^2 / (lambda p(j)); p are its probabilities, F their sums. Less
    varying traffic makes a longer queue that moves as much more slowly, as in `steady`.
    """
    places = workers + (max(1, round(queue / variability)) if queue > 0 else 0)
    last = 1.0  # relative to the probability of being empty, scaled down where it grows large
    upto, moments = 1.0, 0.0
    for k in range(1, places + 1):
        moments += upto * upto / last
        last *= load / min(k, workers)
        upto += last
        if upto > 1e100:
            last, upto, moments = last * 1e-100, upto * 1e-100, moments * 1e-100
    return 2.0 * variability * last * moments / (upto * upto)
