"""The safety lever, the target's lock and the gate that is asked again while a drill runs."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.safety import lever
from chaos.safety.errors import DrillStopped, LeverOn, MarkerMismatch, MarkerUnreachable, TargetBusy
from chaos.safety.lever import VARIABLE, lever_path, lever_reason, require_lever_off, turn_off, turn_on
from chaos.safety.recheck import Recheck
from chaos.safety.target_lock import hold_target
from chaos.staging import paths
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
# The modules are read before it is somebody else, who may not read them.
HOLDER = """
import os, pwd, sys
from chaos.safety.target_lock import hold_target
os.setuid(pwd.getpwnam("nobody").pw_uid)
with hold_target(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


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
    lever_path().rmdir()
    lever_path().symlink_to(tmp_path / "nowhere")
    assert lever_reason() == "a link to nothing"
    lever_path().unlink()
    os.mkfifo(lever_path())  # never answers, as a shared disk that is lost
    monkeypatch.setattr(lever, "_TIMEOUT_S", 0.1)
    assert "cannot be read: reading" in str(lever_reason())


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


def test_two_drills_never_share_a_target_whoever_they_are() -> None:
    token, other = uuid.uuid4().hex, uuid.uuid4().hex
    user = pwd.getpwuid(os.getuid()).pw_name
    with (
        hold_target(token),
        hold_target(other),
        pytest.raises(TargetBusy, match=rf"another drill is at the target: pid {os.getpid()} \(user {user}\)"),
        hold_target(token),
    ):
        pass
    with hold_target(token):
        pass  # free again


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_the_drill_of_another_user_is_seen() -> None:
    token = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, token], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as drill:
        assert drill.stdout is not None
        assert drill.stdout.readline() == "held\n"
        with pytest.raises(TargetBusy, match=rf"pid {drill.pid} \(user nobody\)"), hold_target(token):
            pass
        drill.kill()
        drill.wait(10)
    with hold_target(token):
        pass


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


@pytest.mark.parametrize("command", [["drill", "shop-release"], ["staging", "up"]])
def test_a_state_folder_that_cannot_be_written_to_is_told(
    command: list[str], tmp_path: Path, windtunnel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths.os, "access", lambda _, mode: not mode & os.W_OK)  # root may write where it likes
    result = windtunnel(*command, "--state", str(tmp_path))
    assert result.code == ExitCode.USAGE
    assert f"folder {tmp_path}: cannot be written to" in result.err


def test_a_lever_that_cannot_be_turned_is_told(
    tmp_path: Path, windtunnel: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lever").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lever"))
    for command, told in ((["on", "why"], "cannot be turned on: Is a directory"), (["off"], "cannot be turned off")):
        result = windtunnel("lever", *command)
        assert (result.code, told in result.err) == (ExitCode.ERROR, True), result.err
