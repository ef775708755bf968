"""A rare event whose probability is known: an M/M/1/K queue that begins empty refuses its first request by some time.

Up to that refusal the number in the system is a birth-and-death process; with the refusal as an absorbing state, the
probability is an entry of the matrix exponential of its generator (Norris, Markov Chains, Cambridge 1997, 2.1 and 3.3).
Estimated by splitting on the number of jobs in the system, with levels from a pilot of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.linalg import expm

from evidence.statistics import Estimate
from simulator.kernel.watch import Looks, Reached
from simulator.layout import REFUSED
from simulator.network import Distribution, Kind
from simulator.rare.levels import pilot
from simulator.rare.paths import Outcome, Path, branch_keys, records_of
from simulator.rare.splitting import Run, estimate, split_run
from simulator.verification.agreement import STANDARD_ERRORS, Agreement
from simulator.verification.playing import one_station, ready
from simulator.verification.settings import Settings

__all__ = ["overflow", "overflow_probability", "split_overflow"]

RATE_PER_S, MEAN_S, PLACES = 0.5, 1.0, 14
HORIZON_S, TICKS = 50.0, 250
RUNS, EFFORT = 16, 40

_NETWORK = one_station(1, Distribution(Kind.EXPONENTIAL, MEAN_S), RATE_PER_S, HORIZON_S, queue=PLACES - 1)


def overflow_probability() -> float:
    """That a request has found no place by the horizon, exactly."""
    generator = np.zeros((PLACES + 2, PLACES + 2))  # the last state: refused
    for jobs in range(PLACES + 1):
        generator[jobs, jobs + 1] = RATE_PER_S
        if jobs:
            generator[jobs, jobs - 1] = 1.0 / MEAN_S
        generator[jobs, jobs] = -generator[jobs].sum()
    return float(expm(generator * HORIZON_S)[0, -1])


def _play(seed: int, path: Path, enough: float = math.inf) -> Outcome:
    plane, looks = ready(_NETWORK, seed, path.root), Looks(HORIZON_S / TICKS, TICKS + 1, enough)
    plane.watch(looks)
    try:
        for number, split in enumerate(path.splits, 1):
            plane.run(split.tick * HORIZON_S / TICKS)
            plane.rekey(branch_keys(seed, path, number))
        plane.run(HORIZON_S)
    except Reached:
        return Outcome(records_of(path, looks.jobs), hit=False)
    return Outcome(records_of(path, looks.jobs), bool(plane.recording().client[..., REFUSED].any()))


def split_overflow(seed: int) -> tuple[Estimate, list[Run]]:
    """The probability with its interval, and what each run found."""

    def play(paths: Sequence[Path], enough: float = math.inf) -> list[Outcome]:
        return [_play(seed, path, enough) for path in paths]

    levels = pilot([Path(root) for root in range(2 * EFFORT)], play).levels
    roots = [[Path((2 + run) * EFFORT + number) for number in range(EFFORT)] for run in range(RUNS)]
    runs = [split_run(levels, each, play) for each in roots]
    return estimate(runs, RUNS * EFFORT), runs


def overflow(settings: Settings) -> list[Agreement]:
    """The probability of an overflow, by splitting."""
    theory = overflow_probability()
    found, runs = split_overflow(settings.seed)
    error = float(np.std([run.probability for run in runs], ddof=1)) / math.sqrt(len(runs))
    trajectories = sum(run.trajectories for run in runs)
    plain = round(theory * (1 - theory) / error**2)
    note = f"{trajectories:,} trajectories; plain replications for the same standard error: {plain:,}"
    case = f"M/M/1/{PLACES} refuses within {HORIZON_S:g} s, by splitting"
    # Estimates are skewed, so the bounds are as far from theory on the scale of the logarithm.
    spread = math.exp(STANDARD_ERRORS * error / found.value)
    basis = f"{STANDARD_ERRORS:g} standard errors of {RUNS} independent runs, on the scale of the logarithm"
    return [Agreement(case, theory, found.value, theory / spread, theory * spread, basis, note=note)]
