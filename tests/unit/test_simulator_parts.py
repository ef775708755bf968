"""Whose latencies are looked at: the services that guardrails and analyses name."""

import pytest

from scenarios.catalogue import library_names
from scenarios.loading import load
from simulator.parts import judged_services


def test_guardrails_and_analyses_name_what_they_look_at() -> None:
    assert set(judged_services(load("heavy-release")[0].release)) == {"orders"}


@pytest.mark.parametrize("name", library_names())
def test_whatever_a_scenario_says_has_its_service_among_them(name: str) -> None:
    scenario, _ = load(name)
    found = set(judged_services(scenario.release))
    assert {guardrail.of for guardrail in scenario.release.guardrails} <= found <= set(scenario.system.services)
