"""How long a run needs until it is no longer marked by its empty start: MSER-5.

K. Preston White, Michael J. Cobb, Stephen C. Spratt, "A comparison of five steady-state truncation heuristics for
simulation", Winter Simulation Conference 2000: of the series in batches of five, cut off what makes the standard error
of the mean of the rest least. The series is the mean latency in each cell over a few replications without defects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenarios.models import Scenario
from simulator.errors import RequestError
from simulator.replication import Player
from simulator.strategies import strategy_named

__all__ = ["mser5", "warmup_s"]

PILOT = 40
BATCH = 5
_BATCHES_MIN = 20


def warmup_s(scenario: Scenario, seed: int) -> float:
    """Seconds to leave out, from the traffic before the release and the first fault.

    Raises RequestError when that is too short to tell, or has not settled by its half.
    """
    until_s = min([scenario.release.at_s, *(fault.at_s for fault in scenario.faults)])
    resolution_s = scenario.measure.resolution_s
    cells = int(until_s / resolution_s + 1e-9)
    if cells < BATCH * _BATCHES_MIN:
        raise RequestError(
            f"measure.warmup(=auto) must have {BATCH * _BATCHES_MIN} cells of {resolution_s:g} s before the release "
            f"and the first fault, has {cells}; give a time"
        )
    # Nothing after the first disturbance is looked at, so it is not played.
    measure = scenario.measure.model_copy(update={"warmup": 0.0})
    settled = scenario.model_copy(update={"measure": measure, "duration_s": until_s, "faults": []})
    player = Player(settled, strategy_named(settled, None), seed, ())
    cut = mser5(np.mean([player.latency_s(replication)[:cells] for replication in range(PILOT)], axis=0))
    if cut is None:
        raise RequestError(
            f"measure.warmup(=auto): the system has not settled by {until_s / 2:g} s, half the time before the release "
            "and the first fault; start them later, or give a warm-up"
        )
    return cut * resolution_s


def mser5(series: NDArray[np.float64]) -> int | None:
    """How many values to cut off; None where the best cut would leave less than half."""
    count = len(series) // BATCH
    means = series[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    half = count // 2
    errors = [float(means[cut:].var()) / (count - cut) for cut in range(half + 1)]
    best = int(np.argmin(errors))
    return None if best == half else best * BATCH
