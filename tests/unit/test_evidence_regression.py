"""Regression is told apart from noise: rates of false alarms and misses on made blocks, and each verdict's reason."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.regression import BlockFigures, Tolerance, judge_old, judge_regression
from evidence.verdicts import Status

TOLERANCE = Tolerance(slower=0.10, failures=0.005)


def blocks(p95_ms: list[float], failed: int = 0) -> list[BlockFigures]:
    return [BlockFigures(500, failed, each / 1e3) for each in p95_ms]


def statuses(old: list[BlockFigures], new: list[BlockFigures]) -> dict[str, Status]:
    return {check.name: check.status for check in judge_regression("checkout", old, new, TOLERANCE)}


@pytest.mark.parametrize(
    ("new_ms", "status"),
    [
        ([82.0, 79.0, 81.0, 80.0], Status.PASS),
        ([160.0, 155.0, 170.0, 158.0], Status.FAIL),
        ([60.0, 140.0, 75.0, 110.0], Status.INCONCLUSIVE),
        ([40.0, 41.0, 40.0, 42.0], Status.PASS),  # faster is no regression
    ],
)
def test_latency_is_judged_by_its_interval(new_ms: list[float], status: Status) -> None:
    found = statuses(blocks([80.0, 81.0, 79.0, 80.0]), blocks(new_ms))
    assert found == {"failed share": Status.PASS, "p95": status}


def test_failures_are_judged_apart_and_nothing_good_is_no_latency() -> None:
    old, new = blocks([80.0] * 3), [BlockFigures(500, 500, None)] * 3
    assert statuses(old, new) == {"failed share": Status.FAIL, "p95": Status.INCONCLUSIVE}
    assert statuses(old, blocks([80.0] * 3, failed=2))["failed share"] == Status.PASS  # 0.4 % <= 0.5 %
    nothing = [BlockFigures(0, 0, None)] * 3
    assert statuses(old, nothing)["failed share"] == Status.FAIL


def test_what_the_old_version_cannot_carry_tells_nothing_of_the_new_one() -> None:
    assert judge_old("checkout", blocks([80.0] * 3, failed=5), 0.99) == []  # 1 % of 500, as good allows
    (check,) = judge_old("checkout", blocks([80.0] * 3, failed=300), 0.99)
    assert check.status is Status.INCONCLUSIVE
    assert check.reason.startswith("60.00% of the old version's requests failed under this load, good allows 1.00%")
    (check,) = judge_old("checkout", [BlockFigures(0, 0, None)] * 3, 0.99)
    assert check.status is Status.INCONCLUSIVE


def test_a_reason_has_the_figures() -> None:
    told = judge_regression("checkout", blocks([80.0] * 3), blocks([60.0, 140.0, 75.0]), TOLERANCE)[1].reason
    assert told.endswith("may be +10.0%; more pairs or longer blocks would tell")
    check = judge_regression("checkout", blocks([80.0] * 3), blocks([160.0] * 3), TOLERANCE)[1]
    assert check.reason == "160.0 ms against 80.0 ms: +100.0% (+100.0% .. +100.0%), may be +10.0%"


def test_noise_hardly_ever_fails_and_a_regression_hardly_ever_passes() -> None:
    """Blocks vary by 10 % and share 20 % of drift; at the edge of the tolerance at most 2.5 % each are wrong."""
    rng, tries, wrong = np.random.default_rng(5), 400, {"alarm": 0, "miss": 0}
    for _ in range(tries):
        drift = np.exp(rng.normal(0, 0.2, 6))
        noise = np.exp(rng.normal(0, 0.1, (2, 6)))
        old = blocks((80 * drift * noise[0]).tolist())
        edge = blocks((80 * drift * noise[1] * 1.10).tolist())
        found = statuses(old, edge)["p95"]
        wrong["alarm"] += found is Status.FAIL
        wrong["miss"] += found is Status.PASS
    # 2.5 % of 400 is 10; four standard errors above it.
    assert max(wrong.values()) <= 10 + 4 * np.sqrt(tries * 0.025 * 0.975), wrong
