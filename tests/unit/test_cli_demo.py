"""``windtunnel demo`` where its drill cannot be played: the drill's own reason is told, and its exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.realise import staging_config
from chaos.safety.locks import DRILL_LOCK, hold
from chaos.staging.embedded import Staging
from evidence.assess import assess
from evidence.beside import predicted_beside_measured
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.header import World
from evidence.report.content import gather
from scenarios.loading import load
from tests.unit.test_evidence_judging import written
from windtunnel import demo
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


def test_a_drill_that_was_stopped_is_told_and_put_beside_nothing(
    windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = [Event(0.0, "load-start", "client"), Event(9.0, "stop", "BaselineUnhealthy", {"message": "not well"})]
    drill = written(tmp_path, World.STAGING, events=[*stopped, Event(60.0, "load-end", "client")])
    simulation = written(tmp_path, World.SIMULATION)
    verdict = assess(drill.folder)
    assess(simulation.folder)
    with pytest.raises(JudgeError, match="release never started, so nothing was measured"):
        predicted_beside_measured(simulation, drill)
    drilled = SimpleNamespace(record=drill, report=SimpleNamespace(stopped="not well"), verdict=verdict)
    monkeypatch.setattr(demo, "drill", lambda *_, **__: drilled)
    monkeypatch.setattr(demo, "simulate", lambda *_, **__: None)
    comparison = "STRATEGIES COMPARED"
    monkeypatch.setattr(demo, "compare", lambda *_, **__: SimpleNamespace(comparison=comparison))
    monkeypatch.setattr("evidence.report.text.comparison_text", str)
    result = windtunnel("demo", "--out", str(tmp_path), "--state", str(tmp_path / "state"))
    assert result.code == ExitCode.ERROR
    assert comparison in result.out
    assert "stop at 9.00 s: not well" in result.out
    assert "The drill's verdict: error" in result.out
    assert "the drill was stopped early: not well" in result.err
    assert "not well" in (drill.folder / "report.html").read_text()
    assert gather(drill.folder).verdict.exit_code == ExitCode.ERROR


def test_a_staging_of_another_scenario_is_told_before_anything_is_simulated(
    windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, _ = load(demo.SCENARIO)
    other = replace(staging_config(scenario, 1), flag_poll_s=7.0)
    monkeypatch.setattr(Staging, "attach", lambda _: SimpleNamespace(config=other))
    monkeypatch.setattr(demo, "compare", lambda *_, **__: pytest.fail("simulated first"))
    demo_here = ("demo", "--out", str(tmp_path), "--state", str(tmp_path))
    with hold(tmp_path, DRILL_LOCK):
        result = windtunnel(*demo_here)
        assert result.code == ExitCode.USAGE
        assert f"drill.lock is held by pid {os.getpid()}" in result.err
    result = windtunnel(*demo_here)
    assert result.code == ExitCode.USAGE
    assert f"take it down first (windtunnel staging down --state {tmp_path})" in result.err
