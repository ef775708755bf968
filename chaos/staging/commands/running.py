"""One command, run to its end or killed at its time: never through a shell's reading of its arguments.

A command runs in a process group of its own. It is on disk in the state directory before it does anything: it is
started behind a gate, a line on its standard input, that opens only once it is written down. So whoever undoes after a
harness that was killed finds every command that may still be at work, and ends it first (`end_left_over`). So does
whoever does not want a verb any more (`end_under_way`). Where nothing can be written (a full disk) it does its work all
the same: an undo that has no commands undoes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.errors import StagingUnclean
from chaos.staging.commands.errors import CommandFailed
from chaos.staging.paths import write_atomically
from chaos.staging.processes import ProcessId, alive, identify

__all__ = ["Ended", "end_left_over", "end_under_way", "run"]

RUNNING_FOLDER = "commands"
# A shell that reads one line, byte by byte as POSIX asks of it, and then becomes the command, arguments as they are.
_GATE = ("/bin/sh", "-c", 'read -r go && [ "$go" = go ] && exec "$@"', "windtunnel")
_OPEN = b"go\n"
_TERM_S = 2.0
_KILL_S = 5.0
_POLL_S = 0.02
_OUTPUT_BYTES_MAX = 4 << 20


@dataclass(frozen=True)
class Ended:
    """A command that ended. `code` is None when it was killed at its time; output is cut at 4 MiB."""

    code: int | None
    duration_s: float
    out: str
    err: str


def run(
    argv: Sequence[str],
    *,
    verb: str,
    state_dir: Path,
    folder: Path,
    env: Mapping[str, str],
    stdin: bytes,
    timeout_s: float,
) -> Ended:
    """Run a command to its end. Raises CommandFailed when it cannot be started; its exit code is the caller's."""
    started_s = time.monotonic()
    # Files and no pipes: what a command leaves running in the background may keep its output open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                [*_GATE, *argv],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(f"{argv[0]} could not be started in {folder}: {error}") from error
        note = _note(state_dir, verb, child)
        try:
            code = _wait(child, stdin, started_s + timeout_s)
        finally:
            _end_group(child)
            assert child.stdin is not None
            child.stdin.close()  # still open where the time was over before the command had read all of it
            if note is not None:
                note.unlink(missing_ok=True)
        duration_s = time.monotonic() - started_s
        return Ended(code, duration_s, _read(out.fileno()), _read(err.fileno()))


def end_left_over(state_dir: Path) -> list[int]:
    """End the commands of a harness that is dead; their pids. Raises StagingUnclean when one survives."""
    ended = []
    for note, _, process in _noted(state_dir):
        if alive(process):
            _kill_group(process.pid, signal.SIGKILL)
            _await_end(process)
            ended.append(process.pid)
        note.unlink(missing_ok=True)
    return ended


def end_under_way(state_dir: Path, verb: str) -> None:
    """End the commands of one verb, each with its group: SIGTERM, and after 2 s SIGKILL. Raises StagingUnclean."""
    for _, of, process in _noted(state_dir):
        if of != verb or not alive(process):
            continue
        _kill_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(StagingUnclean):
            _await_end(process, _TERM_S)
        _kill_group(process.pid, signal.SIGKILL)  # also its children, which may not have heard the first one
        _await_end(process)


def _noted(state_dir: Path) -> Iterator[tuple[Path, str, ProcessId]]:
    """The commands that are written down, each with its file and verb."""
    for note in sorted((state_dir / RUNNING_FOLDER).glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            told = json.loads(note.read_text(encoding="utf-8"))
            yield note, told["verb"], ProcessId(**told["process"])


def _await_end(process: ProcessId, within_s: float = _KILL_S) -> None:
    deadline_s = time.monotonic() + within_s
    while alive(process):
        if time.monotonic() > deadline_s:
            raise StagingUnclean(f"command (pid {process.pid}) still runs after SIGKILL")
        time.sleep(_POLL_S)


def _note(state_dir: Path, verb: str, child: subprocess.Popen[bytes]) -> Path | None:
    """Write the process down; None when that cannot be, or when it is gone already, having found no gate to open."""
    folder = state_dir / RUNNING_FOLDER
    try:
        process = identify(child.pid)
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{child.pid}.json"
        write_atomically(path, json.dumps({"verb": verb, "process": asdict(process)}))
    except OSError:  # gone (ProcessLookupError), or a full disk
        return None
    except BaseException:
        child.kill()
        child.wait(_KILL_S)
        raise
    return path


def _wait(child: subprocess.Popen[bytes], stdin: bytes, until_s: float) -> int | None:
    """The exit code, or None when the time was over first."""
    try:
        child.communicate(_OPEN + stdin, timeout=max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    return child.returncode


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, its whole group: SIGTERM, then SIGKILL."""
    if child.poll() is not None:
        return
    _kill_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_TERM_S)
    _kill_group(child.pid, signal.SIGKILL)  # also its children, which may not have heard the first one
    child.wait(_KILL_S)


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _read(descriptor: int) -> str:
    return os.pread(descriptor, _OUTPUT_BYTES_MAX, 0).decode("utf-8", "replace")
