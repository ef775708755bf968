"""Do the intervals cover? Each repetition plays the data plane anew, on a case whose true value is known.

Latencies are read from the write log (so one by one, not from a histogram): 400 lognormal service times of a station
at which nobody waits. Attainment is the share of 400 seconds in which no request failed: exp(-rate x) each, by itself.
Pairs share their random draws, as compared strategies do. Splitting estimates the chance to pass five levels, each
passed by one in five whatever came before: the shares that pass them are independent then, and binomial.

A nominal interval is held to 95 % +- 2 points at 1,000 repetitions, which is 2.9 standard errors of a share of 1,000,
and to the same 2.9 standard errors at any other number. Clopper and Pearson's interval, and the one between order
statistics, cover *at least* 95 % by construction, since counts come in steps; Newcombe's covers more when one of a
pair fails wherever the other does. How much exactly, for the case at hand, follows from the binomial (trinomial)
distribution, and for the first two from what they promise instead of from the program that is checked. They are held
to that figure +- 2 points, and never to less than 93 %: an interval that is too narrow must not be its own yardstick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evidence import statistics
from evidence.statistics import Estimate
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ERROR
from simulator.network import CLIENT, Call, Distribution, Function, Network, Node, Station
from simulator.rare import splitting
from simulator.verification.agreement import Agreement
from simulator.verification.playing import NO_TIME, PLENTY, lognormal, ready
from simulator.verification.settings import Settings

__all__ = ["Case", "cases", "intervals"]

NOMINAL = 0.95
TOLERANCE = 0.02
"""Of a share of 1,000 repetitions."""

CELLS = 400
LATENCIES = 400
MEAN_S, CV = 0.05, 0.5
SLOWER, JITTER_S = 1.2, 0.02
"""What the second of a pair does to the latencies of the first."""
QUANTILES = (0.5, 0.95)
_RATE_PER_S = 2.0
_FAILING = (0.05, 0.08)
_BURST_PER_S, _BURST_S, _DRAINED_S = 600.0, 1.0, 20.0

_LEVELS, _PASSING = 5, 0.2
_RUNS, _EFFORT = 16, 100
_SPLITTING_KEY = 9000
"""Above the streams of the data plane, which have the same seed."""

_Values = NDArray[np.float64]


def _writing(rates: tuple[tuple[float, float], ...], service: Distribution, seconds: int) -> Network:
    stations = (Station("front", PLENTY, NO_TIME), Station("store", PLENTY, service))
    calls = (Call(CLIENT, 0), Call(0, 1, writes=True))
    return Network(stations, calls, (Function("f", rates, Node(0, (Node(1),))),), 1.0, seconds, np.array([1.0]))


_LATENCIES = _writing(((0.0, _BURST_PER_S), (_BURST_S, 0.0)), lognormal(MEAN_S, CV), int(_DRAINED_S))
_CELLS = _writing(((0.0, _RATE_PER_S),), NO_TIME, CELLS)


def _latencies(plane: DataPlane) -> _Values:
    plane.run(_DRAINED_S)
    writes = plane.recording().writes
    first = np.argsort(writes["request"])[:LATENCIES]
    assert len(first) == LATENCIES, f"{len(first)} requests are too few"
    spent_s: _Values = (writes["acknowledged_s"] - writes["invoked_s"])[first]
    return spent_s


def _attained(seed: int, repetition: int, failing: float, fault: bool = False) -> NDArray[np.bool_]:
    """Seconds without a failed request; they fail by a defect or, from draws of its own, by an injected fault."""
    plane = ready(_CELLS, seed, repetition)
    if fault:
        plane.set_error_share(1, failing)
    else:
        plane.set_defects(1, 0, [Defect(error_ratio=failing)])
    plane.run(float(CELLS))
    good: NDArray[np.bool_] = plane.recording().client[:, 0, 0, ERROR] == 0
    return good


def _attainment(failing: float) -> float:
    return math.exp(-_RATE_PER_S * failing)


def _of_latencies(seed: int, repetition: int) -> list[Estimate]:
    first = _latencies(ready(_LATENCIES, seed, repetition))
    slower = ready(_LATENCIES, seed, repetition)
    slower.set_defects(1, 0, [Defect(latency_factor=SLOWER)])
    slower.set_latency(1, 0.0, JITTER_S)
    return [
        *(statistics.quantile_with_interval(first, quantile) for quantile in QUANTILES),
        statistics.mean_with_interval(first),
        statistics.paired_mean_difference(_latencies(slower), first),
    ]


def _of_attainment(seed: int, repetition: int) -> list[Estimate]:
    ours, theirs = (_attained(seed, repetition, failing) for failing in _FAILING)
    apart = _attained(seed, repetition, _FAILING[1], fault=True)
    return [
        statistics.share_with_interval(int(ours.sum()), CELLS),
        statistics.paired_share_difference(ours, theirs),
        statistics.paired_share_difference(ours, apart),
    ]


def _of_splitting(seed: int, repetition: int) -> list[Estimate]:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SPLITTING_KEY, repetition)))
    passed = rng.binomial(_EFFORT, _PASSING, (_RUNS, _LEVELS))
    runs = [splitting.Run(float(each.prod()), _LEVELS * _EFFORT, int(each[-1])) for each in passed / _EFFORT]
    return [splitting.estimate(runs, _RUNS * _EFFORT)]


def _chance(counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    """Of these counts of each kind, in the multinomial distribution."""
    logs = (count * math.log(share) - math.lgamma(count + 1) for count, share in zip(counts, shares, strict=True))
    return math.exp(math.lgamma(sum(counts) + 1) + sum(logs))


def _exact_coverage(p: float, n: int) -> float:
    """How often Clopper and Pearson's interval of n covers p, and that of n order statistics the quantile p.

    Both hold it unless the count (of hits, of values below it) is so small, or so large, that no more than 2.5 % are.
    """
    tail, counts = (1.0 - NOMINAL) / 2.0, np.arange(n + 1)
    at_most, at_least = special.bdtr(counts, n, p), np.append(1.0, special.bdtrc(counts[:-1], n, p))
    covering = counts[(at_most > tail) & (at_least > tail)]
    return sum(_chance((int(count), n - int(count)), (p, 1.0 - p)) for count in covering)


def _nested_coverage(p: float, q: float) -> float:
    """How often Newcombe's interval covers p - q when the second holds only where the first does; to 1e-6."""
    covered = 0.0
    for first in range(CELLS + 1):
        if _chance((first, CELLS - first), (p, 1 - p)) < _NEGLIGIBLE:
            continue
        for both in range(first + 1):
            chance = _chance((both, first - both, CELLS - first), (q, p - q, 1 - p))
            if chance < _NEGLIGIBLE:
                continue
            place = np.arange(CELLS)
            estimate = statistics.paired_share_difference(place < first, place < both)
            covered += chance * (estimate.low <= p - q <= estimate.high)
    return covered


