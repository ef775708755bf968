"""Raw samples as a child hands them on, a few lines at a time: here into their file."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import gevent

from chaos.load.plan import LoadPlan
from chaos.load.raw import COLUMNS, SCHEMA

__all__ = ["FLUSH_EVERY_S", "Lines", "RawFile"]

FLUSH_EVERY_S = 0.05


class Lines:
    """Lines of JSON that are handed on together every FLUSH_EVERY_S seconds."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def line(self, entry: object) -> None:
        """Queue one line."""
        self._lines.append(json.dumps(entry, separators=(",", ":")))

    def flush(self) -> None:
        """Hand on what is queued."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._hand_on(lines)

    def flush_for_ever(self) -> None:
        """Body of the flushing greenlet."""
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self.flush()

    def _hand_on(self, lines: list[str]) -> None:
        raise NotImplementedError


class RawFile(Lines):
    """The file of raw samples. What is flushed the kernel keeps, even if this process is killed right after."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("xb", buffering=0)

    def header(self, plan: LoadPlan, start_at_s: float) -> None:
        """Write the first line."""
        self.line({"schema": SCHEMA, "columns": COLUMNS, "start_at_s": start_at_s, "plan": json.loads(plan.to_json())})
        self.flush()

    def text(self, lines: str) -> None:
        """Queue lines of JSON as they are."""
        self._lines.append(lines)

    def _hand_on(self, lines: list[str]) -> None:
        self._file.write(("\n".join(lines) + "\n").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        os.fsync(self._file.fileno())
        self._file.close()
