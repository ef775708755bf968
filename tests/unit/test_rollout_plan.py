"""The exact steps of every strategy."""

from typing import Any

import pytest

from rollout.plan import plan
from scenarios.models import Change, Strategy

CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})


def steps(strategy: dict[str, Any], replicas: int) -> list[str]:
    return [str(step) for step in plan(Strategy.model_validate(strategy), CHANGE, replicas)]


def test_recreate() -> None:
    assert steps({"recreate": {}}, 3) == ["stop v1", "deploy v2 x3", "route 1 to new"]


def test_blue_green() -> None:
    assert steps({"blue-green": {"preview": "10s"}}, 3) == [
        "deploy v2 x3",
        "bake 10 s",
        "route 1 to new",
        "bake 30 s",
        "stop v1",
    ]
    assert steps({"blue-green": {"scale_down_delay": "0s"}}, 3) == ["deploy v2 x3", "route 1 to new", "stop v1"]


def test_canary_grows_with_its_weight_and_old_stays_whole() -> None:
    canary = {"canary": {"steps": [{"weight": "5%"}, {"bake": "1m"}, {"weight": "50%"}, {"weight": "60%"}]}}
    assert steps(canary, 4) == [
        "deploy v2 x1",
        "route 0.05 to new",
        "bake 60 s",
        "deploy v2 x2",
        "route 0.5 to new",
        "deploy v2 x3",
        "route 0.6 to new",
        "deploy v2 x4",
        "route 1 to new",
        "stop v1",
    ]


def test_canary_does_not_deploy_again_what_is_there() -> None:
    assert steps({"canary": {"steps": [{"weight": "5%"}, {"weight": "25%"}]}}, 2) == [
        "deploy v2 x1",
        "route 0.05 to new",
        "route 0.25 to new",
        "deploy v2 x2",
        "route 1 to new",
        "stop v1",
    ]


@pytest.mark.parametrize("percent", range(1, 101))
def test_whole_percentages_of_100_replicas_are_that_many(percent: int) -> None:
    # 29 % of 100 is 28.999... in floating point, and 7 % is 7.000000000000001.
    assert steps({"canary": {"steps": [{"weight": f"{percent}%"}]}}, 100)[0] == f"deploy v2 x{percent}"


def test_rolling_surge_one() -> None:
    assert steps({"rolling": {"surge": 1, "unavailable": 0, "pause": "5s"}}, 2) == [
        "deploy v2 x1", "route 0.3333 to new", "bake 5 s",
        "route 0.5 to new", "deploy v1 x1", "deploy v2 x2", "route 0.6667 to new", "bake 5 s",
        "route 1 to new", "stop v1",
    ]  # fmt: skip


def test_rolling_pauses_after_its_last_batch_too() -> None:
    assert steps({"rolling": {"surge": 0, "unavailable": "100%", "pause": "5s"}}, 3)[-1] == "bake 5 s"
    found = steps({"rolling": {"surge": 0, "unavailable": 1, "pause": "5s"}}, 2)
    assert found.count("bake 5 s") == 2
    assert found[-1] == "bake 5 s"


def test_rolling_without_surge_takes_away_first() -> None:
    assert steps({"rolling": {"surge": 0, "unavailable": 1}}, 2) == [
        "route 0 to new",
        "deploy v1 x1",
        "deploy v2 x1",
        "route 0.5 to new",
        "route 1 to new",
        "stop v1",
        "deploy v2 x2",
        "route 1 to new",
    ]


def test_rolling_with_everything_unavailable_is_down_in_between() -> None:
    assert steps({"rolling": {"surge": 0, "unavailable": "100%"}}, 3) == ["stop v1", "deploy v2 x3", "route 1 to new"]


@pytest.mark.parametrize(
    ("rolling", "replicas", "counts"),
    [
        ({}, 1, (1, 0)),  # 25 % of 1: up to 1, down to 0
        ({}, 4, (1, 1)),
        ({}, 10, (3, 2)),
        ({"surge": "29%", "unavailable": "29%"}, 100, (29, 29)),
        ({"surge": "7%", "unavailable": "7%"}, 100, (7, 7)),
        ({"surge": "0%", "unavailable": "10%"}, 2, (0, 1)),  # both 0: Kubernetes makes unavailable 1
        ({"surge": 0, "unavailable": 9}, 2, (0, 2)),
        ({"surge": 3, "unavailable": 0}, 2, (3, 0)),
    ],
)
def test_rolling_rounds_surge_up_and_unavailable_down(
    rolling: dict[str, Any], replicas: int, counts: tuple[int, int]
) -> None:
    found = Strategy.model_validate({"rolling": rolling}).rolling
    assert found is not None
    assert found.counts(replicas) == counts
