"""The benchmark that holds splitting against brute force says what its figures are."""

import pytest

from benchmarks.rare_repeated import CASES, Block, Repeat, case, row
from evidence.statistics import Estimate


def test_its_scenarios_are_scenarios() -> None:
    assert {name: case(name)[0].functions["find"].rate_per_s for name in CASES} == {"bursts": 11.0, "rollback": 9.0}


def test_a_row_counts_intervals_and_holds_times_against_those_of_brute_force() -> None:
    plain = [Block(5000, 4, 10.0), Block(5000, 6, 10.0)]  # 0.001, and 2 ms a replication
    exact = Repeat(Estimate(1e-3, 1e-3 / 1.2, 1e-3 * 1.2, 1600), 5.0)
    above, below = (Repeat(Estimate(p, p / 1.05, p * 1.05, 1600), 5.0) for p in (1.1e-3, 0.9e-3))
    cells = [cell.strip() for cell in row("mine", plain, [exact, above, below]).strip("|").split("|")]
    assert cells[:4] == ["mine", "0.1 % [0.048, 0.184]", "10,000", "1 of 3"]
    assert cells[4] == "1.00 ± 0.32"  # the error of ten collapses makes the most of it
    assert cells[5] == "5.0 s"
    # The variance of the three is a hundredth of their square, which 99,900 replications of 2 ms have: 199.8 s.
    assert cells[6] == "40.0 times"
    # log(1.2) / 1.96 is the error of 115,000 replications, log(1.05) / 1.96 that of 1.6 million.
    assert cells[7] == "644.8, 46.2 times"


@pytest.mark.parametrize(("collapses", "repeats"), [(0, 2), (3, 1)])
def test_too_little_is_refused(collapses: int, repeats: int) -> None:
    one = Repeat(Estimate(1e-3, 5e-4, 2e-3, 1600), 5.0)
    with pytest.raises(ValueError, match="mine: collapses"):
        row("mine", [Block(5000, collapses, 10.0)], [one] * repeats)
