"""``windtunnel drill|undo|staging`` as far as they go without a staging."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.safety.locks import DRILL_LOCK, hold
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("windtunnel_state")


def test_dry_run_prints_the_plan_and_touches_nothing(windtunnel: Run, windtunnel_state: Path) -> None:
    plan = json.loads(windtunnel("drill", "shop-release", "--dry-run", "--json").out)
    assert plan["strategy"] == "canary"
    assert plan["defects"] == ["coupon-errors"]
    assert plan["steps"][:2] == ["deploy 2.4 x1", "route 0.2 to new"]
    assert plan["state_dir"] == str(windtunnel_state)
    assert not windtunnel_state.exists()


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        ("shop-zones", "at 6 s: deploy 2.4 x1 in a; route 0.3333 to new; deploy 2.3 x2 in b, c; bake 10 s;"),
        ("shop-bad-data", "repair    reconcile, when bad data shows"),
    ],
)
def test_dry_run_tells_zones_and_repair(scenario: str, told: str, windtunnel: Run) -> None:
    assert told in windtunnel("drill", scenario, "--dry-run").out


def test_dry_run_of_a_good_release_by_another_strategy(windtunnel: Run) -> None:
    text = windtunnel("drill", "shop-release", "--dry-run", "--good", "--strategy", "recreate").out
    assert "by recreate" in text
    assert "none: the release is good" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategy", "sideways"], "strategy(=sideways) must be one of"),
        (["--defect", "typo"], "defect(=typo) must be one of"),
        (["--defect", "coupon-errors", "--good"], "must not both be given"),
    ],
)
def test_wrong_choice_is_told_with_the_right_ones(options: list[str], message: str, windtunnel: Run) -> None:
    result = windtunnel("drill", "shop-release", "--dry-run", *options)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert message in result.err


def test_a_staging_that_is_drilled_is_not_taken_down(tmp_path: Path, windtunnel: Run) -> None:
    with hold(tmp_path, DRILL_LOCK):
        result = windtunnel("staging", "down", "--state", str(tmp_path))
    assert result.code == ExitCode.USAGE
    assert f"drill.lock is held by pid {os.getpid()}" in result.err
    assert windtunnel("staging", "down", "--state", str(tmp_path)).code == 0


def test_no_staging(windtunnel: Run) -> None:
    assert windtunnel("staging", "status").code == ExitCode.USAGE
    assert windtunnel("staging", "down").code == 0
    undone = windtunnel("undo", "--json")
    assert undone.code == 0
    assert json.loads(undone.out) == {"clean": True, "undone": []}


def test_assess_needs_a_record(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel("assess", str(tmp_path), "--json")
    assert result.code == ExitCode.USAGE
    assert "not a run record" in json.loads(result.out)["error"]["message"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["drill", "shop-release", "--dry-run", "--load-workers", "0"], "--load-workers(=0) must be 1..64"),
        (["drill", "shop-release", "--dry-run", "--load-master", "here:1"], "--load-master(=here:1) must be a numeric"),
        (["peak", "shop-release", "--dry-run", "--load-workers", "65"], "--load-workers(=65) must be 1..64"),
        (["load", "worker", "--master", "127.0.0.1"], "--master(=127.0.0.1) must be a numeric address and a port"),
        (["load", "worker", "--master", "127.0.0.1:1", "--allow", "here"], "--allow(=here)"),
    ],
)
def test_who_sends_the_load_is_told_rightly(command: list[str], message: str, windtunnel: Run) -> None:
    result = windtunnel(*command)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert message in result.err
