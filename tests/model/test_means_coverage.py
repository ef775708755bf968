"""Do means and their differences cover where few releases are bad? Their laws are known (benchmarks.coverage).

The bounds are 95 % less 2.9 standard errors of the number of repetitions, the house's rule for coverage.
"""

from __future__ import annotations

import math

import pytest

from benchmarks.coverage import Case, covered

REPETITIONS = 300
LOWEST = 0.95 - 2.9 * math.sqrt(0.95 * 0.05 / REPETITIONS)


@pytest.mark.parametrize(
    "case",
    [Case(0.05, 200, 3, 0.5), Case(0.05, 200, 3, 0.5, mixed=True), Case(0.05, 200, 3, 0.5, two=True)],
    ids=["one defect", "some spared", "two defects"],
)
def test_statements_about_means_hold_together_where_plain_ones_do_not(case: Case) -> None:
    found = covered(case, REPETITIONS, seed=2)
    assert min(found["joint"], found["single"], found["mean"]) >= LOWEST
    assert found["plain"] < found["joint"]
    assert found["width_ratio"] < 1.0


def test_the_more_is_known_of_bad_releases_the_narrower_than_plain_intervals() -> None:
    found = covered(Case(0.2, 400, 3, 0.5), REPETITIONS, seed=2)
    assert found["joint"] >= LOWEST
    assert found["width_ratio"] < 0.75


def test_one_bad_release_in_fifty_says_nothing_and_nothing_is_claimed() -> None:
    found = covered(Case(0.02, 50, 3, 0.5), REPETITIONS, seed=2)
    assert found["joint"] >= LOWEST
    assert found["plain"] < 0.7
    assert found["width_ratio"] == math.inf
