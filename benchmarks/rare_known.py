"""How often intervals of splitting cover where the answer is known exactly, and whether their mean is that answer.

Queues that begin empty, and refuse their first request by a horizon: up to there the number in the system is a
birth-and-death process, and the probability an entry of the matrix exponential of its generator (Norris, Markov Chains,
Cambridge 1997, 2.1 and 3.3). Pilots, levels, branches and intervals are those of `windtunnel rare`, with its numbers of
trajectories; only the trajectories are of a loop of their own, which plays a hundred thousand of them in seconds.
`speeds`: in one root of ten, and all of its branches, the server is slow; the number in the system does not tell.

    python -m benchmarks.rare_known [--repetitions 400] [--case speeds]
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import expm

from evidence.statistics import share_with_interval
from simulator.rare.collapse import PILOT, RUNS
from simulator.rare.levels import pilot
from simulator.rare.paths import Outcome, Path, records_of
from simulator.rare.splitting import estimate, split_run

RATE_PER_S = 0.5
HORIZON_S, TICKS = 50.0, 250


@dataclass(frozen=True)
class Case:
    """A queue with so many places, the served one included; in equal shares of the roots it serves that fast."""

    places: int
    served_per_s: tuple[float, ...] = (1.0,)

    def truth(self) -> float:
        """The probability of a refusal by the horizon."""
        return sum(self._refused(per_s) for per_s in self.served_per_s) / len(self.served_per_s)

    def _refused(self, served_per_s: float) -> float:
        generator = np.zeros((self.places + 2, self.places + 2))  # the last state: refused
        for jobs in range(self.places + 1):
            generator[jobs, jobs + 1] = RATE_PER_S
            if jobs:
                generator[jobs, jobs - 1] = served_per_s
            generator[jobs, jobs] = -generator[jobs].sum()
        return float(expm(generator * HORIZON_S)[0, -1])

    def play(self, path: Path, seed: int, enough: float = math.inf) -> Outcome:
        """From the start to the horizon, or until so many are in the system: then it is no hit."""
        began = np.array([0, *(split.tick for split in path.splits), TICKS])
        served_per_s = self.served_per_s[path.root % len(self.served_per_s)]
        jobs, refused = _played(began, _seeds(path, seed), served_per_s, self.places)
        since = records_of(path, jobs)
        reached = next((place for place, (_, peak) in enumerate(since) if peak >= enough), None)
        return Outcome(since, refused) if reached is None else Outcome(since[: reached + 1], hit=False)


CASES = {
    "M/M/1/14": Case(14),
    "M/M/1/20": Case(20),
    "speeds": Case(14, (0.7, *(9 * (1.1,)))),
}


def _seeds(path: Path, seed: int) -> NDArray[np.int64]:
    """Of the draws from the start, and from each split on: a function of all that led there."""
    taken: tuple[int, ...] = (seed, path.root)
    seeds = [hash(taken)]
    for split in path.splits:
        taken = (*taken, split.tick, split.level, split.branch)
        seeds.append(hash(taken))
    return np.array(seeds, dtype=np.int64) & 0xFFFFFFFF


@njit(cache=True)
def _played(
    began: NDArray[np.int64], seeds: NDArray[np.int64], served_per_s: float, places: int
) -> tuple[NDArray[np.int64], bool]:
    """Jobs at each tick, and whether one was refused; with other draws from each of the ticks `began` on."""
    seen = np.zeros(TICKS + 1, np.int64)
    jobs = 0
    for part in range(len(seeds)):
        np.random.seed(seeds[part])
        tick, now_s = began[part], began[part] * HORIZON_S / TICKS
        # The process has no memory: what would have come next may be drawn anew at any moment.
        while tick < began[part + 1]:
            per_s = RATE_PER_S + (served_per_s if jobs else 0.0)
            now_s += np.random.exponential(1.0 / per_s)
            while tick < began[part + 1] and (tick + 1) * HORIZON_S / TICKS <= now_s:
                tick += 1
                seen[tick] = jobs
            if tick == began[part + 1]:
                break
            jobs += 1 if np.random.random() * per_s < RATE_PER_S else -1
            if jobs > places:
                seen[tick + 1 :] = jobs
                return seen, True
    return seen, False


def covered(case: Case, repetitions: int, effort: int = 100) -> dict[str, float]:
    """What `repetitions` seeds of splitting said, beside the truth."""
    truth = case.truth()
    below = above = 0
    values = []
    for seed in range(1, repetitions + 1):

        def play(paths: Sequence[Path], enough: float = math.inf, seed: int = seed) -> list[Outcome]:
            return [case.play(path, seed, enough) for path in paths]

        levels = pilot([Path(root) for root in range(PILOT)], play).levels
        roots = range(PILOT, PILOT + RUNS * effort)
        runs = [split_run(levels, [Path(root) for root in roots[run::RUNS]], play) for run in range(RUNS)]
        found = estimate(runs, RUNS * effort)
        below, above = below + (truth < found.low), above + (truth > found.high)
        values.append(found.value / truth)
    held = share_with_interval(repetitions - below - above, repetitions)
    return {
        "truth": truth,
        "repetitions": repetitions,
        "held": held.value,
        "held_low": held.low,
        "held_high": held.high,
        "truth_below": below / repetitions,
        "truth_above": above / repetitions,
        "mean_beside_truth": float(np.mean(values)),
        "mean_error": float(np.std(values, ddof=1)) / math.sqrt(repetitions),
        "error_of_one": float(np.std(values, ddof=1)),
    }


def main() -> None:
    """Print the cases as JSON, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--case", choices=CASES, action="append", help="one of them (repeatable); all without")
    arguments = parser.parse_args()
    if arguments.repetitions < 2:
        parser.error(f"--repetitions(={arguments.repetitions}) must be >= 2")
    for name in arguments.case or CASES:
        print(json.dumps({"case": name, **covered(CASES[name], arguments.repetitions)}), flush=True)


if __name__ == "__main__":
    main()
