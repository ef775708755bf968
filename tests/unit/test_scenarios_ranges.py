"""Ranges: what may be one, what it draws, and what is wrong with it, told in the author's words."""

from pathlib import Path
from typing import Any

import pytest

from evidence.assess import assess
from evidence.verdicts import Status
from scenarios.loading import load_text
from scenarios.ranges import ranges_in
from scenarios.uncertain import uncertain
from scenarios.widening import widened
from simulator.replications import simulate
from tests.unit.scenario_texts import VALID, changed, problems


def ranged(old: str, new: str) -> Any:
    text = changed(old, new)
    found = uncertain(text, "f.yaml")
    assert found is not None
    return load_text(text, "f.yaml"), found


@pytest.mark.parametrize(
    ("old", "new", "low", "middle", "high"),
    [
        ("startup: 1s", "startup: 500ms..2s", "0.5s", "1.25s", "2s"),
        ("rate: 10/s", "rate: 5/s..90/m", None, None, None),
        ("rate: 10/s", "rate: 60/m..3/s", "1/s", "2/s", "3/s"),
        ("probability: 10%, errors", "probability: 5%..25%, errors", "5%", "15%", "25%"),
        ("latency: +200ms", "latency: +100ms..+300ms", "+0.1s", "+0.2s", "+0.3s"),
        ("latency: +200ms", "latency: x2..x4", "x2", "x3", "x4"),
        ("retries: 2", "retries: 1..3", 1, 2, 3),
        ("cv: 0.5", "cv: 0.5..1.5", 0.5, 1.0, 1.5),
    ],
)
def test_a_range_stands_for_the_values_between_its_ends(old: str, new: str, low: Any, middle: Any, high: Any) -> None:
    if low is None:
        assert problems(changed(old, new)) == [
            "f.yaml:20: functions.buy.rate: '5/s..90/m': must be a range from low to high"
        ]
        return
    _, inputs = ranged(old, new)
    assert [inputs.values([share]) for share in (0.0, 0.5, 1.0)] == [[low], [middle], [high]]


def test_the_scenario_itself_has_the_middle() -> None:
    scenario, inputs = ranged("rate: 10/s", "rate: 10/s..30/s")
    assert scenario.functions["buy"].rate_per_s == 20.0
    assert inputs.scenario([0.25]).functions["buy"].rate_per_s == 15.0
    assert [each.name for each in inputs.ranges] == ["functions.buy.rate"]


def test_each_whole_number_is_equally_likely() -> None:
    _, inputs = ranged("retries: 2", "retries: 1..3")
    drawn = [inputs.values([share / 99])[0] for share in range(100)]
    assert [drawn.count(number) for number in (1, 2, 3)] == pytest.approx([33, 33, 33], abs=1)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("rto: 1m\n", "rto: 1m..2m\n", "22: functions.buy.rto: '1m..2m': must be one value, not a range: it is"),
        ("duration: 60s", "duration: 60s..70s", "4: duration: '60s..70s': must be one value"),
        ("above: 5%,", "above: 1%..5%,", "38: release.guardrails[0].above: '1%..5%': must be one value, not a range"),
        ("startup: 1s", "startup: 2s..1s", "9: system.services.web.startup: '2s..1s': must be a range from"),
        ("startup: 1s", "startup: 1s..5%", "9: system.services.web.startup: '1s..5%': must be a range of one unit"),
        ("latency: +200ms", "latency: x2..+3s", "31: release.defects[1].latency: 'x2..+3s': must be a range of one"),
        ("rate: 10/s", "rate: 1%..2%", "20: functions.buy.rate: '1.5%': must be a rate with its unit"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_range_is_told(old: str, new: str, problem: str) -> None:
    found = problems(changed(old, new))
    assert any(each.startswith(f"f.yaml:{problem}") for each in found), found


def test_a_rule_must_hold_at_both_ends() -> None:
    found = problems(changed("  at: 10s", "  at: 10s..70s"))
    assert found == ["f.yaml:27: release.at: '70s': must be before the end (duration)"]


def test_texts_are_no_ranges() -> None:
    assert ranges_in({"sources": ["pages 10..20"], "name": "a", "other": "from 1 .. to 2", "x": "1..2..3"}) == ([], [])


def test_a_scenario_without_ranges_has_no_uncertain_inputs() -> None:
    assert uncertain(VALID, "f.yaml") is None


def test_replications_draw_inputs_of_their_own_the_same_for_any_number_of_processes() -> None:
    text = changed("rate: 10/s", "rate: 5/s..50/s")
    scenario = load_text(text, "f.yaml")
    found = [simulate(scenario, text, source="f.yaml", replications=12, seed=4, processes=n, keep=[3]) for n in (1, 2)]
    assert found[0].measures == found[1].measures
    inputs = uncertain(text, "f.yaml")
    assert inputs is not None
    rates = [5 + 45 * inputs.shares(4, replication)[0] for replication in range(12)]
    requests = [row.requests for row in found[0].measures]
    assert max(rates) > 2 * min(rates)
    for rate, count in zip(rates, requests, strict=True):
        assert count == pytest.approx(60 * rate, abs=4 * (60 * rate) ** 0.5)


def test_a_record_is_judged_by_what_each_replication_drew(tmp_path: Path) -> None:
    """What is above the usual number depends on what that is: measured again by the middle, the record seemed false."""
    text = changed("replicas: 4", "replicas: 2..6")
    scenario = load_text(text, "f.yaml")
    found = simulate(scenario, text, source="f.yaml", replications=6, seed=1, processes=1, keep=range(6), out=tmp_path)
    assert len({row.extra_replica_s for row in found.measures}) > 1
    assert found.record is not None
    assert [check.reason for check in assess(found.record).checks if check.status is Status.ERROR] == []


def test_widening_makes_a_range_of_each_quantity_of_the_world() -> None:
    text = widened(VALID, "f.yaml", 0.1)
    inputs = uncertain(text, "f.yaml")
    assert inputs is not None
    load_text(text, "f.yaml")
    texts = {each.name: each.text for each in inputs.ranges}
    assert texts["functions.buy.rate"] == "9/s..11/s"
    assert texts["release.defects[0].probability"] == "9%..11%"
    assert texts["system.calls[1].backoff.base"] == "9ms..11ms"
    assert not any(
        "rto" in name or "strategy" in name or "guardrails" in name or name.endswith(".at") for name in texts
    )
