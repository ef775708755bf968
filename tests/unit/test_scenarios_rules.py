"""Every rule of the language with its exact message: file:line: path: value: rule."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scenarios.loading import load_text
from tests.unit.scenario_texts import VALID, changed, problems

CASES: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(Path(__file__).with_name("scenario_cases.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["new"].strip()[:50] or "(nothing)")
def test_each_rule_has_its_message(case: dict[str, Any]) -> None:
    assert problems(changed(case["old"], case["new"])) == [f"f.yaml:{problem}" for problem in case["problems"]]


def test_the_valid_scenario_is_valid() -> None:
    assert load_text(VALID, "f.yaml").name == "tiny"


def also(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("resolution", "longest", "longer"), [("700ms", "700000s", "700001s"), ("9ms", "9000s", "9001s")]
)
def test_a_million_cells_are_allowed_at_every_resolution(resolution: str, longest: str, longer: str) -> None:
    """700,000 s are 1,000,000.0000000001 times 0.7 s in floating point."""
    measure = "{resolution: 1s, window: 5s", f"{{resolution: {resolution}, window: 6300ms"
    assert load_text(also(VALID, measure, ("duration: 60s", f"duration: {longest}")), "f.yaml").name == "tiny"
    assert problems(also(VALID, measure, ("duration: 60s", f"duration: {longer}"))) == [
        f"f.yaml:4: duration: '{longer}': must hold at most 1000000 cells of measure.resolution"
    ]


def test_a_watcher_of_a_service_that_nobody_reaches_sees_nothing() -> None:
    spare = VALID, ("    bank:", "    spare: {service_time: 1ms}\n    bank:")
    assert load_text(also(*spare), "f.yaml").system.services["spare"].replicas == 1
    guardrail = "of: bank, version: any, above: 400ms", "of: spare, version: any, above: 400ms"
    rule = "'spare': must be reached by a function: no request comes to it"
    assert problems(also(*spare, guardrail)) == [f"f.yaml:40: release.guardrails[1].of: {rule}"]
    check = "{metric: error-ratio, of: spare, version: any, above: 5%}"
    steps = "{bake: 10s}", f"{{analysis: {{for: 10s, checks: [{check}]}}}}"
    where = "release.strategy.canary.steps[1].analysis.checks[0].of"
    assert problems(also(*spare, steps)) == [f"f.yaml:34: {where}: {rule}"]


def test_a_cohort_meets_what_is_on_its_function_s_way_only() -> None:
    look = "  look: {path: [edge], rate: 1/s, rto: 1m, rpo: 0s, good: {success: '>= 99%'}, cohorts: {guest: 100%}}\n"
    text = also(
        VALID, ("release:\n  at", f"{look}release:\n  at"), ("    bank:", "    guard: {service_time: 1ms}\n    bank:")
    )
    assert "look" in load_text(also(text, ("path: [edge], rate", "path: [edge, web], rate")), "f.yaml").functions
    guest = also(text, ("cohort: coupon}", "cohort: guest}"), ("path: [edge], rate", "path: [guard], rate"))
    rule = "'guest': must be a cohort of a function that reaches web: coupon, default"
    assert problems(guest) == [f"f.yaml:32: release.defects[0].cohort: {rule}"]
    stepped = also(guest, ("cohort: guest}", "cohort: coupon}"), ("{weight: 10%}", "{cohort: guest}"))
    assert problems(stepped) == [f"f.yaml:35: release.strategy.canary.steps[0].cohort: {rule}"]
    felt = also(
        guest, ("cohort: guest}", "cohort: coupon}"), ("on: bank, share: 5%", "on: web, share: 5%, cohort: guest")
    )
    assert problems(felt) == [f"f.yaml:46: faults[2].error.cohort: {rule}"]


def test_nobody_is_of_the_default_cohort_where_the_others_leave_nothing() -> None:
    everyone = also(VALID, ("cohorts: {coupon: 20%}", "cohorts: {coupon: 20%, guest: 80%}"))
    spoilt = also(everyone, ("cohort: coupon}", "cohort: default}"))
    rule = "'default': must be a cohort of a function that reaches web: coupon, guest"
    assert problems(spoilt) == [f"f.yaml:30: release.defects[0].cohort: {rule}"]


def test_all_problems_are_found_in_one_pass() -> None:
    spoilt = VALID
    for old, new in [
        ("duration: 60s", "duration: 60"),
        ("replicas: 4", "replicsa: 4"),
        ("to: orders, writes: 1", "to: odrers, writes: 2"),
        ("path: [edge, web]", "path: [edge, wbe]"),
        ("cohort: coupon}", "cohort: gold}"),
        ("client -> edge", "client -> web"),
        ("rto_attainment: ", "rto: "),
    ]:
        assert old in spoilt
        spoilt = spoilt.replace(old, new)
    lines = [problem.split(": ")[0:2] for problem in problems(spoilt)]
    assert lines == [
        ["f.yaml:4", "duration"],
        ["f.yaml:9", "system.services.web.replicsa"],
        ["f.yaml:16", "system.calls[2].to"],
        ["f.yaml:16", "system.calls[2].writes"],
        ["f.yaml:19", "functions.buy.path[1]"],
        ["f.yaml:30", "release.defects[0].cohort"],
        ["f.yaml:43", "faults[1].cut.on"],
        ["f.yaml:47", "expect.buy.rto"],
    ]


def test_a_long_chain_of_services_is_no_circle_and_no_crash() -> None:
    names = [f"s{number}" for number in range(1500)]
    services = "".join(f"    {name}: {{service_time: 1ms}}\n" for name in names)
    calls = "".join(f"    - {{from: s{number}, to: s{number + 1}}}\n" for number in range(1499))
    text = changed("    edge: {service_time: 2ms}\n", "    edge: {service_time: 2ms}\n" + services)
    text = text.replace("  calls:\n", "  calls:\n" + calls)
    assert len(load_text(text, "f.yaml").system.services) == 1503
    closed = text.replace("  calls:\n", "  calls:\n    - {from: s1499, to: s0}\n")
    (problem,) = problems(closed)
    assert problem.endswith(": must not go round in a circle")
