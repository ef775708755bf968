"""The record's tables in memory: plain numpy columns, one replication or many.

`Samples` and `Ledger` are what the record stores. `ClientCells` and `Writes` are the same facts of
one replication as dense arrays: the simulator measures thousands of replications from them without
ever making rows. Events are in evidence.events, measures in evidence.measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evidence.errors import TableError
from evidence.events import Event
from evidence.header import Header

__all__ = [
    "CLIENT",
    "FAILED_KINDS",
    "FAILED_WRITE",
    "INDETERMINATE_WRITE",
    "OK_WRITE",
    "WRITE_OUTCOMES",
    "ClientCells",
    "Event",
    "Header",
    "Ledger",
    "Samples",
    "Writes",
]

CLIENT = "client"
"""The service name of rows seen by the outside caller."""

FAILED_KINDS = ("error", "timeout", "refused", "unfinished")
"""Order of the failed columns, and of the last axis of ClientCells.failed."""

WRITE_OUTCOMES = ("ok", "failed", "indeterminate")
OK_WRITE, FAILED_WRITE, INDETERMINATE_WRITE = range(3)


class _Columns:
    """Shared by the row tables: equal lengths, joining, choosing rows."""

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]
        if len(set(lengths.values())) > 1:
            raise TableError(f"{type(self).__name__} columns must be equally long, are {lengths}")

    def __len__(self) -> int:
        return len(self.replication)  # type: ignore[attr-defined]

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows where mask is true."""
        return type(self)(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})  # type: ignore[arg-type]

    @classmethod
    def join(cls, parts: Iterable[Self]) -> Self:
        """One table of all rows, in the order given; at least one part is needed."""
        tables = list(parts)
        if not tables:
            raise TableError(f"{cls.__name__}.join needs at least one part (got 0)")
        return cls(
            **{
                f.name: np.concatenate([getattr(t, f.name) for t in tables])
                for f in fields(cls)  # type: ignore[arg-type]
            }
        )


@dataclass(frozen=True, slots=True)
class Samples(_Columns):
    """Requests by window, service, version, cohort and function; one row each, all columns [rows].

    Client rows have service "client" and version "", and count a request in the window in which it
    was meant to be sent. Service rows count an answer in the window in which it came. `latency` is
    [rows, bins] and holds successful answers only; failed_* do not overlap.
    """

    replication: NDArray[np.int32]
    window_start_s: NDArray[np.float64]
    service: NDArray[np.str_]
    version: NDArray[np.str_]
    cohort: NDArray[np.str_]
    function: NDArray[np.str_]
    requests: NDArray[np.int64]
    failed_error: NDArray[np.int64]
    failed_timeout: NDArray[np.int64]
    failed_refused: NDArray[np.int64]
    failed_unfinished: NDArray[np.int64]
    latency: NDArray[np.int32]

    @classmethod
    def empty(cls, bins: int) -> Samples:
        """No rows, with histograms of `bins` bins."""
        text = np.empty(0, dtype="<U1")
        count = np.empty(0, dtype=np.int64)
        return cls(
            replication=np.empty(0, dtype=np.int32),
            window_start_s=np.empty(0, dtype=np.float64),
            service=text,
            version=text,
            cohort=text,
            function=text,
            requests=count,
            failed_error=count,
            failed_timeout=count,
            failed_refused=count,
            failed_unfinished=count,
            latency=np.empty((0, bins), dtype=np.int32),
        )

    def of_replication(self, replication: int) -> Samples:
        """The rows of one replication."""
        return self.where(self.replication == replication)

    def failed(self) -> NDArray[np.int64]:
        """Failed requests of every kind, [rows]."""
        return self.failed_error + self.failed_timeout + self.failed_refused + self.failed_unfinished


