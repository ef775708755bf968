"""Where intervals cover less than they say, as docs/verification.md tells: few failed changes, few that differ."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.statistics import Estimate, mean_with_interval, paired_share_difference

REPETITIONS = 1500


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


@pytest.mark.parametrize(
    ("changes", "spread", "covered"), [(3, 0.3, 0.95), (3, 0.8, 0.92), (20, 0.8, 0.95), (5, 1.2, 0.87), (50, 1.2, 0.95)]
)
def test_a_time_to_restore_of_few_failed_changes(changes: int, spread: float, covered: float) -> None:
    rng = np.random.default_rng(31)
    times = rng.lognormal(-(spread**2) / 2, spread, (REPETITIONS, changes))  # of the mean 1
    found = np.mean([covers(mean_with_interval(each), 1.0) for each in times])
    assert found == pytest.approx(covered, abs=0.025)  # three standard errors are up to 2.6 points


@pytest.mark.parametrize(("releases", "covered"), [(100, 0.88), (200, 0.91), (400, 0.94)])
def test_two_strategies_that_seldom_differ(releases: int, covered: float) -> None:
    """One misses where the other does, and in 2 of 100 releases besides."""
    rng = np.random.default_rng(32)
    found = []
    for _ in range(REPETITIONS):
        drawn = rng.random(releases)
        found.append(covers(paired_share_difference(drawn < 0.5, drawn < 0.52), -0.02))
    assert np.mean(found) == pytest.approx(covered, abs=0.025)


def test_without_a_difference_hardly_any_is_told() -> None:
    rng = np.random.default_rng(33)
    told = 0
    for _ in range(REPETITIONS):
        drawn = rng.random(200)
        ours, theirs = drawn < 0.52, (drawn < 0.5) | (drawn > 0.98)
        estimate = paired_share_difference(ours, theirs)
        told += not covers(estimate, 0.0)
    assert told <= 0.05 * REPETITIONS


def test_what_no_release_met_is_in_no_interval_of_a_mean() -> None:
    """One in 500 takes 250 ms longer: of 200 releases two thirds show none, and the mean is 0.5 ms off."""
    rng = np.random.default_rng(34)
    differences = 10.0 + 0.25 * (rng.random((REPETITIONS, 200)) < 0.002)
    estimates = [mean_with_interval(each) for each in differences]
    without_width = np.mean([each.low == each.high for each in estimates])
    assert without_width == pytest.approx(0.998**200, abs=0.04)
    assert all(abs(each.value - 10.0005) < 0.25 * 8 / 200 for each in estimates)
