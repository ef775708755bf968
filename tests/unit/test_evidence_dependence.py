"""Single points of failure and cascades: told by the graph, and found by the simulator."""

import math

import pytest

from evidence.dependence import Saturation, calls_made, dependencies
from scenarios.loading import load_text
from scenarios.models import Scenario
from simulator.outages import outages

TEXT = """
schema: windtunnel/v1
name: cascade
sources: [test]
duration: 60s
measure: {resolution: 500ms, window: 2s, consecutive: 4}
system:
  services:
    edge: {replicas: 2, workers: 20, queue: 10, service_time: 1ms}
    search: {replicas: 3, workers: 20, service_time: 5ms}
    reports: {replicas: 2, workers: 50, service_time: 5ms}
    bank: {external: true, service_time: 5ms}
  stores:
    ledger: {service_time: 1ms, standbys: 1, failover: {detect: 5s, promote: 5s}}
    cache: {service_time: 1ms}
  calls:
    - {from: edge, to: search, timeout: 500ms}
    - {from: edge, to: reports, TIMEOUT}
    - {from: reports, to: bank, timeout: 1s, retries: 1, backoff: {base: 200ms, jitter: none}}
    - {from: reports, to: ledger, timeout: 1s}
    - {from: search, to: cache, timeout: 100ms}
functions:
  find: {path: [edge, search], rate: 30/s, rto: 1m, rpo: 0s, good: {success: ">= 95%"}, timeout: 2s}
  report: {path: [edge, reports], rate: 10/s, rto: 1m, rpo: 0s, good: {success: ">= 95%"}, timeout: 5s}
release:
  changes: [{service: edge, from: "1", to: "2"}]
  strategy: {recreate: {}}
"""


def scenario(timeout: str) -> Scenario:
    return load_text(TEXT.replace("TIMEOUT", timeout), "f.yaml")


def test_copies_and_single_points() -> None:
    found = {each.name: (each.kind, each.copies, each.single) for each in dependencies(scenario("timeout: 1s"))}
    assert found == {
        "edge": ("service", 2, None),
        "search": ("service", 3, None),
        "reports": ("service", 2, None),
        "bank": ("third party", 1, "one provider"),
        "ledger": ("store", 2, None),
        "cache": ("store", 1, "no standby"),
    }


@pytest.mark.parametrize("failover", ["", ", failover: {promote: 5s}"])
def test_a_standby_that_nobody_promotes_is_no_second_copy(failover: str) -> None:
    text = TEXT.replace(", failover: {detect: 5s, promote: 5s}", failover).replace("TIMEOUT", "timeout: 1s")
    (ledger,) = [each for each in dependencies(load_text(text, "f.yaml")) if each.name == "ledger"]
    assert (ledger.copies, ledger.single) == (2, "no failover")


def test_calls_of_a_function_are_those_that_its_requests_make() -> None:
    made = scenario("timeout: 1s")
    assert [call.name for call in calls_made(made, made.functions["find"])] == ["edge -> search", "search -> cache"]


@pytest.mark.parametrize(
    ("timeout", "slow", "saturations"),
    [
        ("timeout: 1s", ("report",), ()),  # 10/s x 1 s = 10 of 40 workers
        ("timeout: 1s, retries: 3, backoff: {base: 100ms}", ("find", "report"), (("edge", "reports", 43.5, 40),)),
        ("writes: 0", ("find", "report"), (("edge", "reports", math.inf, 40),)),
    ],
)  # fmt: skip
def test_a_caller_without_workers_enough_hangs_with_its_callee(
    timeout: str, slow: tuple[str, ...], saturations: tuple[tuple[str, str, float, int], ...]
) -> None:
    reports = next(each for each in dependencies(scenario(timeout)) if each.name == "reports")
    assert reports.down == ("report",)
    assert reports.slow == slow
    assert reports.saturations == tuple(Saturation(*each) for each in saturations)
    assert reports.request_share == 0.25


@pytest.mark.parametrize(("timeout", "slow"), [("timeout: 1s", ("report",)), ("writes: 0", ("find", "report"))])
def test_the_simulator_finds_the_cascade_that_the_graph_tells(timeout: str, slow: tuple[str, ...]) -> None:
    down, hangs = outages(scenario(timeout), ["reports"], replications=2).played
    assert (down.mode, down.breached) == ("down", ("report",))
    assert (hangs.mode, hangs.breached) == ("slow", slow)
    assert down.unrecovered == ()


@pytest.mark.parametrize("measure", ["{resolution: 1s, window: 20s, consecutive: 20}", "{warmup: 10s}"])
def test_a_recovery_that_takes_long_to_be_seen_is_waited_for(measure: str) -> None:
    text = TEXT.replace("{resolution: 500ms, window: 2s, consecutive: 4}", measure).replace("TIMEOUT", "timeout: 1s")
    down, hangs = outages(load_text(text, "f.yaml"), ["cache"], replications=2).played
    assert (down.breached, hangs.breached) == (("find",), ("find",))
    assert (down.unrecovered, hangs.unrecovered) == ((), ())


def test_what_is_not_good_without_any_outage_is_not_laid_to_one() -> None:
    # Two seconds without a request of `seldom` come again and again; its one service is nobody else's.
    text = TEXT.replace("TIMEOUT", "timeout: 1s").replace(
        "  stores:\n", "    rare: {service_time: 1ms}\n  stores:\n", 1
    )
    seldom = '  seldom: {path: [rare], rate: 1/s, rto: 1m, rpo: 0s, good: {success: ">= 95%"}}\n'
    found = outages(load_text(text.replace("  find:", f"{seldom}  find:", 1), "f.yaml"), ["cache", "rare"])
    assert found.unsteady == ("seldom",)
    assert [each.breached for each in found.played] == [("find",), ("find",), ("seldom",), ("seldom",)]
    assert all(each.unrecovered == () for each in found.played)


def test_a_chain_of_hanging_callers_is_followed_upward() -> None:
    text = TEXT.replace("TIMEOUT", "writes: 0").replace(
        "reports: {replicas: 2, workers: 50", "reports: {replicas: 1, workers: 20"
    )
    bank = next(each for each in dependencies(load_text(text, "f.yaml")) if each.name == "bank")
    assert bank.saturations == (Saturation("reports", "bank", 22.0, 20), Saturation("edge", "reports", math.inf, 40))
    assert bank.slow == ("find", "report")