def _quantile_s(quantile: float) -> float:
    law = lognormal(MEAN_S, CV)
    return math.exp(law.p0 + law.p1 * float(special.ndtri(quantile)))


_NEGLIGIBLE = 1e-10
_NESTED = "covers more than 95 % when one fails wherever the other does; held to its exact coverage"
_STEPS = "covers more than 95 % by construction (counts come in steps); held to its exact coverage"
_SKEWED = f"t interval over {LATENCIES} skewed values"


@dataclass(frozen=True, slots=True)
class Case:
    """An interval, the `truth` that it should hold, and the share of repetitions in which it should (`theory`)."""

    name: str
    truth: float
    theory: float
    note: str


def cases() -> list[Case]:
    """In the order of what a repetition estimates."""
    attained, less = (_attainment(failing) for failing in _FAILING)
    of_quantiles = [
        Case(f"quantile {q}, order statistics", _quantile_s(q), _exact_coverage(q, LATENCIES), _STEPS)
        for q in QUANTILES
    ]
    return [
        *of_quantiles,
        Case("mean", MEAN_S, NOMINAL, _SKEWED),
        Case("paired difference of means", (SLOWER - 1) * MEAN_S + 0.5 * JITTER_S, NOMINAL, _SKEWED),
        Case("attainment, Clopper-Pearson", attained, _exact_coverage(attained, CELLS), _STEPS),
        Case("paired shares, nested", attained - less, _nested_coverage(attained, less), _NESTED),
        Case("paired shares, by other causes", attained - less, NOMINAL, "Newcombe's score interval, approximate"),
        Case("rare event, by splitting", _PASSING**_LEVELS, NOMINAL, f"interval of {_RUNS} runs, skewed; approximate"),
    ]


def _played(settings: Settings, estimate: Callable[[int, int], list[Estimate]]) -> list[list[Estimate]]:
    return [estimate(settings.seed, repetition) for repetition in range(settings.repetitions)]


def intervals(settings: Settings) -> list[Agreement]:
    """How often each interval holds the true value."""
    kinds = (_of_latencies, _of_attainment, _of_splitting)
    together = zip(*(_played(settings, each) for each in kinds), strict=True)
    rows = [[estimate for estimates in each for estimate in estimates] for each in together]
    half = TOLERANCE * math.sqrt(1000 / settings.repetitions)
    basis = f"{half:.1%} is 2.9 standard errors of a share of {settings.repetitions:,}"
    found = []
    for place, case in enumerate(cases()):
        covered = sum(row[place].low <= case.truth <= row[place].high for row in rows) / settings.repetitions
        low, high = max(0.0, max(NOMINAL, case.theory) - half), min(1.0, case.theory + half)
        found.append(Agreement(case.name, case.theory, covered, low, high, basis, note=case.note))
    return found
