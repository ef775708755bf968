"""The safety lever, the target's lock and the gate that is asked again while a drill runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.safety.errors import DrillStopped, LeverOn, MarkerMismatch, MarkerUnreachable, TargetBusy
from chaos.safety.lever import VARIABLE, lever_path, lever_reason, require_lever_off, turn_off, turn_on
from chaos.safety.recheck import Recheck
from chaos.safety.target_lock import hold_target
from chaos.safety.targets import Target
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_lever_blocks_with_its_reason_until_it_is_off() -> None:
    require_lever_off()
    turn_on("month end")
    with pytest.raises(LeverOn, match=r"is on: month end; .*windtunnel lever off"):
        require_lever_off()
    assert turn_off()
    assert not turn_off()
    require_lever_off()


def test_any_file_in_its_place_is_a_lever_that_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "shared"))
    lever_path().touch()
    assert lever_reason() == "no reason was given"
    lever_path().unlink()
    lever_path().mkdir()
    assert "cannot be read" in str(lever_reason())


@pytest.mark.usefixtures("windtunnel_state")
def test_no_drill_starts_while_the_lever_is_on(windtunnel: Run, windtunnel_state: Path) -> None:
    assert json.loads(windtunnel("lever", "on", "month end", "--json").out)["reason"] == "month end"
    result = windtunnel("drill", "shop-release")
    assert result.code == ExitCode.USAGE
    assert "month end" in result.err
    assert not windtunnel_state.exists()
    assert windtunnel("drill", "shop-release", "--dry-run").code == 0  # nothing is touched
    assert "The lever is off." in windtunnel("lever", "off").out
    assert json.loads(windtunnel("lever", "status", "--json").out)["on"] is False
    assert windtunnel("lever", "on", " ").code == ExitCode.USAGE
    assert windtunnel("abort").code == ExitCode.USAGE  # no drill to stop


def test_two_names_of_one_target_are_one() -> None:
    with (
        hold_target(Target("http://localhost:8080", ("::1", "127.0.0.1"))),
        hold_target(Target("http://localhost:8081", ("::1", "127.0.0.1"))),
        pytest.raises(TargetBusy, match="another drill is at it"),
        hold_target(Target("http://127.0.0.1:8080", ("127.0.0.1",))),
    ):
        pass
    with hold_target(Target("http://127.0.0.1:8080", ("127.0.0.1",))):
        pass  # free again


@pytest.mark.parametrize(
    ("then", "refusal"),
    [
        (MarkerMismatch("the marker of another staging"), "the marker of another staging"),
        (RuntimeError("no resolver"), "the gate failed: RuntimeError: no resolver"),
    ],
)
def test_the_gate_shuts_on_what_is_elsewhere_and_not_on_what_is_down(then: Exception, refusal: str) -> None:
    looks = [None, MarkerUnreachable("cut off by the drill's own fault"), None, then]
    all_looked = threading.Event()

    def look() -> None:
        found = looks.pop(0)
        if not looks:
            all_looked.set()
        if found is not None:
            raise found

    with Recheck(look, every_s=0.001) as recheck:
        assert all_looked.wait(10)
    with pytest.raises(DrillStopped, match=f"no longer passes the gate: {refusal}"):
        recheck.require()


@pytest.mark.parametrize("command", [["drill", "shop-release"], ["staging", "up"]])
def test_a_state_folder_that_cannot_be_made_is_told(command: list[str], tmp_path: Path, windtunnel: Run) -> None:
    (tmp_path / "file").touch()
    result = windtunnel(*command, "--state", str(tmp_path / "file" / "state"))
    assert result.code == ExitCode.USAGE
    assert f"folder {tmp_path}/file/state: cannot be made: Not a directory" in result.err


def test_a_lever_that_cannot_be_turned_is_told(
    tmp_path: Path, windtunnel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lever").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lever"))
    for command, told in ((["on", "why"], "cannot be turned on: Is a directory"), (["off"], "cannot be turned off")):
        result = windtunnel("lever", *command)
        assert (result.code, told in result.err) == (ExitCode.ERROR, True), result.err
