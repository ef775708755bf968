"""How often intervals of means and of their differences cover, where a few bad releases make the most of them.

Each repetition draws releases anew: most are good and lose next to nothing; a bad one loses a lognormal amount, partly
common to all strategies and partly each one's own, of which they let through more or less. `mixed`: some strategies let
no harm through at all in some bad releases. `two`: a second defect, half as likely and a fifth as bad. The true means
are known from the laws. `joint` is the share of repetitions in which the intervals of all pairs cover together, as a
comparison states them; `single` that of each pair's own 95 %; `mean` that of one strategy's mean. `plain` is the joint
share by Student's t with n - 1 degrees of freedom.

    python -m benchmarks.coverage [--repetitions 300]
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evidence.statistics import Estimate, mean_with_interval, paired_mean_difference
from evidence.strata import strata_of

LET_THROUGH = np.array([1.0, 0.5, 0.12, 0.1, 0.05])
"""Of the harm of a bad release, by strategy."""
OWN_S, COMMON_S = 0.71, 0.7
GOOD, BAD = 4e-4, 0.2
HURT = np.array([0.9, 0.7, 0.5, 0.5, 0.3])
"""Of bad releases those that harm anybody, by strategy, where releases are mixed."""


@dataclass(frozen=True)
class Case:
    """What is compared: so many strategies over so many releases; `sigma` is that of the logarithm of the harm."""

    bad: float
    releases: int
    strategies: int
    sigma: float
    mixed: bool = False
    two: bool = False

    @property
    def chances(self) -> dict[str, float]:
        """Of the defects."""
        return {"first": self.bad, "second": self.bad / 2} if self.two else {"first": self.bad}

    def truth(self) -> NDArray[np.float64]:
        """The mean of each strategy."""
        spread = self.sigma**2 * (OWN_S**2 + COMMON_S**2)
        harm = self.bad * 1.0 + (self.bad / 2 * 0.2 if self.two else 0.0)
        hurt = HURT[: self.strategies] if self.mixed else 1.0
        means: NDArray[np.float64] = GOOD + harm * BAD * math.exp(spread / 2) * hurt * LET_THROUGH[: self.strategies]
        return means

    def drawn(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[tuple[str, ...]]]:
        """Losses [releases, strategies], and the defects of each release."""
        shape = self.releases, self.strategies
        losses = rng.gamma(2.0, GOOD / 2.0, (self.releases, 1)) * np.ones(shape)
        has = {name: rng.random(self.releases) < chance for name, chance in self.chances.items()}
        for name, bad in has.items():
            noise = COMMON_S * rng.normal(size=(self.releases, 1)) + OWN_S * rng.normal(size=shape)
            hurts = rng.random((self.releases, 1)) < HURT[: self.strategies] if self.mixed else np.ones(shape, bool)
            harm = BAD * (1.0 if name == "first" else 0.2) * np.exp(self.sigma * noise)
            losses += bad[:, None] * hurts * harm * LET_THROUGH[: self.strategies]
        return losses, [tuple(name for name, bad in has.items() if bad[place]) for place in range(self.releases)]


def cases() -> Iterator[Case]:
    """Those that are printed."""
    for sigma, bad, releases in product((0.5, 0.8), (0.02, 0.05, 0.2), (50, 200, 400)):
        yield Case(bad, releases, 3, sigma)
    for strategies in (2, 5):
        yield Case(0.05, 200, strategies, 0.5)
    for bad in (0.02, 0.05, 0.2):
        yield Case(bad, 200, 3, 0.5, mixed=True)
        yield Case(bad, 400, 3, 0.5, two=True)


def covered(case: Case, repetitions: int, seed: int = 1) -> dict[str, float]:
    """Shares of repetitions by kind of interval, and the median width of a pair's beside that of the plain one."""
    rng, truth = np.random.default_rng(seed), case.truth()
    pairs = list(combinations(range(case.strategies), 2))
    together = 1.0 - 0.05 / len(pairs)
    found: dict[str, list[float]] = {"joint": [], "single": [], "mean": [], "plain": [], "narrower": []}
    for _ in range(repetitions):
        losses, defects = case.drawn(rng)
        strata = strata_of(defects, case.chances)
        joint, single, plain = [], [], []
        for a, b in pairs:
            true = truth[a] - truth[b]
            ours, theirs = losses[:, a], losses[:, b]
            joint.append(_holds(paired_mean_difference(ours, theirs, together, strata), true))
            alone, other = paired_mean_difference(ours, theirs, strata=strata), _plain(ours - theirs, 0.95)
            single.append(_holds(alone, true))
            if other.high > other.low:  # without any bad release there is no width
                found["narrower"].append((alone.high - alone.low) / (other.high - other.low))
            plain.append(_holds(_plain(ours - theirs, together), true))
        found["joint"].append(all(joint))
        found["plain"].append(all(plain))
        found["single"] += single
        found["mean"].append(_holds(mean_with_interval(losses[:, 0], strata=strata), truth[0]))
    widths = found.pop("narrower")
    return {name: float(np.mean(each)) for name, each in found.items()} | {"width_ratio": float(np.median(widths))}


def _holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def _plain(values: NDArray[np.float64], confidence: float) -> Estimate:
    n, mean = len(values), float(values.mean())
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def main() -> None:
    """Print the cases as JSON, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=300)
    repetitions = parser.parse_args().repetitions
    for case in cases():
        print(json.dumps({**vars(case), "repetitions": repetitions, **covered(case, repetitions)}), flush=True)


if __name__ == "__main__":
    main()
