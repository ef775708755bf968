"""The benchmarks that hold splitting against brute force, and against what is known, say what their figures are."""

import math

import pytest

from benchmarks import rare_known
from benchmarks.rare_known import Case
from benchmarks.rare_repeated import CASES, Block, Repeat, case, row
from evidence.statistics import Estimate
from simulator.rare.paths import Path, Split
from simulator.verification import rare_overflow


def test_its_scenarios_are_scenarios() -> None:
    assert {name: case(name)[0].functions["find"].rate_per_s for name in CASES} == {
        "bursts": 11.0,
        "rollback": 9.0,
        "slow-link": 10.0,
    }


def test_a_row_counts_intervals_and_holds_times_against_those_of_brute_force() -> None:
    plain = [Block(5000, 4, 10.0), Block(5000, 6, 10.0)]  # 0.001, and 2 ms a replication
    exact = Repeat(Estimate(1e-3, 1e-3 / 1.2, 1e-3 * 1.2, 1600), 5.0)
    above, below = (Repeat(Estimate(p, p / 1.05, p * 1.05, 1600), 5.0) for p in (1.1e-3, 0.9e-3))
    cells = [cell.strip() for cell in row("mine", plain, [exact, above, below]).strip("|").split("|")]
    assert cells[:4] == ["mine", "0.1 % [0.048, 0.184]", "10,000", "1 of 3"]
    assert cells[4] == "0, 0"  # of brute force's interval none holds an end
    assert cells[5] == "1.00 ± 0.32"  # the error of ten collapses makes the most of it
    assert cells[6] == "5.0 s"
    # The variance of the three is a hundredth of their square, which 99,900 replications of 2 ms have: 199.8 s.
    assert cells[7] == "40.0 times"
    # log(1.2) / 1.96 is the error of 115,000 replications, log(1.05) / 1.96 that of 1.6 million.
    assert cells[8] == "644.8, 46.2 times"


@pytest.mark.parametrize(("collapses", "repeats"), [(0, 2), (3, 1)])
def test_too_little_is_refused(collapses: int, repeats: int) -> None:
    one = Repeat(Estimate(1e-3, 5e-4, 2e-3, 1600), 5.0)
    with pytest.raises(ValueError, match="mine: collapses"):
        row("mine", [Block(5000, collapses, 10.0)], [one] * repeats)


def test_the_loop_of_a_known_case_refuses_as_often_as_its_truth_says_also_where_it_is_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rare_known, "_played", rare_known._played.py_func)
    assert rare_known.CASES["M/M/1/14"].truth() == pytest.approx(rare_overflow.overflow_probability())
    case = Case(4, (0.7, 1.1))
    for splits in (), (Split(20, 0, 1), Split(60, 1, 0)):
        found = [case.play(Path(root, splits), 1) for root in range(1000)]
        share = sum(each.hit for each in found) / len(found)
        assert abs(share - case.truth()) < 4 * math.sqrt(0.25 / len(found))
    # As in `trajectories`: one that has enough is no hit, and ends there.
    hit = next(each for each in (case.play(Path(root), 1) for root in range(1000)) if each.hit)
    root = next(root for root in range(1000) if case.play(Path(root), 1) == hit)
    short = case.play(Path(root), 1, enough=3)
    assert short.records == hit.records[: len(short.records)]
    assert (short.peak, short.hit) == (3.0, False)


def test_a_known_case_counts_its_intervals_on_either_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare_known, "_played", rare_known._played.py_func)
    said = iter([Estimate(0.1, 0.05, 0.2, 1), Estimate(0.4, 0.35, 0.5, 1), Estimate(0.02, 0.0, 0.05, 1)])
    monkeypatch.setattr(rare_known, "estimate", lambda runs, roots: next(said))
    monkeypatch.setattr(Case, "truth", lambda case: 0.1)
    found = rare_known.covered(Case(4), 3, effort=2)
    assert (found["held"], found["truth_below"], found["truth_above"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found["mean_beside_truth"] == pytest.approx((1 + 4 + 0.2) / 3)
