"""What benchmarks/agreement.py says of two series of a measure."""

import math

import numpy as np
import pytest

from benchmarks.agreement import (
    CELL,
    CONFIDENCE,
    NO_BOUND,
    POINTS,
    RANGE,
    REFUTED,
    SHARE,
    STUDENT,
    UNRESOLVED,
    WITHIN,
    Floor,
    cell_of,
    judge,
    looks,
    mean_max,
)

NONE = Floor(0.0, "never")


def series(mean: float, deviation: float, seed: int = 1) -> np.ndarray:
    """400 numbers with exactly this mean and deviation."""
    drawn = np.random.default_rng(seed).normal(size=400)
    return mean + deviation * (drawn - drawn.mean()) / drawn.std(ddof=1)


def verdict(one: np.ndarray, other: np.ndarray, floor: Floor = NONE) -> str:
    return judge(list(one), list(other), floor, math.inf, 1).verdict


def test_agreement_is_shown_only_when_the_whole_interval_lies_within_the_tolerance() -> None:
    same = series(100.0, 10.0)
    assert verdict(same, same) == WITHIN
    assert verdict(same, same * 1.04) == WITHIN
    assert verdict(same, series(100.0, 100.0, seed=2)) == UNRESOLVED  # the means are equal, and nobody knows it


def test_it_is_refuted_only_when_none_of_the_interval_does() -> None:
    same = series(100.0, 10.0)
    assert verdict(same, same * 1.06) == REFUTED
    assert verdict(same, same * 0.94) == REFUTED
    assert verdict(same, series(106.0, 60.0, seed=2)) == UNRESOLVED


def test_means_less_than_a_cell_apart_agree_to_a_cell_and_not_to_5_percent() -> None:
    same = series(1.0, 0.1)
    assert verdict(same, same + 0.5, cell_of(1.0)) == CELL
    assert verdict(same, same + 0.5) == REFUTED
    assert verdict(same, same + 1.5, cell_of(1.0)) == REFUTED
    assert verdict(same, series(2.0, 9.0, seed=2), cell_of(1.0)) == UNRESOLVED


def test_shares_less_than_one_request_of_10_000_apart_agree_to_that_and_not_to_5_percent() -> None:
    rare = series(2e-4, 1e-4)
    assert verdict(rare, rare * 1.3, SHARE) == POINTS
    assert verdict(rare, rare * 1.3) == REFUTED
    assert verdict(rare, rare * 1.6, SHARE) == REFUTED
    assert verdict(rare, rare, SHARE) == WITHIN
    assert verdict(rare, series(2e-4, 2e-3, seed=2), SHARE) == UNRESOLVED


def test_what_happened_in_too_few_replications_is_unresolved() -> None:
    rare = np.where(np.arange(400) < 4, 1.0, 0.0)
    assert verdict(rare, rare) == UNRESOLVED
    assert verdict(rare, rare * 3.0, cell_of(1.0)) == UNRESOLVED
    found = judge(list(rare), list(rare * 3.0), NONE, math.inf, 1)
    assert (found.counted, found.ratio, found.low, found.bound) == (4, pytest.approx(3.0), None, NO_BOUND)
    assert judge([0.0] * 9, [1.0] * 9, NONE, math.inf, 1).ratio is None


def relative_entropy(one: float, other: float) -> float:
    return one * math.log(one / other) + (1.0 - one) * math.log((1.0 - one) / (1.0 - other))


def test_a_range_bounds_what_happened_in_too_few() -> None:
    never, rare = np.zeros(8000), np.where(np.arange(8000) < 4, 1.0, 0.0)
    found = judge(list(never), list(rare), cell_of(1.0), 1000.0, 1)
    assert (found.bound, found.low, found.verdict) == (RANGE, None, CELL)
    assert found.apart_max is not None
    assert 8000 * relative_entropy(4 / 8e6, found.apart_max / 1000.0) == pytest.approx(math.log(2 / 0.01))
    assert judge(list(rare), list(never), cell_of(1.0), 1000.0, 1).apart_max == found.apart_max
    assert judge(list(never), list(rare), cell_of(1.0), 2000.0, 1).verdict == UNRESOLVED
    assert judge(list(never[:4000]), list(rare[:4000]), cell_of(1.0), 1000.0, 1).verdict == UNRESOLVED


def test_the_bound_by_a_range_is_that_of_coins_and_never_above_the_range() -> None:
    none = np.zeros(100)
    assert mean_max(none, 5.0, 0.01) == pytest.approx(5.0 * (1.0 - 0.01 ** (1 / 100)))  # no coin of 100 fell so
    assert mean_max(none + 5.0, 5.0, 0.01) == 5.0
    assert 0.5 < mean_max(none + 0.5, 1.0, 0.01) < 0.5 + math.sqrt(math.log(100.0) / 200.0)  # Hoeffding's simpler one


def test_looking_often_takes_more() -> None:
    same, other = series(100.0, 10.0), series(100.0, 30.0, seed=2)
    once, often = (judge(list(same), list(other), NONE, math.inf, n) for n in (1, 10))
    assert once.low is not None
    assert often.low is not None
    assert often.low < once.low
    assert looks(80, 2000) == [80, 160, 320, 640, 1280, 2000]
    assert looks(80, 0) == [80]


def test_intervals_hold_the_ratio_of_the_means_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    times, held = 3000, 0
    for _ in range(times):
        hurt = generator.random(200) < 0.1  # nine releases of ten are good, and tell nothing
        common = np.where(hurt, generator.uniform(5.0, 15.0, 200), 0.0)
        noise = generator.normal(0.0, 1.0, 200)
        found = judge(list(common), list(np.where(hurt, 0.9 * common + noise, 0.0)), NONE, math.inf, 1)
        truth = 0.9
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert held / times == pytest.approx(CONFIDENCE, abs=4 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / times))


def test_differences_hold_also_where_one_fidelity_alone_is_hurt_by_chance() -> None:
    """Its releases are hurt for as long each, so that the hurt ones by themselves seem to be no chance at all."""
    generator = np.random.default_rng(4)
    told = held = 0
    for _ in range(3000):
        hurt = np.where(generator.random(800) < 0.015, 1.0, 0.0)
        found = judge([0.0] * 800, list(hurt), cell_of(1.0), 1e9, 1)
        if found.bound == STUDENT:
            told += 1
            held += found.apart_max is not None and found.apart_max >= 0.015
    assert told > 1500
    assert held / told > 0.98
