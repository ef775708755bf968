"""A scenario as an experiment: valid for the Chaos Toolkit itself, and true to the drill that it plays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaoslib import substitute
from chaoslib.configuration import load_configuration
from chaoslib.experiment import run_experiment

from chaos.experiments import activities
from chaos.experiments.playing import play, read
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


@pytest.fixture
def experiment(
    windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, Any], pytest.MonkeyPatch]]:
    """The shop's release as an experiment, played with the Windtunnel of these tests, on no staging that is there."""
    file = tmp_path / "shop.json"
    done = windtunnel("scenario", "export", "shop-release", "--to", "chaostoolkit", "--out", str(file))
    assert done.code == 0, done.err
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("WINDTUNNEL_OUT", str(tmp_path / "runs"))
    monkeypatch.setenv("WINDTUNNEL_STATE", str(tmp_path / "state"))
    yield read(file), monkeypatch
    activities._Played.verdict = activities.NONE


def test_an_export_is_valid_and_its_drill_is_the_one_that_is_judged(
    experiment: tuple[dict[str, Any], pytest.MonkeyPatch], tmp_path: Path
) -> None:
    exported, _ = experiment
    (drill,) = exported["method"]
    asked = substitute(drill["provider"]["arguments"], load_configuration(exported["configuration"]), {})
    folders = ["--out", str(tmp_path / "runs"), "--state", str(tmp_path / "state")]
    assert asked["arguments"] == ["shop-release", *folders]
    (before,) = play(exported, "hypothesis", 20)
    assert before.well, before


@pytest.mark.parametrize(("status", "deviated"), [("pass", False), ("fail", True), ("inconclusive", True)])
def test_the_verdict_of_the_drill_is_the_experiments(
    experiment: tuple[dict[str, Any], pytest.MonkeyPatch], tmp_path: Path, status: str, deviated: bool
) -> None:
    exported, monkeypatch = experiment
    answer = json.dumps({"record": "runs/1", "verdict": {"status": status}, "measures": [], "exit_code": 1})
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{answer}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(activities.sys, "executable", str(program))
    journal = run_experiment(exported)
    assert journal["run"][0]["output"] == {"record": "runs/1", "verdict": {"status": status}, "exit_code": 1}
    assert journal["deviated"] is deviated


def test_a_drill_that_was_refused_proves_nothing(
    experiment: tuple[dict[str, Any], pytest.MonkeyPatch], tmp_path: Path
) -> None:
    exported, monkeypatch = experiment
    lever = tmp_path / "lever"
    lever.write_text("month end")
    monkeypatch.setenv("WINDTUNNEL_LEVER", str(lever))
    journal = run_experiment(exported)
    assert journal["run"][0]["output"]["exit_code"] == ExitCode.USAGE
    assert "month end" in journal["run"][0]["output"]["error"]["message"]
    assert (journal["status"], journal["deviated"]) == ("completed", True)
    assert [each["status"] for each in journal["rollbacks"]] == ["succeeded"]


def test_a_drill_that_takes_too_long_is_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, program = tmp_path / "told", tmp_path / "python"
    program.write_text(f"#!/bin/sh\ntrap 'touch {told}; exit 143' TERM\nwhile :; do sleep 0.05; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(activities.sys, "executable", str(program))
    with pytest.raises(subprocess.TimeoutExpired):
        activities.drill(["shop-release"], 0.5)
    assert told.exists()
    assert activities.verdict() == "error"
    activities._Played.verdict = activities.NONE


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shop-release", "--to", "gremlin"], "--to gremlin: must be chaostoolkit"),
        (["metastable", "--to", "chaostoolkit"], "cannot be drilled"),
        (["shop-release", "--to", "chaostoolkit", "--out", "/nowhere/shop.json"], "cannot be written: No such file"),
        (["shop-release", "--to", "chaostoolkit", "--strategy", "waves"], "waves"),
    ],
)
def test_what_cannot_be_exported_is_told(windtunnel: Run, arguments: list[str], says: str) -> None:
    done = windtunnel("scenario", "export", *arguments)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert says in done.err


def test_a_simulation_refuses_what_only_a_drill_can_play(windtunnel: Run, tmp_path: Path) -> None:
    text = windtunnel("scenario", "show", "shop-release").out
    file = tmp_path / "away.yaml"
    fault = "faults:\n  - {at: 9s, for: 2s, experiment: {file: away.json}}\n"
    file.write_text(text.replace("faults:\n", fault))
    done = windtunnel("simulate", str(file), "--replications", "1", "--out", str(tmp_path / "runs"))
    assert done.code == ExitCode.USAGE
    assert "faults[0].experiment: nothing but the Chaos Toolkit knows" in done.err
