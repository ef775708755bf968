"""The file of raw samples as a child writes it, a few lines at a time."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import gevent

from chaos.load.plan import LoadPlan
from chaos.load.raw import COLUMNS, SCHEMA

__all__ = ["FLUSH_EVERY_S", "RawFile"]

FLUSH_EVERY_S = 0.05


class RawFile:
    """Lines for the file of raw samples, written together every FLUSH_EVERY_S seconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._lines: list[str] = []

    def header(self, plan: LoadPlan, start_at_s: float) -> None:
        """Write the first line."""
        self.line({"schema": SCHEMA, "columns": COLUMNS, "start_at_s": start_at_s, "plan": json.loads(plan.to_json())})
        self.flush()

    def text(self, lines: str) -> None:
        """Queue lines of JSON as they are."""
        self._lines.append(lines)

    def line(self, entry: object) -> None:
        """Queue one line."""
        self._lines.append(json.dumps(entry, separators=(",", ":")))

    def flush(self) -> None:
        """Write what is queued; the kernel keeps it even if this process is killed right after."""
        if self._lines:
            data = "\n".join(self._lines) + "\n"
            self._lines.clear()
            self._file.write(data.encode())

    def flush_for_ever(self) -> None:
        """Body of the flushing greenlet."""
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self.flush()

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
