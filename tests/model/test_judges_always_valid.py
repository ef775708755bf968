"""However often a sequential judge looks, at most alpha of the good releases trip it; and it catches bad ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rollout.judges.making import judge_of
from rollout.world import Observation
from scenarios.models import Change, Guardrail

CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})
EDGES_S = np.array([0.1])
RELEASES, LOOKS = 600, 300


def outcomes(rng: np.random.Generator, share: float, per_look: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Requests and errors so far at each look of one release: Poisson arrivals, each of which fails by itself."""
    requests = rng.poisson(per_look, LOOKS + 1)
    return np.cumsum(requests), np.cumsum(rng.binomial(requests, share))


def tripped(sequential: dict[str, str], new: float, old: float, releases: int = RELEASES) -> int:
    """Releases that trip the judge at any of the looks: 3 requests to the new version a look, 12 to the old one."""
    guardrail = Guardrail.model_validate({"metric": "error-ratio", "of": "web", "minimum": 1, "sequential": sequential})
    rng, count, nothing = np.random.default_rng(7), 0, np.zeros(2, dtype=np.int64)
    for _ in range(releases):
        judge = judge_of(guardrail, CHANGE, EDGES_S)
        series = [outcomes(rng, new, 3.0), outcomes(rng, old, 12.0)][: len(judge.queries)]
        for look in range(LOOKS + 1):
            seen = [Observation(int(requests[look]), int(errors[look]), nothing) for requests, errors in series]
            if judge.judge(seen).bad:
                count += 1
                break
    return count


def at_most(alpha: float, releases: int = RELEASES) -> float:
    """What a share of alpha exceeds once in 10,000 times."""
    return float(stats.binom.ppf(0.9999, releases, alpha))


@pytest.mark.parametrize("share", [0.005, 0.05, 0.4])
def test_good_releases_trip_no_more_often_than_alpha_against_the_old_version(share: float) -> None:
    assert tripped({"alpha": "10%", "against": "old"}, share, share) <= at_most(0.10)


@pytest.mark.parametrize("limit", ["1%", "20%"])
def test_releases_at_the_limit_trip_no_more_often_than_alpha(limit: str) -> None:
    assert tripped({"alpha": "10%", "above": limit}, float(limit[:-1]) / 100, 0.0) <= at_most(0.10)


def test_a_test_made_for_one_look_does_not_hold_when_it_is_looked_at_again_and_again() -> None:
    """The contrast: a one-sided z test at the same alpha, on the same good releases, at the same looks."""
    rng, alarms, z = np.random.default_rng(7), 0, float(stats.norm.ppf(0.90))
    for _ in range(RELEASES):
        (n, x), (m, y) = outcomes(rng, 0.05, 3.0), outcomes(rng, 0.05, 12.0)
        pooled = (x + y) / np.maximum(n + m, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            score = (x / n - y / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        alarms += bool((score[n >= 30] > z).any())
    assert alarms > 3 * at_most(0.10)


@pytest.mark.parametrize("sequential", [{"against": "old"}, {"above": "1%"}])
def test_bad_releases_are_caught(sequential: dict[str, str]) -> None:
    assert tripped({"alpha": "5%", **sequential}, 0.05, 0.005, releases=100) >= 99


def test_a_new_version_that_fails_less_is_no_evidence() -> None:
    assert tripped({"alpha": "5%", "against": "old"}, 0.01, 0.05, releases=200) <= math.ceil(at_most(0.05, 200) / 5)
