"""Which services flows play request by request, and for which reason."""

from scenarios.loading import load, load_text
from simulator.compile import compile_scenario
from simulator.fluid.luck import of_scenario, overloaded


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


KIOSK = """
schema: windtunnel/v1
name: kiosk
sources: [made up]
duration: 60s
measure: {resolution: 1s, window: 5s}
system:
  services:
    kiosk: {replicas: 2, service_time: 10ms}
    check-in: {replicas: 3, workers: 4, service_time: {exponential: {mean: 60ms}}}
    printer: {workers: 400, service_time: {exponential: {mean: 5ms}}}
  calls:
    - {from: kiosk, to: check-in, timeout: 3s}
    - {from: check-in, to: printer, timeout: 1s, LINK}
functions:
  arrive: {path: [kiosk, check-in], rate: 128/s, rto: 1m, rpo: 0s, good: {success: ">= 99%"}, timeout: 5s}
release:
  at: 10s
  changes: [{service: check-in, from: "1", to: "2"}]
  defects: [{name: slower, probability: 50%, latency: x1.4}]
  strategy: {recreate: {}}
FAULTS
"""
LATE = "faults: [{at: 20s, for: 10s, latency: {on: check-in -> printer, add: 20ms}}]"


def chosen(*, slower: bool = False, link: str = "retries: 0", faults: str = "") -> set[str]:
    """The services of KIOSK that are played request by request."""
    scenario = load_text(KIOSK.replace("LINK", link).replace("FAULTS", faults), "kiosk.yaml")
    compiled = compile_scenario(scenario)
    defects = scenario.release.defects if slower else []
    return {compiled.name_of(place) for place in of_scenario(scenario, compiled, [], defects)}


def test_callers_are_held_up_when_what_they_wait_for_comes_near_its_capacity() -> None:
    assert chosen() == set()
    assert chosen(slower=True) == {"kiosk", "check-in"}  # by the defect that is drawn
    assert chosen(faults=LATE) == {"kiosk", "check-in"}  # or by a fault below


def test_callers_are_not_held_up_that_have_workers_for_all_who_wait() -> None:
    text = KIOSK.replace("replicas: 2,", "replicas: 2, workers: 300,").replace("LINK", "retries: 0")
    scenario = load_text(text.replace("FAULTS", ""), "kiosk.yaml")
    assert of_scenario(scenario, compile_scenario(scenario), [], scenario.release.defects) == frozenset()


def test_what_callers_cancel_is_luck_near_the_capacity() -> None:
    text = KIOSK.replace("timeout: 3s", "timeout: 500ms, cancel: true").replace(
        "check-in, to: printer", "kiosk, to: printer"
    )
    text = text.replace("path: [kiosk, check-in]", "path: [kiosk]").replace("{replicas: 2,", "{workers: 900,")
    scenario = load_text(text.replace("LINK", "retries: 0").replace("FAULTS", ""), "kiosk.yaml")
    compiled = compile_scenario(scenario)
    assert of_scenario(scenario, compiled, [], []) == frozenset()
    assert of_scenario(scenario, compiled, [], scenario.release.defects) == {compiled.station("check-in")}
