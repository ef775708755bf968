"""The undo journal: what must be undone is on disk before it is done.

The journal is a file of JSON lines in the staging's state directory, only ever appended to:

    {"op": "open", "id": ..., "staging": ..., "drill": ..., "kind": ..., "target": ...,
     "undo": {...}, "at": ...}
    {"op": "done", "id": ..., "rung": ..., "at": ...}

`open` is written and fsynced, file and directory, before the fault is applied; `done` after its
undo was read back. An entry holds everything that its undo needs and no live object, so a process
that never saw the fault can undo it. A crash can leave the last line torn; a torn `open` was
never acknowledged, so its fault was never applied, and a torn `done` only means that an
idempotent undo runs once more. An unreadable line before the last one is damage, not a crash: it
may hide an undo, so no drill starts on it and no healing calls itself clean.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaos.safety.errors import JournalError

JOURNAL_NAME = "undo.jsonl"

__all__ = ["JOURNAL_NAME", "Journal", "JournalEntry", "JournalView", "new_entry", "read_journal"]


@dataclass(frozen=True)
class JournalEntry:
    """One thing to undo. `undo` is JSON and holds all that the undo of this `kind` needs.

    `staging_id` is the staging's token: on another staging, started later in the same place,
    there is nothing to undo.
    """

    id: str
    staging_id: str
    drill_id: str
    kind: str
    target: str
    undo: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JournalView:
    """The journal as read: open entries in the order written, and the torn last line if any."""

    open_entries: tuple[JournalEntry, ...]
    torn: str | None
    damaged: tuple[str, ...]
    intact_bytes: int


def new_entry(staging_id: str, drill_id: str, kind: str, target: str, undo: Mapping[str, Any]) -> JournalEntry:
    """An entry with a fresh id."""
    return JournalEntry(uuid.uuid4().hex, staging_id, drill_id, kind, target, dict(undo))


def read_journal(path: Path) -> JournalView:
    """Read the journal; an absent file is an empty one. Raises JournalError when it is unreadable.

    Unreadable lines before the last are listed in `damaged`, each with its place and fault.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return JournalView((), None, (), 0)
    except OSError as error:
        raise JournalError(f"journal {path}: cannot be read: {error}") from error
    body, newline, tail = raw.rpartition(b"\n")
    opened: dict[str, JournalEntry] = {}
    done: set[str] = set()
    damaged: list[str] = []
    for number, line in enumerate(body.split(b"\n") if newline else (), start=1):
        try:
            _take_line(line, opened, done)
        except (ValueError, KeyError, TypeError) as error:
            damaged.append(f"journal {path}, line {number}: {line[:80]!r} is damaged: {error!r}")
    entries = tuple(entry for key, entry in opened.items() if key not in done)
    torn = tail.decode("utf-8", "replace") if tail else None
    return JournalView(entries, torn, tuple(damaged), len(body) + len(newline))


def _take_line(line: bytes, opened: dict[str, JournalEntry], done: set[str]) -> None:
    """Add one complete line to `opened` or `done`; ValueError, KeyError or TypeError if damaged."""
    row = json.loads(line)
    if row["op"] == "open":
        entry = JournalEntry(row["id"], row["staging"], row["drill"], row["kind"], row["target"], row["undo"])
        opened[entry.id] = entry
    elif row["op"] == "done":
        done.add(row["id"])
    else:
        raise ValueError(f"op(={row['op']!r}) must be open or done")


class Journal:
    """The journal opened for writing. One process at a time (see locks.py); its threads share it.

    A torn last line left by a crash is cut off when opening: it was never acknowledged. What was
    cut is kept in `torn`, and damage found in `damaged`, for the report.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / JOURNAL_NAME
        self._mutex = threading.Lock()
        view = read_journal(self.path)
        self.torn = view.torn
        self.damaged = view.damaged
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.ftruncate(self._fd, view.intact_bytes)
                os.fsync(self._fd)
                _fsync_directory(state_dir)
            except OSError:
                os.close(self._fd)
                raise
        except OSError as error:
            raise JournalError(f"journal {self.path}: cannot be opened for writing: {error}") from error

    def open(self, entry: JournalEntry) -> None:
        """Write and fsync the entry. After a return, and only then, its fault may be applied."""
        self._append(
            {
                "op": "open",
                "id": entry.id,
                "staging": entry.staging_id,
                "drill": entry.drill_id,
                "kind": entry.kind,
                "target": entry.target,
                "undo": dict(entry.undo),
            }
        )

    def done(self, entry: JournalEntry, rung: str) -> None:
        """Write and fsync that the entry was undone, by which rung, and read back."""
        self._append({"op": "done", "id": entry.id, "rung": rung})

    def open_entries(self) -> tuple[JournalEntry, ...]:
        """Open entries as they are on disk, in the order written."""
        with self._mutex:
            return read_journal(self.path).open_entries

    def close(self) -> None:
        """Close the file; a closed journal refuses further lines."""
        with self._mutex:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, row: dict[str, Any]) -> None:
        row["at"] = time.time()
        try:
            line = (json.dumps(row, allow_nan=False, separators=(",", ":")) + "\n").encode()
        except (TypeError, ValueError) as error:
            raise JournalError(f"journal {self.path}: entry {row['id']} is not JSON: {error}") from error
        with self._mutex:
            if self._fd < 0:
                raise JournalError(f"journal {self.path}: is closed, entry {row['id']} refused")
            start = os.lseek(self._fd, 0, os.SEEK_END)
            try:
                _write_all(self._fd, line)
                os.fsync(self._fd)
                _fsync_directory(self.path.parent)
            except OSError as error:
                self._cut_back(start)
                raise JournalError(f"journal {self.path}: entry {row['id']} not written: {error}") from error

    def _cut_back(self, size: int) -> None:
        """Drop a half-written line, so that the next one starts on a line of its own.

        When even that fails the journal is closed: a torn line in the middle would hide later ones.
        """
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            os.close(self._fd)
            self._fd = -1


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _fsync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
