"""`windtunnel verify`: its table, its document, its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.verification import registry
from simulator.verification.agreement import exactly
from simulator.verification.registry import CHECKS, Check
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


@pytest.fixture
def one_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted check among the true ones, with a line that leaves its bounds."""
    planted = Check("planted", lambda _: [exactly("fine", 1, 1), exactly("lost requests", 0, 2, "planted")])
    monkeypatch.setattr(registry, "CHECKS", (*CHECKS, planted))


def test_table_and_code_0_when_all_is_within(windtunnel: Run) -> None:
    result = windtunnel("verify", "--only", "retries", "--only", "thinning", "--repetitions", "20")
    assert result.code == ExitCode.PASS
    for word in ("CHECK", "THEORY", "OBSERVED", "BOUNDS", "WITHIN", "retries fail, x 0.5: x^4", "0.0625", "0.0603"):
        assert word in result.out
    assert "17 of 17 within; seed 1, 20 repetitions" in result.out
    assert "NO" not in result.out


@pytest.mark.usefixtures("one_outside")
def test_code_1_and_the_line_that_is_outside(windtunnel: Run) -> None:
    result = windtunnel("verify", "--only", "planted")
    assert result.code == ExitCode.FAIL
    assert "1 of 2 within" in result.out
    assert "outside: planted, lost requests: 2 must be in 0 .. 0 (equal, without tolerance)" in result.out


@pytest.mark.usefixtures("one_outside")
def test_one_document(windtunnel: Run) -> None:
    result = windtunnel("verify", "--only", "planted", "--only", "mm1k", "--seed", "4", "--json")
    document = json.loads(result.out)
    assert result.code == document["exit_code"] == ExitCode.FAIL
    assert (document["seed"], document["repetitions"], document["within"]) == (4, 1000, False)
    assert [(check["name"], check["within"]) for check in document["checks"]] == [("mm1k", True), ("planted", False)]
    line = document["checks"][0]["agreements"][0]
    assert line["low"] < line["observed"] < line["high"]
    assert line["basis"] == "4 standard errors of 25 batch means"


def test_unknown_check_is_2_and_names_those_that_there_are(windtunnel: Run) -> None:
    result = windtunnel("verify", "--only", "nothing")
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "only(=nothing) must be one of: mmc, mg1" in result.err


def test_too_few_repetitions_is_2(windtunnel: Run) -> None:
    assert windtunnel("verify", "--repetitions", "1").code == ExitCode.USAGE


def test_the_guide_names_every_check_and_shows_its_lines() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")
    for check in CHECKS:
        assert f"| `{check.name}`" in guide
        assert f"\n{check.name}  " in guide
