"""Ejection, shedding, quotas, retry budgets and breakers: what may be written, and what becomes of it."""

import math

import pytest

from chaos.unrealised import unrealised
from scenarios.loading import load_text
from simulator.compile import compile_scenario
from simulator.network import Balancing, Breaker, Ejection, Quota, RetryBudget
from tests.unit.scenario_texts import VALID, problems

CALL, SERVICE = "timeout: 500ms, retries: 2,", "replicas: 4, workers: 8,"


def text(call: str = "", service: str = "") -> str:
    """The valid scenario with more said of the call to the bank and of the web service."""
    assert VALID.count(CALL) == VALID.count(SERVICE) == 1
    return VALID.replace(CALL, f"{CALL} {call}").replace(SERVICE, f"{SERVICE} {service}")


def test_the_network_has_what_the_scenario_says():
    scenario = load_text(
        text(
            "cancel: true, retry_budget: {share: 10%, minimum: 5/s}, breaker: {open: 1m},",
            "balancing: least-request, ejection: {for: 1m}, "
            "shedding: {queue_wait: 200ms}, quota: {rate: 9/s, burst: 3},",
        ),
        "test",
    )
    network = compile_scenario(scenario).network
    web, call = network.stations[1], network.calls[2]
    assert (web.balancing, web.shed_s) == (Balancing.LEAST_REQUEST, 0.2)
    assert (web.ejection, web.quota) == (Ejection(5, 60.0, 0.5), Quota(9.0, 3))
    assert (call.budget, call.cancel) == (RetryBudget(0.1, 5.0), True)
    assert call.breaker == Breaker(0.5, 10.0, 20, 60.0, 3)


def test_without_them_services_and_calls_are_plain():
    network = compile_scenario(load_text(VALID, "test")).network
    web, call = network.stations[1], network.calls[2]
    assert (web.balancing, web.ejection, web.shed_s, web.quota) == (Balancing.ROUND_ROBIN, None, math.inf, None)
    assert (call.budget, call.breaker, call.cancel) == (None, None, False)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (CALL, "timeout: 500ms, retry_budget: {},", "backoff needs retries"),
        (
            "timeout: 500ms, retries: 2, backoff: {base: 10ms, jitter: none}",
            "retry_budget: {}",
            "retry_budget needs retries",
        ),
        ("timeout: 500ms, retries: 2,", "cancel: true, retries: 2,", "cancel needs a timeout"),
        (CALL, f"{CALL} breaker: {{errors: 0%}},", "breaker.errors: '0%': must be above 0%"),
        (CALL, f"{CALL} breaker: {{minimum: 0}},", "breaker.minimum: 0"),
        (CALL, f"{CALL} retry_budget: {{share: 2}},", "retry_budget.share: 2: must be a percentage"),
        ("to: web, timeout: 1s", "to: web, timeout: 1s, parallel: true", "must have a call of edge before it"),
        (SERVICE, f"{SERVICE} quota: {{rate: 9/s}},", "quota.burst"),
        (SERVICE, f"{SERVICE} shedding: {{}},", "shedding.queue_wait"),
        (SERVICE, f"{SERVICE} balancing: random,", "must be one of 'round-robin', 'least-request' or 'random-of-two'"),
        (SERVICE, f"{SERVICE} ejection: {{most: 120%}},", "ejection.most: '120%': must be a percentage"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(old, new, problem):
    assert VALID.count(old) == 1
    assert any(problem in line for line in problems(VALID.replace(old, new))), problems(VALID.replace(old, new))


def test_a_drill_refuses_what_its_shop_does_not_have():
    scenario = load_text(text("breaker: {},", "quota: {rate: 9/s, burst: 3},"), "test")
    refused = unrealised(scenario)
    assert any(line.startswith("system.calls[1].breaker: ") for line in refused)
    assert any(line.startswith("system.services.web.quota: ") for line in refused)
