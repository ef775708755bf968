"""Raw samples: one row for every request that was meant to be sent, never rounded into buckets.

On disk: JSON lines. First a header (schema, plan, columns), then one array a request in the order
in which they ended, then an end line. The file grows while the load runs, so it is read from an
offset; a torn last line is left for the next read. A child that is killed leaves no end line; the
schedule then says which requests are missing.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaos.load.errors import RawUnreadable
from chaos.load.schedule import Schedule, request_id

__all__ = ["COLUMNS", "KINDS", "SCHEMA", "RawReader", "RawSamples", "never_reported"]

SCHEMA = "windtunnel-load/1"
KINDS = ("ok", "error", "timeout", "refused", "unfinished")
"""ok: answered 2xx. error: any other answer, or the connection broke. timeout: the client's patience
ran out. refused: no connection was made, so nothing was sent. unfinished: still open at the end."""

COLUMNS = ("function", "index", "cohort", "intended_s", "sent_s", "finished_s", "status", "kind",
           "version", "request_id", "error")  # fmt: skip


@dataclass(frozen=True)
class RawSamples:
    """Requests as columns of shape (n,), times in seconds since the load's start.

    index: int64, number within the function. sent_s: float64, NaN when it was never sent.
    finished_s: float64, NaN when unfinished. status: int64, 0 without an answer. kind: one of KINDS.
    version: the answer's x-version, "" without one. request_id: 32 hex digits, also the trace id.
    error: what broke, "" when nothing did. Text columns are of dtype object.
    """

    function: NDArray[np.object_]
    index: NDArray[np.int64]
    cohort: NDArray[np.object_]
    intended_s: NDArray[np.float64]
    sent_s: NDArray[np.float64]
    finished_s: NDArray[np.float64]
    status: NDArray[np.int64]
    kind: NDArray[np.object_]
    version: NDArray[np.object_]
    request_id: NDArray[np.object_]
    error: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def latency_s(self) -> NDArray[np.float64]:
        """From the intended send time to the end; NaN when unfinished."""
        return self.finished_s - self.intended_s

    @property
    def lateness_s(self) -> NDArray[np.float64]:
        """From the intended to the actual send time; NaN when never sent."""
        return self.sent_s - self.intended_s

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def where(self, mask: NDArray[np.bool_]) -> "RawSamples":
        """The rows where mask is true."""
        return RawSamples(*(getattr(self, field.name)[mask] for field in fields(self)))

    @classmethod
    def from_rows(cls, rows: list[list[Any]]) -> "RawSamples":
        """Columns from rows in the order of COLUMNS, None standing for a missing number."""
        columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
        return cls(*(_column(name, values) for name, values in zip(COLUMNS, columns, strict=True)))

    @classmethod
    def join(cls, parts: "list[RawSamples]") -> "RawSamples":
        """All rows of all parts, in the order given."""
        parts = parts or [cls.from_rows([])]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


def _column(name: str, values: Any) -> NDArray[Any]:
    if name in ("index", "status"):
        return np.array(list(values), dtype=np.int64)
    if name.endswith("_s"):
        return np.array(list(values), dtype=np.float64)
    return np.array(list(values), dtype=object)


def never_reported(
    schedule: Schedule, functions: tuple[str, ...], seen: RawSamples, due: NDArray[np.int64], token: str
) -> RawSamples:
    """Rows of kind "unfinished" for those of the schedule's requests at the positions `due` not in `seen`.

    Whether they were sent is not known, so sent_s is their intended time: a write among them is
    indeterminate, not failed.
    """
    reported = set(zip(seen.function.tolist(), seen.index.tolist(), strict=True))
    rows: list[list[Any]] = []
    for at in due.tolist():
        name, index = functions[int(schedule.function[at])], int(schedule.index[at])
        if (name, index) not in reported:
            intended = float(schedule.intended_s[at])
            rows.append([name, index, schedule.cohort[at], intended, intended, None, 0,
                         "unfinished", "", request_id(token, name, index), "never reported"])  # fmt: skip
    return RawSamples.from_rows(rows)


class RawReader:
    """Reads a growing file of raw samples from where it stopped the last time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None
        self._offset = 0
        self._line = 0

    def read_new(self) -> RawSamples:
        """Rows added since the last call; none while the file does not exist yet."""
        if not self.path.exists():
            return RawSamples.from_rows([])
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        complete = data.rfind(b"\n") + 1
        self._offset += complete
        rows: list[list[Any]] = []
        for line in data[:complete].splitlines():
            self._line += 1
            entry = self._parse(line)
            if isinstance(entry, list):
                rows.append(entry)
            elif self.header is None:
                self.header = entry
            else:
                self.end = entry
        return RawSamples.from_rows(rows)

    def _parse(self, line: bytes) -> Any:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise RawUnreadable(f"{self.path}:{self._line}: not JSON: {error}") from error
        if self.header is None:
            schema = entry.get("schema") if isinstance(entry, dict) else None
            if schema != SCHEMA:
                raise RawUnreadable(f"{self.path}: schema(={schema}) must be {SCHEMA}")
        elif isinstance(entry, list) and len(entry) != len(COLUMNS):
            raise RawUnreadable(f"{self.path}:{self._line}: row has {len(entry)} values, must have {len(COLUMNS)}")
        return entry
