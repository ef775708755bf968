"""Steady state after the undo: a system that answers, and no slower than it may."""

from __future__ import annotations

from chaos.steady import unsteady
from scenarios.loading import load
from tests.unit.test_load_rows import raw, row


def test_most_answers_must_be_as_fast_as_the_slowest_may_be() -> None:
    scenario, _ = load("shop-release")  # checkout: p99 <= 600 ms, browse: <= 500 ms
    fast = [row(0.01 * n, 0.01 * n + 0.1, function=name) for n in range(100) for name in ("checkout", "browse")]
    one_late = row(2.0, 3.0, function="checkout")  # of a hundred, which is no sample for a 99th percentile
    assert unsteady(scenario, raw(*fast, one_late)) == {}
    late = [row(0.01 * n, 0.01 * n + 0.7, function="checkout") for n in range(101)]
    assert unsteady(scenario, raw(*fast, *late)) == {
        "checkout": "101 of 201 answers took longer than 0.6 s, the limit of p99"
    }


def test_the_limit_itself_and_a_half_that_is_slower_are_well() -> None:
    scenario, _ = load("shop-release")
    browse = row(0.0, 0.1, function="browse")
    at_limit = [row(0.0, 0.6, function="checkout") for _ in range(10)]
    assert unsteady(scenario, raw(browse, *at_limit)) == {}
    slower = [row(0.0, 0.7, function="checkout") for _ in range(10)]
    assert unsteady(scenario, raw(browse, *at_limit, *slower)) == {}
    assert list(unsteady(scenario, raw(browse, *at_limit, *slower, slower[0]))) == ["checkout"]


def test_failures_and_silence_are_told() -> None:
    scenario, _ = load("shop-release")
    failed = [row(0.01 * n, 0.01 * n + 0.1, "error" if n < 2 else "ok", function="checkout") for n in range(100)]
    assert unsteady(scenario, raw(*failed)) == {
        "checkout": "98 of 100 requests succeeded",
        "browse": "0 of 0 requests succeeded",
    }
