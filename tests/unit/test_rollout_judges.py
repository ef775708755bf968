"""Judges beside the threshold: exact where they can be, and held against scipy and sums over all outcomes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from rollout.judges import mann_whitney as judging
from rollout.judges.base import EVER_S, Finding, Judge
from rollout.judges.making import judge_of
from rollout.judges.mann_whitney import shift_with_lower_bound
from rollout.judges.outcomes import Outcomes
from rollout.judges.sequential import AgainstLimit, AgainstOld
from rollout.world import Observation
from scenarios.models import Change, Guardrail
from tests.unit.rollout_tiny import EDGES_S, observation

CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})
NONE = Outcomes(0, 0)
BURN = {"objective": "99%", "above": 5, "windows": ["60s", "10s"]}


def judge(minimum: int = 1, metric: str = "error-ratio", **fields: Any) -> Judge:
    plain = {"metric": metric, "of": "web", "minimum": minimum, **fields}
    return judge_of(Guardrail.model_validate(plain), CHANGE, EDGES_S)


def totals(outcomes: Sequence[tuple[int, int]]) -> list[Observation]:
    """Sums since the start of the load: (requests, errors) of each interval after a first one that nobody counts."""
    sums = np.cumsum([(7, 3), *outcomes], axis=0)
    return [observation(int(requests), int(errors)) for requests, errors in sums]


def looks(one: Judge, *series: Sequence[tuple[int, int]]) -> list[Finding]:
    """Findings over intervals, of each version a series of (requests, errors)."""
    return [one.judge(seen) for seen in zip(*map(totals, series), strict=True)]


# -- burn rates


@pytest.mark.parametrize(
    ("long", "short", "bad"),
    [((1000, 51), (100, 6), True), ((1000, 50), (100, 6), False), ((1000, 51), (100, 5), False)],
)
def test_a_burn_rate_must_be_above_its_limit_in_every_window(
    long: tuple[int, int], short: tuple[int, int], bad: bool
) -> None:
    one = judge(burn_rate=BURN)
    assert [(query.version, query.window_s) for query in one.queries] == [("v2", 60.0), ("v2", 10.0)]
    assert one.judge([observation(*long), observation(*short)]).bad is bad


def test_a_burn_rate_is_told_by_the_window_that_decides() -> None:
    finding = judge(burn_rate=BURN).judge([observation(1000, 80), observation(100, 20)])
    assert (finding.value, finding.limit, finding.requests) == (pytest.approx(8.0), 5.0, 100)


def test_each_window_needs_the_minimum() -> None:
    finding = judge(minimum=101, burn_rate=BURN).judge([observation(1000, 500), observation(100, 50)])
    assert (finding.bad, finding.enough) == (False, False)


@pytest.mark.parametrize(("error_percent", "burn"), [(10, 14.4), (50, 14.4), (100, 6.0), (20, 1.0)])
def test_a_burn_rate_detects_after_burn_times_budget_times_window_over_error_ratio(
    error_percent: int, burn: float
) -> None:
    """1,000 requests a second, quiet for an hour; from then on the error ratio is constant."""
    one = judge(version="any", burn_rate={"objective": "99.9%", "above": burn, "windows": ["1h"]})
    expected_s = burn * 0.001 * 3600 / (error_percent / 100)
    seen = (
        (s, one.judge([observation(3_600_000, 10 * error_percent * s)]).bad) for s in range(1, 3600)
    )  # [s seconds of errors]
    assert next(s for s, bad in seen if bad) == math.floor(expected_s + 1e-9) + 1


# -- Mann-Whitney


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("decimals", [8, 0])
def test_the_bound_is_above_0_exactly_when_the_test_rejects(seed: int, decimals: int) -> None:
    """Ties within a series (decimals 0) are corrected for as scipy does; those between the series are kept out."""
    rng = np.random.default_rng(seed)
    new = np.round(rng.normal(0.9, 1.5, 25), decimals) + 0.25 * (decimals == 0)
    old = np.round(rng.normal(0.0, 1.5, 18), decimals)
    shift, low = shift_with_lower_bound(new, old, 0.98)
    p = stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic", use_continuity=True).pvalue
    assert (low > 0) == (p <= 0.01)
    assert shift == pytest.approx(np.median(np.subtract.outer(new, old)))
    assert low <= shift


def test_the_bound_covers_the_true_shift_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(2000):
        _, low = shift_with_lower_bound(rng.exponential(1.0, 20) + 0.5, rng.exponential(1.0, 20), 0.90)
        covered += low <= 0.5
    # One-sided 95 %; four standard errors of 2,000 trials, and a rank is a whole number.
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)


def test_series_too_short_to_tell_have_no_bound() -> None:
    assert shift_with_lower_bound(np.array([9.0, 9.5]), np.array([1.0, 1.5]), 0.98)[1] == -math.inf


def test_long_series_have_the_same_bound_without_every_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    for decimals in (12, 1):
        new, old = (np.round(rng.normal(mean, 1.0, 60), decimals) for mean in (0.6, 0.0))
        whole = shift_with_lower_bound(new, old, 0.98)
        with monkeypatch.context() as patched:
            patched.setattr(judging, "_AT_ONCE", 0)
            assert shift_with_lower_bound(new, old, 0.98) == pytest.approx(whole, abs=1e-12)
        for shifted in (new, new - whole[1], new - whole[1] - 1e-6):
            assert judging._is_above(shifted, old, 0.98) == (shift_with_lower_bound(shifted, old, 0.98)[1] > 0)


def mann_whitney(**rules: Any) -> Judge:
    return judge(mann_whitney={"points": 10, **rules})


def test_a_shift_within_the_tolerance_passes() -> None:
    new, old = [(100, k) for k in range(3, 23)], [(100, k) for k in range(20)]
    # The shift is 0.03; its lower bound, 0, is not above a quarter of that.
    assert looks(mann_whitney(), new, old)[-1].bad is False
    assert looks(mann_whitney(), [(100, k) for k in range(20, 40)], old)[-1].bad is True


def test_the_mean_must_have_risen_by_more_than_is_allowed() -> None:
    new, old = [(1000, k) for k in range(60, 80)], [(1000, k) for k in range(40, 60)]
    assert looks(mann_whitney(allowed_increase="30%"), new, old)[-1].bad is True  # 69.5 of 49.5 are 40 % more
    assert looks(mann_whitney(allowed_increase="45%"), new, old)[-1].bad is False


def test_points_that_are_equal_are_no_shift() -> None:
    same = [(100, 0)] * 30
    assert [finding.bad for finding in looks(mann_whitney(), same, same)] == [False] * 31


def test_the_test_waits_for_its_points_and_requests() -> None:
    new, old = [(20, 20)] * 12, [(100, 0)] * 12
    found = looks(mann_whitney(), new, old)
    assert [finding.enough for finding in found] == [False] * 10 + [True] * 3
    assert found[10].bad is True
    assert looks(judge(minimum=241, mann_whitney={"points": 10}), new, old)[-1].enough is False


def test_a_look_without_answers_adds_no_point() -> None:
    gaps = [(20, 20), (0, 0)] * 9
    assert looks(mann_whitney(), gaps, [(100, 0)] * 18)[-1].enough is False


@pytest.mark.parametrize("alone", [0, 1])
def test_what_one_version_answered_alone_is_compared_with_no_other_time(alone: int) -> None:
    """Trouble after a switch, or before the canary's first request, is not the difference of two versions."""
    both, quiet, trouble, nothing = 20, [(100, 1), (100, 2)], [(100, 40), (100, 41)], [(0, 0)]
    if alone == 0:
        new, old = quiet * (both // 2) + trouble * 40, quiet * (both // 2) + nothing * 80
    else:
        new, old = nothing * 80 + trouble * (both // 2), quiet * 40 + trouble * (both // 2)
    found = looks(mann_whitney(), new, old)[-1]
    assert (found.bad, found.enough, found.requests) == (False, True, 2000)


def test_looks_without_a_pair_of_points_age_those_before() -> None:
    gap = [(0, 0)] * 15
    bad, fine = [(100, 40)] * 12 + gap, [(100, k % 3) for k in range(12)] + gap
    found = looks(judge(every="10s", mann_whitney={"points": 10, "lookback": "200s"}), bad, fine)
    assert (found[20].bad, found[20].requests, found[22].enough) == (True, 1200, True)
    assert [finding.enough for finding in found[23:]] == [False] * 5


def test_points_beyond_the_lookback_are_forgotten() -> None:
    bad_then_good = [(100, 50)] * 20 + [(100, 0)] * 20
    rules = {"points": 10, "lookback": "200s"}
    found = looks(judge(every="10s", mann_whitney=rules), bad_then_good, [(100, k % 3) for k in range(40)])
    assert (found[20].bad, found[-1].bad) == (True, False)
    assert found[-1].requests == 2000


# -- sequential tests


def test_both_versions_are_asked_for_all_that_they_answered() -> None:
    one = judge(sequential={"against": "old"})
    assert [(query.version, query.window_s) for query in one.queries] == [("v2", EVER_S), ("v1", EVER_S)]


@pytest.mark.parametrize(("bad", "count", "limit"), [(0, 50, 0.01), (3, 40, 0.02), (60, 1000, 0.05), (30, 40, 0.5)])
def test_evidence_against_a_limit_is_the_mixture_of_likelihood_ratios(bad: int, count: int, limit: float) -> None:
    test = AgainstLimit(limit)
    test.add(Outcomes(bad - bad // 2, count // 3), NONE)
    test.add(Outcomes(bad // 2, count - count // 3), NONE)
    prior = stats.beta(0.5, 0.5)

    def weighted(share: float) -> float:
        ratio = stats.binom.logpmf(bad, count, share) - stats.binom.logpmf(bad, count, limit)
        return float(prior.pdf(share) * math.exp(ratio))

    expected = integrate.quad(weighted, limit, 1.0, points=[max(limit, bad / count)], limit=200)[0] / prior.sf(limit)
    assert math.exp(test.log_evidence()) == pytest.approx(expected, rel=1e-5)


def test_a_long_quiet_time_leaves_evidence_that_is_small_and_no_error() -> None:
    test = AgainstLimit(0.5)
    test.add(Outcomes(0, 100_000), NONE)
    assert test.log_evidence() == -math.inf


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("learned", [(1, 50), (0, 40), (2, 10), (30, 40), (0, 0)])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 7), (5, 3), (4, 0)])
def test_the_mean_evidence_of_a_good_release_grows_in_no_interval(
    share: float, learned: tuple[int, int], sizes: tuple[int, int]
) -> None:
    """Summed over every outcome: whatever was learned, the factor's mean is at most 1 when both share a ratio."""
    mean = 0.0
    for new, old in itertools.product(range(sizes[0] + 1), range(sizes[1] + 1)):
        test = AgainstOld()
        test.learn(Outcomes(*learned))
        test.add(Outcomes(new, sizes[0]), Outcomes(old, sizes[1]))
        chance = stats.binom.pmf(new, sizes[0], share) * stats.binom.pmf(old, sizes[1], share)
        mean += float(chance) * math.exp(test.log_evidence())
    assert mean <= 1.0 + 1e-12


def test_evidence_against_the_old_version_by_hand() -> None:
    test = AgainstOld()
    test.learn(Outcomes(0, 4))
    test.add(NONE, Outcomes(0, 5))  # alone: learned from, and no evidence
    test.add(Outcomes(1, 2), Outcomes(0, 6))
    old = 0.05  # (0 + 1/2) of (9 + 1)
    expected = 0.0
    for odds in (1.5, 2, 4, 8, 16, 32):
        new = odds * old / (0.95 + odds * old)
        mean = (2 * new + 6 * old) / 8
        expected += (new / mean) * ((1 - new) / (1 - mean)) * (0.95 / (1 - mean)) ** 6 / 6
    assert math.exp(test.log_evidence()) == pytest.approx(expected)


def test_the_old_versions_history_is_learned_from_but_no_evidence() -> None:
    one = judge(sequential={"against": "old"})
    assert one.judge([observation(500, 400), observation(10_000, 100)]).value == pytest.approx(1.0)
    assert one.judge([observation(500, 400), observation(10_000, 100)]).requests == 0


def test_one_version_alone_says_nothing() -> None:
    found = looks(judge(sequential={"against": "old"}), [(50, 25)] * 20, [(0, 0)] * 20)
    assert found[-1].value == pytest.approx(1.0)
    assert found[-1].enough is False


def test_a_latency_is_above_its_limit_when_more_answers_than_its_rest_are() -> None:
    one = judge(metric="p95", sequential={"above": "400ms"})
    slow = [observation(100 * look, slow=10 * look) for look in range(60)]
    within = [observation(100 * look, slow=5 * look) for look in range(60)]
    found = [one.judge([each]).bad for each in slow]
    assert found[-1] is True
    assert found[1] is False
    quiet = judge(metric="p95", sequential={"above": "400ms"})
    assert not any(quiet.judge([each]).bad for each in within)
