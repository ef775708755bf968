"""Guardrails are exact at the limit and at the minimum."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rollout.judges.making import judge_of
from rollout.people import draw_s
from rollout.world import Observation
from scenarios.models import Change, Distribution, Guardrail
from tests.unit.rollout_tiny import EDGES_S, observation


def guardrail(**fields: Any) -> Guardrail:
    return Guardrail.model_validate({"metric": "error-ratio", "of": "web", "above": "5%", "minimum": 100, **fields})


CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})


def exceeded(one: Guardrail, seen: Observation, edges_s: NDArray[np.float64]) -> bool:
    """Whether a judge that has looked at nothing else finds it bad."""
    return judge_of(one, CHANGE, edges_s).judge([seen]).bad


@pytest.mark.parametrize(
    ("requests", "errors", "trips"),
    [(100, 5, False), (100, 6, True), (99, 99, False), (0, 0, False), (1000, 50, False), (1000, 51, True)],
)
def test_error_ratio_at_limit_and_minimum(requests: int, errors: int, trips: bool) -> None:
    assert exceeded(guardrail(), observation(requests, errors), EDGES_S) is trips


@pytest.mark.parametrize(
    ("metric", "slow", "trips"),
    [("p50", 50, False), ("p50", 51, True), ("p90", 10, False), ("p90", 11, True),
     ("p95", 5, False), ("p95", 6, True), ("p99", 1, False), ("p99", 2, True)],
)  # fmt: skip
def test_a_quantile_is_above_the_limit_when_more_than_the_rest_is_slower(metric: str, slow: int, trips: bool) -> None:
    assert exceeded(guardrail(metric=metric, above="400ms"), observation(100, slow=slow), EDGES_S) is trips


@pytest.mark.parametrize(("above", "trips"), [("100ms", True), ("200ms", False), ("400ms", False), ("800ms", False)])
def test_an_answer_in_the_limits_own_bin_is_within_it(above: str, trips: bool) -> None:
    assert exceeded(guardrail(metric="p50", above=above), observation(100), EDGES_S) is trips


def test_slower_than_the_histogram_reaches_still_trips() -> None:
    histogram = np.array([0, 0, 0, 0, 100], dtype=np.int64)
    assert exceeded(guardrail(metric="p99", above="800ms"), Observation(100, 0, histogram), EDGES_S) is True


def test_latency_without_any_answer_never_trips() -> None:
    assert exceeded(guardrail(metric="p99", above="800ms"), observation(100, errors=100), EDGES_S) is False


@pytest.mark.parametrize(
    ("text", "low", "high", "mean"),
    [
        ("3s", 3.0, 3.0, 3.0),
        ({"uniform": {"low": "1s", "high": "3s"}}, 1.0, 3.0, 2.0),
        ({"exponential": {"mean": "2s"}}, 0.0, 60.0, 2.0),
        ({"lognormal": {"mean": "2s", "cv": 0.5}}, 0.0, 60.0, 2.0),
    ],
)
def test_people_take_the_time_that_the_scenario_says(text: Any, low: float, high: float, mean: float) -> None:
    rng = np.random.default_rng(7)
    draws_s = np.array([draw_s(Distribution.model_validate(text), rng) for _ in range(4000)])
    assert draws_s.min() >= low
    assert draws_s.max() <= high
    # Standard errors of the means are at most 2 / sqrt(4000) = 0.032; four of them.
    assert draws_s.mean() == pytest.approx(mean, abs=0.13)
