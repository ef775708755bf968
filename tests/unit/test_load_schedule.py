"""The schedule is drawn from plan and seed alone, and has the rate it was told."""

import uuid

import numpy as np
import pytest

from chaos.load.plan import FunctionLoad, LoadPlan, Profile
from chaos.load.schedule import draw, request_id, write_id


def plan(*profiles: Profile, arrivals: str = "poisson", seed: int = 1, duration_s: float = 100.0) -> LoadPlan:
    functions = tuple(
        FunctionLoad(f"f{number}", profile, cohorts={"beta": 0.2, "gamma": 0.1})
        for number, profile in enumerate(profiles)
    )
    return LoadPlan("http://127.0.0.1", functions, duration_s, seed=seed, arrivals=arrivals)  # type: ignore[arg-type]


def test_the_same_seed_draws_the_same_schedule_whatever_the_token() -> None:
    first, second = draw(plan(((0.0, 50.0),))), draw(plan(((0.0, 50.0),)))
    assert np.array_equal(first.intended_s, second.intended_s)
    assert np.array_equal(first.cohort, second.cohort)
    assert not np.array_equal(first.intended_s, draw(plan(((0.0, 50.0),), seed=2)).intended_s[: len(first)])


def test_another_function_leaves_the_arrivals_of_the_first_alone() -> None:
    alone = draw(plan(((0.0, 50.0),)))
    both = draw(plan(((0.0, 50.0),), ((0.0, 20.0),)))
    assert np.array_equal(both.intended_s[both.function == 0], alone.intended_s)


def test_times_rise_and_indices_count_within_each_function() -> None:
    schedule = draw(plan(((0.0, 50.0),), ((0.0, 20.0),)))
    assert np.all(np.diff(schedule.intended_s) >= 0)
    assert schedule.intended_s.min() >= 0
    assert schedule.intended_s.max() <= 100
    for function in (0, 1):
        index = schedule.index[schedule.function == function]
        assert np.array_equal(index, np.arange(len(index)))


def test_poisson_arrivals_have_the_rate_of_each_piece() -> None:
    schedule = draw(plan(((0.0, 100.0), (20.0, 0.0), (40.0, 400.0), (60.0, 50.0))))
    pieces = np.histogram(schedule.intended_s, bins=[0, 20, 40, 60, 100])[0]
    for count, expected in zip(pieces, (2000, 0, 8000, 2000), strict=True):
        assert abs(count - expected) <= 4 * np.sqrt(expected)


def test_poisson_gaps_are_exponential() -> None:
    gaps_s = np.diff(draw(plan(((0.0, 200.0),))).intended_s)
    # The coefficient of variation of an exponential is 1; its estimate's standard error ~ 1/sqrt(n).
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(1.0, abs=4 / np.sqrt(len(gaps_s)))


def test_uniform_arrivals_are_evenly_spaced_and_counted_exactly() -> None:
    schedule = draw(plan(((0.0, 10.0), (50.0, 0.0), (90.0, 2.0)), arrivals="uniform"))
    assert len(schedule) == 500 + 20
    assert np.allclose(np.diff(schedule.intended_s[:500]), 0.1)
    assert schedule.intended_s[500] == pytest.approx(90.25)


@pytest.mark.parametrize("profile", [((0.0, 0.0),), ((0.0, 0.0), (200.0, 50.0))])
def test_no_rate_no_requests(profile: Profile) -> None:
    for arrivals in ("poisson", "uniform"):
        assert len(draw(plan(profile, arrivals=arrivals))) == 0


def test_cohorts_have_their_shares_and_the_rest_is_default() -> None:
    cohort = draw(plan(((0.0, 100.0),))).cohort
    for name, share in (("default", 0.7), ("beta", 0.2), ("gamma", 0.1)):
        spread = np.sqrt(share * (1 - share) / len(cohort))
        assert (cohort == name).mean() == pytest.approx(share, abs=4 * spread)


def test_ids_are_of_the_run_and_differ_by_function_and_index() -> None:
    ids = {request_id(token, name, index) for token in ("a", "b") for name in ("x", "y") for index in (0, 1)}
    assert len(ids) == 8
    assert str(uuid.UUID(write_id(min(ids)))) == write_id(min(ids))