@dataclass(frozen=True, slots=True)
class Ledger(_Columns):
    """Every write and what became of it, all columns [rows].

    acknowledged_s is NaN where no acknowledgement came. outcome: ok | failed | indeterminate.
    found, from the final read: 1 there, 0 missing, -1 not looked up.
    """

    replication: NDArray[np.int32]
    store: NDArray[np.str_]
    function: NDArray[np.str_]
    write_id: NDArray[np.str_]
    invoked_s: NDArray[np.float64]
    acknowledged_s: NDArray[np.float64]
    outcome: NDArray[np.str_]
    found: NDArray[np.int8]

    @classmethod
    def empty(cls) -> Ledger:
        """No rows."""
        text = np.empty(0, dtype="<U1")
        time = np.empty(0, dtype=np.float64)
        return cls(np.empty(0, dtype=np.int32), text, text, text, time, time, text, np.empty(0, np.int8))

    def of_replication(self, replication: int) -> Ledger:
        """The rows of one replication."""
        return self.where(self.replication == replication)

    def writes(self, stores: Sequence[str], functions: Sequence[str], *, spans: bool = False) -> Writes:
        """The same as codes; stores and functions give the code of a name by its place.

        With `spans` ids are those of a fluid data plane, whose rows stand for the writes from a number to another.
        Raises TableError for a name or outcome that is not known.
        """
        return Writes(
            store=_codes(self.store, stores, "store"),
            function=_codes(self.function, functions, "function"),
            invoked_s=self.invoked_s,
            acknowledged_s=self.acknowledged_s,
            outcome=_codes(self.outcome, WRITE_OUTCOMES, "outcome"),
            found=self.found,
            counts=_counts(self.write_id) if spans else None,
        )


@dataclass(frozen=True, slots=True)
class Writes:
    """The ledger of one replication as codes, all columns [rows]; otherwise as Ledger.

    `counts` says for how many writes each row stands, None for one: a fluid data plane knows no single write.
    """

    store: NDArray[np.integer[Any]]
    function: NDArray[np.integer[Any]]
    invoked_s: NDArray[np.float64]
    acknowledged_s: NDArray[np.float64]
    outcome: NDArray[np.integer[Any]]
    found: NDArray[np.integer[Any]]
    counts: NDArray[np.int64] | None = None

    def ledger(self, stores: Sequence[str], functions: Sequence[str], *, replication: int = 0) -> Ledger:
        """Rows for the record; a write's id is its number, that of a row that stands for several `first-last`."""
        count = len(self.store)
        ids = np.arange(count).astype("U") if self.counts is None else _spans(self.counts)
        return Ledger(
            replication=np.full(count, replication, dtype=np.int32),
            store=_names(self.store, stores),
            function=_names(self.function, functions),
            write_id=ids,
            invoked_s=np.asarray(self.invoked_s, dtype=np.float64),
            acknowledged_s=np.asarray(self.acknowledged_s, dtype=np.float64),
            outcome=_names(self.outcome, WRITE_OUTCOMES),
            found=np.asarray(self.found, dtype=np.int8),
        )


