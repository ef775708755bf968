"""Commands of a staging: bounded, told without a shell, and found again when their harness is dead."""

from __future__ import annotations

import base64
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from chaos.staging.commands.calling import Caller
from chaos.staging.commands.errors import CommandFailed
from chaos.staging.commands.running import end_left_over, run
from chaos.staging.files.commands import Command, Commands
from tests.e2e.drills import PATIENCE_S, runs, wait_for

ROOT = Path(__file__).resolve().parents[2]


def ended(
    folder: Path, script: str, *arguments: str, timeout_s: float = 20.0, stdin: bytes = b""
) -> tuple[int | None, str]:
    done = run(
        ["/bin/sh", "-c", script, "sh", *arguments],
        verb="deploy",
        state_dir=folder,
        folder=folder,
        env=dict(os.environ),
        stdin=stdin,
        timeout_s=timeout_s,
    )
    return done.code, done.out


def test_arguments_and_input_arrive_as_they_are(tmp_path: Path) -> None:
    odd = ("a b", "$HOME; rm -rf /", "`id`", "")
    assert ended(tmp_path, 'printf "<%s>" "$@"; cat', *odd, stdin=b"told") == (
        0,
        "".join(f"<{word}>" for word in odd) + "told",
    )
    assert list((tmp_path / "commands").iterdir()) == []


def test_exit_codes_are_the_caller_s(tmp_path: Path) -> None:
    assert ended(tmp_path, "exit 7") == (7, "")
    assert ended(tmp_path, "kill -KILL $$") == (-9, "")


def test_a_command_that_takes_too_long_dies_with_its_children(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 600 & echo $! > child; wait"
    started_s = time.monotonic()
    assert ended(tmp_path, script, timeout_s=0.5) == (None, "")
    assert time.monotonic() - started_s < 300
    wait_for(lambda: not runs(int((tmp_path / "child").read_text())), PATIENCE_S, "the child gone")
    assert list((tmp_path / "commands").iterdir()) == []


def test_a_daemon_that_a_command_leaves_does_not_hold_it_up(tmp_path: Path) -> None:
    code, out = ended(tmp_path, "sleep 600 & echo $!")
    child = psutil.Process(int(out))
    child.kill()
    assert code == 0


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="could not be started"):
        ended(tmp_path / "nowhere", "true")
    assert (
        run(["no-such-program"], verb="route", state_dir=tmp_path, folder=tmp_path, env={}, stdin=b"", timeout_s=5).code
        == 127
    )


def test_a_dead_harness_s_command_is_found_and_ended(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from chaos.staging.commands.running import run\n"
        "folder = Path(sys.argv[1])\n"
        "run(['sleep', '600'], verb='deploy', state_dir=folder, folder=folder, env=dict(os.environ), stdin=b'',\n"
        "    timeout_s=600)"
    )
    harness = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    try:
        notes = tmp_path / "commands"
        note = wait_for(lambda: list(notes.glob("*.json")) if notes.is_dir() else None, PATIENCE_S, "a note")[0]
        pid = json.loads(note.read_text())["process"]["pid"]
        wait_for(lambda: psutil.Process(pid).name() == "sleep", PATIENCE_S, "the gate to open")
    finally:
        harness.kill()
        harness.wait(10)
    assert runs(pid)
    assert end_left_over(tmp_path) == [pid]
    assert not runs(pid)
    assert end_left_over(tmp_path) == []


def caller(folder: Path, **changes: object) -> Caller:
    nothing = {"run": ["true"]}
    commands = {"deploy": nothing, "route": nothing, "status": nothing, "timeout": "10s", **changes}
    return Caller(Commands.model_validate(commands), folder, folder)


def command(*words: str, **changes: object) -> Command:
    return Command.model_validate({"run": list(words), **changes})


def test_a_verb_is_told_in_three_ways(tmp_path: Path) -> None:
    script = 'echo "$1|$WINDTUNNEL_VERB|$WINDTUNNEL_SERVICE|$WINDTUNNEL_WEIGHTS|$OWN"; cat'
    told = {"service": "checkout", "weights": {"2.3": 0.8, "2.4": 0.2}}
    answer = caller(tmp_path, env={"OWN": "file"}).call(
        "route", command("/bin/sh", "-c", script, "sh", "{weights}"), told
    )
    first, second = answer.splitlines()
    assert first == "2.3=0.8 2.4=0.2|route|checkout|2.3=0.8 2.4=0.2|file"
    assert json.loads(second) == {"verb": "route", **told}


def test_secrets_are_in_no_record_and_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    heard = []
    secrets = {"env": ["SHOP_PASSWORD"], "patterns": ["Bearer \\S+"]}
    calls = caller(tmp_path, secrets=secrets)
    calls.record_to(tmp_path / "record", lambda verb, detail: heard.append((verb, dict(detail))))
    script = 'echo "password $SHOP_PASSWORD"; echo "Authorization: Bearer abc.def" >&2; exit 3'
    with pytest.raises(CommandFailed, match=r"exit code\(=3\) must be 0") as caught:
        calls.call("status", command("/bin/sh", "-c", script), {"service": "hunter2"})
    kept = "".join(path.read_text() for path in (tmp_path / "record").iterdir())
    for text in (str(caught.value), kept, json.dumps(heard)):
        assert "hunter2" not in text
        assert "abc.def" not in text
        assert "***" in text
    assert [(verb, detail["exit_code"], detail["out"]) for verb, detail in heard] == [
        ("status", 3, "record/0001-status.out")
    ]


@pytest.mark.parametrize(
    "script",
    [
        'printf %s "$OWN"',
        'printf %s "$OWN" | base64',
        """python3 -c 'import json, os; print(json.dumps({"password": os.environ["OWN"]}))'""",
        """python3 -c 'import os, urllib.parse; print(urllib.parse.quote(os.environ["OWN"], safe=""))'""",
        """printf 'data:\n'; printf '%s\n' "$OWN" | sed 's/^/    /'""",
    ],
    ids=["plain", "base64", "json", "address", "indented"],
)
def test_a_secret_of_one_command_is_hidden_however_it_is_written(tmp_path: Path, script: str) -> None:
    secret = 'pa"ss/wörd\nsecond+line'
    shown = command("/bin/sh", "-c", script, env={"OWN": secret})
    calls = caller(tmp_path, status=shown.model_dump(by_alias=True), secrets={"env": ["OWN"]})
    calls.record_to(tmp_path / "record", lambda _verb, _detail: None)
    calls.call("status", shown, {"service": "checkout"})
    (kept,) = (path.read_text() for path in (tmp_path / "record").iterdir())
    assert "***" in kept
    assert not any(part in kept for part in ("ss/w", "ss%2F", "line", base64.b64encode(secret.encode()).decode()[:8]))


def test_a_timeout_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        CommandFailed, match=r"command of status \(sleep\): was killed: took longer than timeout\(=0.2 s\)"
    ):
        caller(tmp_path).call("status", command("sleep", "600", timeout="200ms"), {"service": "checkout"})


def test_what_a_command_did_not_read_in_its_time_leaves_no_pipe_open(tmp_path: Path) -> None:
    code, _ = ended(tmp_path, "sleep 600", timeout_s=0.3, stdin=bytes(1_000_000))  # more than a pipe holds
    assert code is None
    gc.collect()  # a pipe that nobody closed warns, which is an error
