"""Which services an outage of a zone makes flows play request by request."""

from scenarios.loading import load
from simulator.compile import compile_scenario
from simulator.fluid.outages import overloaded


def test_a_judged_service_is_overloaded_that_a_lost_zone_leaves_less_than_it_is_offered() -> None:
    scenario = load("zone-outage")[0]
    compiled = compile_scenario(scenario)
    assert overloaded(scenario, compiled, ["shop", "edge"]) == {compiled.station("shop")}
    assert overloaded(scenario, compiled, ["edge"]) == frozenset()
    assert overloaded(scenario.model_copy(update={"faults": []}), compiled, ["shop"]) == frozenset()


def test_a_service_is_not_overloaded_that_has_capacity_to_spare_or_no_bound() -> None:
    scenario = load("zone-outage")[0]
    for change in ({"workers": 3}, {"queue": None}):
        services = {**scenario.system.services, "shop": scenario.system.services["shop"].model_copy(update=change)}
        system = scenario.system.model_copy(update={"services": services})
        changed = scenario.model_copy(update={"system": system})
        assert overloaded(changed, compile_scenario(changed), ["shop"]) == frozenset()
