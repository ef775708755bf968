"""``windtunnel peak`` as far as it goes without a staging."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scenarios.loading import read
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("windtunnel_state")


@pytest.fixture
def peaked(tmp_path: Path) -> str:
    """The shop's release, in which checkout gets three times its 50/s from 20 s to 22 s."""
    text = read("shop-release").text
    path = tmp_path / "peaked.yaml"
    path.write_text(
        text.replace("rate: 50/s", "rate: 50/s\n    profile: {peaks: [{at: 20s, for: 2s, factor: 3}]}"),
        encoding="utf-8",
    )
    return str(path)


def test_dry_run_prints_the_window_and_touches_nothing(windtunnel: Run, windtunnel_state: Path, peaked: str) -> None:
    plan = json.loads(windtunnel("peak", peaked, "--pairs", "4", "--block", "5s", "--dry-run", "--json").out)
    assert plan["window_s"] == [17.0, 22.0]
    assert plan["requests"] == {"checkout": 450.0, "browse": 200.0}
    assert plan["highest_per_s"] == {"checkout": 150.0, "browse": 40.0}
    assert (plan["pairs"], plan["versions"], plan["defects"]) == (4, ["2.3", "2.4"], ["coupon-errors"])
    assert not windtunnel_state.exists()
    text = windtunnel("peak", peaked, "--dry-run", "--good").out
    assert "17 to 22 s of the scenario: checkout 450 requests, up to 150/s; browse 200 requests" in text
    assert "none: the release is good" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--block", "40s"], "--block(=40s) 40 s must be at most the scenario's"),
        (["--block", "0s"], "--block(=0s)"),
        (["--pairs", "2"], "pairs(=2) must be 3..100"),
        (["--defect", "typo"], "defect(=typo) must be one of"),
    ],
)
def test_what_cannot_be_played_is_refused(options: list[str], message: str, windtunnel: Run, peaked: str) -> None:
    result = windtunnel("peak", peaked, "--dry-run", *options)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert message in result.err