@dataclass(frozen=True, slots=True)
class ClientCells:
    """What the outside callers of one replication saw: cell i spans [i, i+1) x resolution_s.

    Shapes: requests [cells, functions, cohorts]; failed [cells, functions, cohorts, 4], the last
    axis in the order of FAILED_KINDS; latency [cells, functions, cohorts, bins], successful answers
    only.
    """

    functions: tuple[str, ...]
    cohorts: tuple[str, ...]
    requests: NDArray[np.integer[Any]]
    failed: NDArray[np.integer[Any]]
    latency: NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        shape = (self.requests.shape[0], len(self.functions), len(self.cohorts))
        rules = (
            ("requests", self.requests.shape, shape),
            ("failed", self.failed.shape, (*shape, len(FAILED_KINDS))),
            ("latency", self.latency.shape[:3], shape),
        )
        for name, actual, wanted in rules:
            if actual != wanted:
                raise TableError(f"ClientCells.{name} has shape {actual}, must be {wanted}")

    @classmethod
    def of(cls, samples: Samples, functions: Sequence[str], resolution_s: float, bins: int) -> ClientCells:
        """The client rows of one replication's samples; rows of the same cell are added up."""
        rows = samples.where(samples.service == CLIENT)
        cohorts = tuple(str(name) for name in np.unique(rows.cohort)) or ("default",)
        cell = np.rint(rows.window_start_s / resolution_s).astype(np.int64)
        function = _codes(rows.function, functions, "function")
        cohort = _codes(rows.cohort, cohorts, "cohort")
        shape = (int(cell.max()) + 1 if len(rows) else 0, len(functions), len(cohorts))
        requests = np.zeros(shape, dtype=np.int64)
        failed = np.zeros((*shape, len(FAILED_KINDS)), dtype=np.int64)
        latency = np.zeros((*shape, bins), dtype=np.int64)
        cells = cls(tuple(functions), cohorts, requests, failed, latency)
        cells.count(rows, (cell, function, cohort))
        return cells

    def count(self, rows: Samples, place: tuple[Any, Any, Any]) -> None:
        """Add client rows to the cells, functions and cohorts that `place` has for each of them."""
        np.add.at(self.requests, place, rows.requests)
        np.add.at(self.failed, place, np.stack([getattr(rows, f"failed_{kind}") for kind in FAILED_KINDS], -1))
        if len(rows):
            bins = self.latency.shape[-1]
            if rows.latency.shape[1] != bins:
                raise TableError(f"histograms have {rows.latency.shape[1]} bins, must have {bins}")
            np.add.at(self.latency, place, rows.latency)

    def samples(self, resolution_s: float, *, replication: int = 0) -> Samples:
        """Rows for the record, those without requests left out."""
        cell, function, cohort = np.nonzero(self.requests)
        count = len(cell)
        failed = self.failed[cell, function, cohort].astype(np.int64)
        return Samples(
            replication=np.full(count, replication, dtype=np.int32),
            window_start_s=np.asarray(cell * resolution_s, dtype=np.float64),
            service=np.full(count, CLIENT),
            version=np.full(count, ""),
            cohort=_names(cohort, self.cohorts),
            function=_names(function, self.functions),
            requests=self.requests[cell, function, cohort].astype(np.int64),
            failed_error=failed[:, 0],
            failed_timeout=failed[:, 1],
            failed_refused=failed[:, 2],
            failed_unfinished=failed[:, 3],
            latency=self.latency[cell, function, cohort].astype(np.int32),
        )


def _spans(counts: NDArray[np.int64]) -> NDArray[np.str_]:
    """Numbers of the writes that each row stands for: `7`, or `8-31`."""
    ends = np.cumsum(counts)
    return np.array(
        [str(end - 1) if n == 1 else f"{end - n}-{end - 1}" for n, end in zip(counts, ends, strict=True)], np.str_
    )


def _counts(ids: NDArray[np.str_]) -> NDArray[np.int64]:
    """The reverse of `_spans`."""
    ends = [(first, last or first) for first, _, last in (text.partition("-") for text in ids.tolist())]
    return np.array([int(last) - int(first) + 1 for first, last in ends], np.int64)


def _codes(column: NDArray[np.str_], names: Sequence[str], what: str) -> NDArray[np.int64]:
    codes = np.full(len(column), -1, dtype=np.int64)
    for code, name in enumerate(names):
        codes[column == name] = code
    if (codes < 0).any():
        value = str(column[int(np.argmin(codes))])
        raise TableError(f"{what} {value!r} must be one of {', '.join(names) or '(none)'}")
    return codes


def _names(codes: NDArray[np.integer[Any]], names: Sequence[str]) -> NDArray[np.str_]:
    table = np.array(names if len(names) else [""], dtype=np.str_)
    named: NDArray[np.str_] = table[codes]
    return named
