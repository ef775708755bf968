"""The replay of Cloudflare's outage of 5 December 2025: what the simulator predicts beside what was published."""

import math

import pytest

from evidence.measures import FunctionMeasure
from scenarios.loading import load
from scenarios.models import Published, Scenario
from simulator.replications import simulate

REPLICATIONS = 20


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load("cloudflare-2025-12-05")[0]


@pytest.fixture(scope="module")
def published(scenario: Scenario) -> Published:
    return scenario.published["http"]


@pytest.fixture(scope="module")
def measures(scenario: Scenario) -> list[FunctionMeasure]:
    text = load("cloudflare-2025-12-05")[1].text
    return simulate(scenario, text, replications=REPLICATIONS, seed=1, processes=1, keep=[]).measures


def test_time_to_recover_is_the_published_one_within_its_precision(
    measures: list[FunctionMeasure], published: Published
) -> None:
    assert published.rto_s is not None
    # The post-mortem gives whole minutes.
    assert all(abs(row.rto_s - published.rto_s) <= 60.0 and not row.rto_censored for row in measures)
    assert all(row.outcome == "rolled-back" for row in measures)


def test_share_of_requests_that_failed_is_the_published_one(
    scenario: Scenario, measures: list[FunctionMeasure], published: Published
) -> None:
    assert published.failed_share is not None
    rate_per_s = scenario.functions["http"].rate_per_s
    for row in measures:
        met = rate_per_s * row.rto_s
        standard_error = math.sqrt(published.failed_share * (1 - published.failed_share) / met)
        # Half of the published figure's last digit, and four standard errors of the sum over Poisson arrivals.
        tolerance = 0.005 + 4 * (standard_error + published.failed_share / math.sqrt(met))
        assert row.failed / met == pytest.approx(published.failed_share, abs=tolerance)


def test_detection_follows_the_burn_rate_formula(scenario: Scenario, measures: list[FunctionMeasure]) -> None:
    (guardrail,) = scenario.release.guardrails
    share = scenario.functions["http"].cohorts["managed-ruleset"]
    errors_per_s = scenario.functions["http"].rate_per_s * share
    # detect = burn x (1 - SLO) x window / error ratio (SRE Workbook): 0.0144 x 3600 s / 0.28 = 185 s.
    expected_s = guardrail.above * guardrail.window_s / share
    # The time in which a Poisson process comes to n errors has the standard deviation sqrt(n) / rate.
    deviation_s = math.sqrt(expected_s * errors_per_s) / errors_per_s
    found_s = [row.detect_s for row in measures if row.detect_s is not None]
    assert len(found_s) == REPLICATIONS
    mean_s = sum(found_s) / len(found_s)
    # Seen on the next look of the guardrail, once a resolution: up to that much late, and impact a cell early.
    tolerance_s = 4 * deviation_s / math.sqrt(REPLICATIONS) + 2 * scenario.measure.resolution_s
    assert mean_s == pytest.approx(expected_s, abs=tolerance_s)


def test_parts_add_up(measures: list[FunctionMeasure]) -> None:
    for row in measures:
        parts_s = [row.detect_s, row.decide_s, row.act_s, row.stabilise_s]
        assert sum(part for part in parts_s if part is not None) == pytest.approx(row.rto_s)
        assert (row.decide_s, row.act_s) == (1260.0, 60.0)
