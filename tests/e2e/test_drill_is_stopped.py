"""Drills ended from outside, or by what they do to their functions: release and fault undone, verdict error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.safety.lever import VARIABLE
from chaos.staging.embedded import EmbeddedStaging
from tests.e2e.drills import (
    DRILL_TIMEOUT_S,
    QUIET,
    kinds_so_far,
    only_record,
    processes_naming,
    short_shop,
    start_drill,
    wait_for,
    windtunnel,
)

pytestmark = pytest.mark.e2e

_LONG = {"duration: 20s": "duration: 60s"}  # enough to be stopped in the middle
_LATENCY = "{at: 7s, for: 4s, latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}}"
_STOP = "{error_budget: 25%, down: 30s}"
# What ends the drill: what it says, the scenario's changes, and how its fault is undone. The other conditions are of
# one piece with these (tests/unit/test_supervision.py).
ENDS = {
    "lever": (
        "the safety lever is on: month end",
        {_LATENCY: "{at: 7s, for: 40s, latency: {on: checkout -> payments, add: 20ms}}"},
        ("latency", "remove toxic"),
    ),
    "down-too-long": (
        "browse has been down for",
        {_LATENCY: "{at: 7s, for: 40s, cut: {on: edge -> catalogue}}", _STOP: "{error_budget: 100%, down: 2s}"},
        ("cut", "enable proxy"),
    ),
    # some 600 requests of browse are planned
    "error-budget": (
        "of its error budget",
        {
            _LATENCY: "{at: 7s, for: 40s, error: {on: catalogue, share: 100%}}",
            _STOP: "{error_budget: 2%, down: 50s}",
        },
        ("error", "clear share"),
    ),
}


def scenario_in(folder: Path, changes: dict[str, str]) -> Path:
    folder.mkdir()
    path = short_shop(folder, **QUIET)
    text = path.read_text(encoding="utf-8")
    for old, new in {**_LONG, **changes}.items():
        assert old in text, f"the short shop no longer says {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def fault_in(folder: Path) -> Callable[[], bool]:
    """Whether the drill of this folder has a fault in force, and routes to the new version."""
    return lambda: {"fault-start", "route"} <= set(kinds_so_far(folder / "runs"))


def told(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(windtunnel(*arguments), capture_output=True, text=True, timeout=60, check=False)


def test_whatever_ends_a_drill_release_and_fault_are_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, each with a staging of its own; the good release bakes, and one fault is in force."""
    drills: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, (_, changes, _) in ENDS.items():
            monkeypatch.setenv(VARIABLE, str(tmp_path / f"lever-of-{name}"))
            scenario = scenario_in(tmp_path / name, changes)
            drills[name] = start_drill(scenario, tmp_path / name / "state", tmp_path / name / "runs", "--good")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "lever-of-lever"))
        wait_for(fault_in(tmp_path / "lever"), DRILL_TIMEOUT_S, "a fault in the drill under the lever")
        assert told("lever", "on", "month end").returncode == 0
        refused = told("drill", str(tmp_path / "lever" / "short-shop.yaml"), "--state", str(tmp_path / "new"))
        assert (refused.returncode, "month end" in refused.stderr) == (2, True), refused.stderr
        for name, (reason, _, (kind, rung)) in ENDS.items():
            out, err = drills[name].communicate(timeout=DRILL_TIMEOUT_S)
            document = json.loads(out)
            assert drills[name].returncode == document["exit_code"] == 4, (name, document, err)
            assert reason in document["stopped"], document
            record = only_record(tmp_path / name / "runs")
            assert record.verdict()["status"] == "error"
            events = record.events()
            assert [event.subject for event in events if str(event.kind) == "stop"] == [name]
            undone = {str(event.detail["kind"]): event.detail["rung"] for event in events if str(event.kind) == "undo"}
            assert undone == {"release": "restore baseline", kind: rung}, undone
            # Application, data and steady state: looked at again, and as before.
            looked = [
                event.subject for event in events if str(event.kind) == "verify" and not event.detail["differences"]
            ]
            assert {"staging as before", "steady state"} <= set(looked), looked
    finally:
        for drill in drills.values():
            drill.kill()
            drill.communicate()
        for name in ENDS:
            EmbeddedStaging.down(tmp_path / name / "state")
    assert not processes_naming(tmp_path)
