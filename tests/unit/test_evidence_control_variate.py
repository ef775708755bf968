"""The corrected mean: unbiased with few pairs, honest intervals, and refusals."""

import math

import numpy as np
import pytest

from evidence.control_variate import REGRESSION_MIN, corrected_mean
from evidence.errors import JudgeError


def drawn(rng: np.random.Generator, n: int, pairs: int, bias: float) -> tuple[np.ndarray, dict[int, float], list[int]]:
    """Cheap answers, costly ones of the first pairs of each stratum, strata; a fifth is bad, as in a real release."""
    bad = rng.random(n) < 0.2
    bad[:2], bad[2:4] = True, False
    size = np.where(bad, rng.lognormal(0.0, 0.3, n), 0.05)
    costly = size * rng.normal(1.0, 0.1, n)
    cheap = size * (1.0 + bias) + rng.normal(0.0, 0.02, n)
    chosen = [*np.flatnonzero(bad)[: (pairs + 1) // 2], *np.flatnonzero(~bad)[: pairs // 2]]
    return cheap, {int(each): float(costly[each]) for each in chosen}, bad.astype(int).tolist()


TRUTH = 0.2 * math.exp(0.5 * 0.3**2) + 0.8 * 0.05


@pytest.mark.parametrize("pairs", [6, 20])
def test_intervals_cover_the_costly_mean_whatever_the_cheap_ones_bias(pairs: int) -> None:
    rng = np.random.default_rng(7)
    values, covered = [], 0
    for _ in range(600):
        estimate, b = corrected_mean(*drawn(rng, 300, pairs, bias=0.3))
        assert (b == 1.0) == (pairs < REGRESSION_MIN)
        values.append(estimate.value)
        covered += estimate.low <= TRUTH <= estimate.high
    chance = 3 * float(np.std(values)) / math.sqrt(len(values))
    assert np.mean(values) == pytest.approx(TRUTH, abs=chance + 0.004)  # two of each kind are forced
    assert covered / 600 > 0.93


@pytest.mark.parametrize("pairs", [6, 20])
def test_known_shares_of_the_strata_are_no_chance(pairs: int) -> None:
    rng = np.random.default_rng(11)
    shares = {0: 0.8, 1: 0.2}
    covered, values = 0, []
    for _ in range(600):
        sample = drawn(rng, 100, pairs, bias=0.3)
        estimate, _ = corrected_mean(*sample, shares=shares)
        unknown, _ = corrected_mean(*sample)
        values.append((estimate.value, unknown.value))
        covered += estimate.low <= TRUTH <= estimate.high
    known, by_sample = np.std(values, axis=0)
    assert covered / 600 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 600)
    assert np.mean(values, axis=0)[0] == pytest.approx(TRUTH, abs=3 * known / math.sqrt(600))
    assert known < 0.8 * by_sample


def test_answers_of_which_the_cheap_ones_tell_nothing_have_the_interval_of_a_plain_mean() -> None:
    estimate, b = corrected_mean(np.zeros(3), {0: 1.0, 1: 2.0, 2: 3.0}, [0, 0, 0])
    assert (estimate.value, b) == (2.0, 1.0)
    assert estimate.high - estimate.low == pytest.approx(2 * 4.3027 / math.sqrt(3), rel=1e-3)


def test_pairs_narrow_the_interval_as_the_cheap_answer_tells_more() -> None:
    corrected, alone = [], []
    for seed in range(10):
        cheap, costly, strata = drawn(np.random.default_rng(seed), 5000, 20, bias=0.0)
        for widths, known in ((corrected, cheap), (alone, np.zeros(5000))):
            estimate, _ = corrected_mean(known, costly, strata)
            widths.append(estimate.high - estimate.low)
    assert np.mean(corrected) < 0.6 * np.mean(alone)


def test_one_pair_of_a_kind_bounds_nothing_and_none_is_refused() -> None:
    cheap, strata = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), [0, 0, 0, 1, 1, 1]
    estimate, _ = corrected_mean(cheap, {0: 1.1, 3: 4.1}, strata)
    assert estimate.value == pytest.approx(3.6)
    assert (estimate.low, estimate.high) == (-math.inf, math.inf)
    with pytest.raises(JudgeError, match="stratum 1 of 6 replications must have at least 1 pair"):
        corrected_mean(cheap, {0: 1.1}, strata)


def test_a_stratum_played_whole_leaves_nothing_to_chance_but_the_replications() -> None:
    cheap = np.array([1.0, 2.0, 3.0])
    estimate, _ = corrected_mean(cheap, {0: 2.0, 1: 3.0, 2: 4.0}, [0, 0, 0])
    assert estimate.value == pytest.approx(3.0)
    assert estimate.high - estimate.low == pytest.approx(2 * 4.3027 / math.sqrt(3), rel=1e-3)
