"""The library's scenarios of fleets and rollbacks teach what they say: a few replications, with and without."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from evidence.measures import FunctionMeasure
from scenarios.loading import load
from scenarios.models import Scenario
from simulator.replication import Player
from simulator.strategies import strategy_named
from tests.unit.rollout_tiny import scenario_of


def changed(name: str, **release: Any) -> Scenario:
    """The library's scenario, its release changed."""
    plain = YAML(typ="safe", pure=True).load(load(name)[1].text)
    plain["release"].update(release)
    return scenario_of(plain)


def rows(scenario: Scenario, strategy: str, defects: list[str], replications: int = 4) -> list[FunctionMeasure]:
    player = Player(scenario, strategy_named(scenario, strategy), 1, defects)
    return [player.measures(replication)[0] for replication in range(replications)]


def worst_s(measures: list[FunctionMeasure]) -> float:
    return max(row.rto_s for row in measures)


def failed(measures: list[FunctionMeasure]) -> float:
    return sum(row.failed for row in measures) / sum(row.requests for row in measures)


def test_a_leak_outlives_a_short_bake() -> None:
    long = rows(load("slow-leak")[0], "canary", ["leak"])
    short = rows(
        changed("slow-leak", strategy={"canary": {"steps": [{"weight": "10%"}, {"bake": "3m"}]}}), "canary", ["leak"]
    )
    assert all(row.outcome == "rolled-back" for row in long)
    assert failed(short) > 5 * failed(long)


def test_a_peak_meets_whoever_has_all_the_traffic() -> None:
    scenario = load("peak-only")[0]
    assert failed(rows(scenario, "rolling", ["small-pool"])) > 5 * failed(rows(scenario, "canary", ["small-pool"]))


def test_a_rollback_that_needs_what_is_broken_waits_for_people() -> None:
    scenario = load("broken-rollback")[0]
    alone = changed("broken-rollback", rollback_risks=[])
    waits, quick = (rows(each, "rolling", ["key-rotation"]) for each in (scenario, alone))
    assert worst_s(quick) < 400
    assert all(slow.rto_s > fast.rto_s + 200 for slow, fast in zip(waits, quick, strict=True))
    # A third of the traffic on the broken version leaves more than half of the answers well: nothing to wait for.
    assert worst_s(rows(scenario, "canary", ["key-rotation"])) < 400


def test_versions_side_by_side_fail_in_the_wrong_order_only() -> None:
    scenario = load("version-skew")[0]
    changes = [{"service": "api", "from": "31", "to": "32"}, {"service": "front", "from": "9", "to": "10"}]
    swapped = changed("version-skew", changes=changes, guardrails=[])
    assert failed(rows(scenario, "rolling", ["form-dropped"], 2)) == 0
    assert failed(rows(swapped, "rolling", ["form-dropped"], 2)) > 0.03


def test_a_release_with_the_old_version_still_up_has_room_for_a_lost_zone() -> None:
    scenario = load("zone-outage")[0]
    assert failed(rows(scenario, "blue-green", [])) < 0.5 * failed(rows(scenario, "rolling", []))


def test_without_autoscaling_a_sale_is_lost() -> None:
    scenario, text = load("autoscaling-lag")
    plain = YAML(typ="safe", pure=True).load(text.text)
    del plain["system"]["services"]["shop"]["autoscaling"]
    fixed = scenario_of(plain)
    assert fixed.system.services["shop"].autoscaling is None
    assert failed(rows(fixed, "canary", [], 2)) > 10 * failed(rows(scenario, "canary", [], 2))


def test_a_rollout_in_a_crash_loop_is_taken_back_at_its_deadline_and_nobody_notices() -> None:
    stuck = rows(load("crash-loop")[0], "rolling", ["bad-secret"], 2)
    assert [row.outcome for row in stuck] == ["rolled-back"] * 2
    assert failed(stuck) < 1e-3
    assert all(600 < row.release_duration_s < 630 for row in stuck)
    # Recreate has stopped the old version before the new one fails to start.
    assert worst_s(rows(load("crash-loop")[0], "recreate", ["bad-secret"], 2)) > 600
