"""Where output goes: the answer to stdout, everything else to stderr.

With ``--json`` stdout carries one JSON document and nothing else, also when the command fails.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from windtunnel.cli.exits import ExitCode

__all__ = ["emit_error", "emit_json", "emit_table", "emit_text", "lasting_stderr", "say", "write_page"]

# Tables that go to a file or a pipe are not folded to a terminal's width.
_WIDTH_WITHOUT_TERMINAL = 200


def say(text: str) -> None:
    """Tell the person at the terminal, on stderr."""
    if sys.stderr is None:  # closed by the caller; print would take stdout for it
        return
    with lasting_stderr():
        print(text, file=sys.stderr, flush=True)


@contextmanager
def lasting_stderr() -> Iterator[None]:
    """What is written to stderr inside, and cannot be, ends nothing: a drill goes on when its terminal was closed."""
    try:
        yield
    except OSError:
        _give_up(sys.stderr)


def emit_text(text: str) -> None:
    """Write the answer to stdout, ending in one newline."""
    _write(text if text.endswith("\n") else text + "\n")


def emit_json(document: Any) -> None:
    """Write one JSON document to stdout; raises ValueError for NaN, which JSON does not have."""
    emit_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def emit_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    terminal = sys.stdout is not None and sys.stdout.isatty()
    # Into text: rich writes to its file even when told to capture, and does not know closed or full streams.
    text = StringIO()
    Console(file=text, force_terminal=terminal, width=None if terminal else _WIDTH_WITHOUT_TERMINAL).print(table)
    _write("\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines()) + "\n")


def write_page(path: Path, text: str, option: str) -> None:
    """Write a file that the user named by an option; raises UsageError when it cannot be written."""
    from windtunnel.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option}(={path}) cannot be written: {error.strerror}") from error


def emit_error(message: str, kind: str, code: int, details: Mapping[str, Any]) -> None:
    """The JSON document of a command that failed."""
    emit_json({"error": {"kind": kind, "message": message, **details}, "exit_code": code})


def _write(text: str) -> None:
    if sys.stdout is None:  # closed by the caller, who has the exit code
        return
    try:
        sys.stdout.write(_encodable(text))
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up(sys.stdout)  # the reader (head, less) has had enough
        raise SystemExit(ExitCode.BROKEN_PIPE) from None
    except OSError as error:
        _give_up(sys.stdout)
        say(f"windtunnel: stdout: cannot be written: {error.strerror}")
        raise SystemExit(ExitCode.ERROR) from None


def _give_up(stream: TextIO) -> None:
    """What is left of it, and what comes yet, goes nowhere: closing it at the end would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encodable(text: str) -> str:
    """What stdout's encoding does not have, as the escapes of JSON."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_escaped(each, encoding) for each in text)
    return text


def _escaped(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(character)[1:-1]
    return character
