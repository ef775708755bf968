"""Progress on stderr: a bar at a terminal, a line every quarter elsewhere (a log should stay short)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windtunnel.cli.output import say

__all__ = ["Counted", "counted"]

Counted = Callable[[int, int], None]
"""Called with how many are done, and of how many."""

_LINES = 4


@contextmanager
def counted(label: str) -> Iterator[Counted]:
    """Show how far counted work has come."""
    if sys.stderr is not None and sys.stderr.isatty():
        with _bar(label) as update:
            yield update
    else:
        yield _Lines(label)


@contextmanager
def _bar(label: str) -> Iterator[Counted]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Without a thread that refreshes: the work forks processes, and a fork beside threads can deadlock.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    with bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=True)


class _Lines:
    """A line whenever another quarter is done."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = 0

    def __call__(self, done: int, total: int) -> None:
        reached = done * _LINES // total if total else _LINES
        if reached > self._shown:
            self._shown = reached
            say(f"{self._label}: {done} of {total}")
