"""The root command: help, version, and what becomes of errors."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

import pytest
from typer.main import get_command

from windtunnel import __version__
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.main import app

Run = Callable[..., Any]


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group by its full name; the root's is empty."""
    yield name, group
    for each, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {each}".strip())


COMMANDS = dict(commands(get_command(app)))
GROUPS = [name for name, command in COMMANDS.items() if hasattr(command, "commands")]
EXAMPLES = [
    line.strip()
    for command in COMMANDS.values()
    for line in (command.epilog or "").splitlines()
    if line.startswith("  windtunnel ")
]


def test_version(windtunnel: Run) -> None:
    result = windtunnel("--version")
    assert (result.code, result.out) == (0, f"windtunnel {__version__}\n")


@pytest.mark.parametrize("group", GROUPS)
def test_help_names_every_command_with_a_whole_sentence(group: str, windtunnel: Run) -> None:
    result = windtunnel(*group.split(), "--help")
    listed = dict(re.findall(r"(?m)^  ([\w-]+)  +(.+)$", result.out.partition("Commands:")[2]))
    assert (result.code, set(listed)) == (0, set(COMMANDS[group].commands))
    assert [name for name, said in listed.items() if not said.endswith(".") or said.endswith("...")] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_help_are_commands_with_options_that_there_are(example: str) -> None:
    group, arguments = COMMANDS[""], shlex.split(example.partition(" > ")[0])[1:]
    while hasattr(group, "commands"):
        name, command, arguments = group.resolve_command(group.make_context("windtunnel", ["--"]), arguments)
        group = command
    assert group.make_context(name, list(arguments)).params


def test_a_shell_completes_commands_options_and_scenarios_of_the_library() -> None:
    def completed(words: str) -> list[str]:
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_WINDTUNNEL_COMPLETE": "complete_bash"}
        command = [sys.executable, "-c", "from windtunnel.cli.main import run; run()"]
        return subprocess.run(
            command, env={**os.environ, **typed}, capture_output=True, text=True, timeout=60, check=True
        ).stdout.split()

    assert completed("windtunnel sens") == ["sensitivity"]
    assert completed("windtunnel drill --st") == ["--strategy", "--staging", "--state"]
    assert completed("windtunnel drill shop-re") == ["shop-release", "shop-restore"]


@pytest.mark.parametrize("arguments", [["no-such-command"], ["scenario", "validate"], ["--no-such"]])
def test_bad_usage_is_2_and_has_no_traceback(arguments: list[str], windtunnel: Run) -> None:
    result = windtunnel(*arguments)
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["simulate"], ["simulate", "shop-release", "-n", "x"], ["scenario", "list", "too-much"]],
)
def test_bad_usage_as_json_is_one_document(arguments: list[str], windtunnel: Run) -> None:
    result = windtunnel(*arguments, "--json")
    document = json.loads(result.out)
    assert result.code == document["exit_code"] == ExitCode.USAGE
    assert document["error"]["message"] in result.err


def test_unknown_scenario_is_2_with_one_message(windtunnel: Run) -> None:
    result = windtunnel("scenario", "show", "no-such")
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert result.err.startswith("windtunnel: no-such: is no file, and not in the library")


def test_error_as_json_is_one_document(windtunnel: Run) -> None:
    document = json.loads(windtunnel("scenario", "show", "no-such", "--json").out)
    assert document["exit_code"] == ExitCode.USAGE
    assert document["error"]["kind"] == "ScenarioNotFound"


@pytest.fixture
def broken_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> list[str]:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("scenarios.catalogue.library_names", explode)


@pytest.mark.usefixtures("broken_library")
def test_defect_of_ours_is_4_and_short(windtunnel: Run) -> None:
    result = windtunnel("scenario", "list")
    assert (result.code, result.out) == (ExitCode.ERROR, "")
    assert "internal error: ZeroDivisionError: of ours" in result.err
    assert "Traceback" not in result.err


def test_a_machine_that_is_too_small_is_no_defect_of_ours(windtunnel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> list[str]:
        raise MemoryError("Unable to allocate 3.65 GiB")

    monkeypatch.setattr("scenarios.catalogue.library_names", exhausted)
    result = windtunnel("scenario", "list")
    assert result.code == ExitCode.ERROR
    assert result.err.startswith("windtunnel: not enough memory (Unable to allocate 3.65 GiB): a longer measure.")


@pytest.mark.usefixtures("broken_library")
def test_debug_shows_the_traceback(windtunnel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDTUNNEL_DEBUG", "1")
    result = windtunnel("scenario", "list")
    assert result.code == ExitCode.ERROR
    assert "Traceback" in result.err


def test_interrupt_is_130(windtunnel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("scenarios.catalogue.library_names", interrupt)
    result = windtunnel("scenario", "list", "--json")
    assert result.code == json.loads(result.out)["exit_code"] == ExitCode.INTERRUPTED
    assert "Traceback" not in result.err


def test_an_interrupt_carries_what_those_say_whom_it_ends(windtunnel: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> list[str]:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt as error:
            error.add_note("a part is kept")
            raise
        return []

    monkeypatch.setattr("scenarios.catalogue.library_names", interrupt)
    result = windtunnel("scenario", "list", "--json")
    assert result.code == json.loads(result.out)["exit_code"] == ExitCode.INTERRUPTED
    assert json.loads(result.out)["error"]["message"] == "interrupted\na part is kept"


def test_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "windtunnel", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(timeout=30) == ExitCode.BROKEN_PIPE
    assert error == ""


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("stream", "code"), [(">&-", 0), ("2>&-", 0), (">/dev/full", ExitCode.ERROR)])
def test_a_stream_that_takes_nothing_is_no_defect_of_ours(stream: str, code: int) -> None:
    result = shell(f"{sys.executable} -m windtunnel scenario list {stream}")
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr


@pytest.mark.parametrize("lines", [0, 3])
def test_a_closed_terminal_ends_nothing(lines: int) -> None:
    """Lines and the live view's pictures go nowhere then; what was under way goes on."""
    master, slave = pty.openpty()
    script = """
        import sys
        from chaos.watching import Snapshot
        from scenarios.loading import load
        from windtunnel.cli.live import live_view
        from windtunnel.cli.output import say

        with live_view(load("shop-release")[0]) as view:
            say("open")
            sys.stdin.readline()
            for second in range(int(sys.argv[1])):
                view.look(Snapshot(second, {}, ()))
                view.say("a line")
                say("a line")
        print("went on")
    """
    command = [sys.executable, "-c", dedent(script), str(lines)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave) as child:
        os.close(slave)
        while b"open" not in os.read(master, 4096):
            pass
        os.close(master)
        out, _ = child.communicate(b"\n", timeout=60)
    assert (child.returncode, out) == (0, b"went on\n")


def test_json_survives_a_locale_without_the_characters() -> None:
    command = f"{sys.executable} -m windtunnel scenario show sz\u00e9nario --json"
    result = shell(f"LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii:strict {command}")
    assert json.loads(result.stdout)["exit_code"] == ExitCode.USAGE
    assert "Traceback" not in result.stderr
