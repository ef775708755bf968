"""Kinds of releases by their defects: which there are, how likely each is, and when there is nothing to tell apart."""

from __future__ import annotations

import pytest

from evidence.strata import chances_of, strata_of
from scenarios.loading import load

NONE: tuple[str, ...] = ()


def test_kinds_are_no_defect_and_the_likeliest_defect_of_the_others() -> None:
    drawn = [("slow",), ("crash", "slow"), NONE, ("crash",)] * 50
    found = strata_of(drawn, {"crash": 0.1, "slow": 0.2})
    assert found is not None
    assert found.of[:4].tolist() == [1, 1, 0, 2]
    assert found.shares == (pytest.approx(0.72), pytest.approx(0.2), pytest.approx(0.08))


def test_a_kind_of_too_few_joins_the_next_likelier_and_bad_releases_stay_apart() -> None:
    drawn = [("rare",), ("often",), NONE, ("rarest",)]
    found = strata_of(drawn * 50, {"rarest": 0.01, "often": 0.2, "rare": 0.06})
    assert found is not None
    assert found.of[:4].tolist() == [2, 1, 0, 2]
    assert found.shares == (
        pytest.approx(0.8 * 0.94 * 0.99),
        pytest.approx(0.2),
        pytest.approx(0.8 * (1 - 0.94 * 0.99)),
    )
    few = strata_of(drawn * 5, {"rarest": 0.01, "often": 0.2, "rare": 0.06})
    assert few is not None
    assert few.of[:4].tolist() == [1, 1, 0, 1]
    assert sum(few.shares) == pytest.approx(1.0)


@pytest.mark.parametrize("chances", [{}, {"crash": 0.96}])
def test_without_what_is_drawn_or_enough_good_releases_all_are_one_kind(chances: dict[str, float]) -> None:
    assert strata_of([("crash",)] * 200, chances) is None


def test_what_is_in_every_release_or_in_none_or_given_is_not_drawn() -> None:
    scenario, _ = load("bad-data")
    assert chances_of(scenario, None) == {}
    scenario, _ = load("shop-release")
    assert set(chances_of(scenario, None).values()) == {0.15, 0.10}
    assert chances_of(scenario, ("coupon-crash",)) == {}
