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
        ["f.yaml:28", "release.changes[0].service"],
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
