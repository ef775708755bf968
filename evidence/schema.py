"""The one schema of both worlds: what each parquet file of a record holds, and how to get it there.

Checked on write and on read: a wrong column, type, order or value is an error that names it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evidence.columns import column_of, histograms_of, numbers, present, truths
from evidence.errors import TableError
from evidence.events import Event
from evidence.measures import FunctionMeasure
from evidence.tables import WRITE_OUTCOMES, Ledger, Samples

__all__ = [
    "EVENTS",
    "LEDGER",
    "MEASURES",
    "SAMPLES",
    "check",
    "events_from_arrow",
    "events_to_arrow",
    "ledger_from_arrow",
    "ledger_to_arrow",
    "measures_from_arrow",
    "measures_to_arrow",
    "samples_from_arrow",
    "samples_to_arrow",
]


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


EVENTS = pa.schema(
    [
        _required("replication", pa.int32()),
        _required("time_s", pa.float64()),
        _required("kind", pa.string()),
        _required("subject", pa.string()),
        _required("detail", pa.string()),
    ]
)

SAMPLES = pa.schema(
    [
        _required("replication", pa.int32()),
        _required("window_start_s", pa.float64()),
        *(_required(name, pa.string()) for name in ("service", "version", "cohort", "function")),
        _required("requests", pa.int64()),
        *(_required(f"failed_{kind}", pa.int64()) for kind in ("error", "timeout", "refused", "unfinished")),
        _required("latency", pa.list_(pa.int32())),
    ]
)

LEDGER = pa.schema(
    [
        _required("replication", pa.int32()),
        *(_required(name, pa.string()) for name in ("store", "function", "write_id")),
        _required("invoked_s", pa.float64()),
        pa.field("acknowledged_s", pa.float64()),
        _required("outcome", pa.string()),
        pa.field("found", pa.bool_()),
    ]
)

_ARROW = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "tuple[str, ...]": pa.list_(pa.string()),
    "tuple[float, ...]": pa.list_(pa.float64()),
    "tuple[int, ...]": pa.list_(pa.int64()),
}


def _measure_field(name: str, annotation: str) -> pa.Field:
    base, _, rest = annotation.partition(" | ")
    return pa.field(name, _ARROW[base], nullable=rest == "None")


MEASURES = pa.schema([_measure_field(f.name, str(f.type)) for f in fields(FunctionMeasure)])
_LATER = {f.name for f in fields(FunctionMeasure) if f.default is not MISSING}
"""Measures that records of before do not have."""


def check(table: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """The table when it has exactly the columns, types and order of the schema; else TableError."""
    if table.schema.names != schema.names:
        raise TableError(f"{what} columns are {table.schema.names}, must be {schema.names}")
    for field in schema:
        column = table.column(field.name)
        if column.type != field.type:
            raise TableError(f"{what} column {field.name} is {column.type}, must be {field.type}")
        if not field.nullable and column.null_count:
            raise TableError(f"{what} column {field.name} has {column.null_count} nulls, must have none")
    return table


def _table(columns: Sequence[Any], schema: pa.Schema, what: str) -> pa.Table:
    arrays = []
    for field, column in zip(schema, columns, strict=True):
        try:
            arrays.append(column if isinstance(column, pa.Array) else column_of(column, field.type))
        except (TypeError, ValueError) as error:
            raise TableError(f"{what} column {field.name} must be {field.type}: {error}") from error
    return check(pa.Table.from_arrays(arrays, schema=schema), schema, what)


def events_to_arrow(events: Sequence[Event]) -> pa.Table:
    """events.parquet; the detail as JSON."""
    columns: list[Any] = [
        [e.replication for e in events],
        [float(e.time_s) for e in events],
        [str(e.kind) for e in events],
        [e.subject for e in events],
        [json.dumps(dict(e.detail)) for e in events],
    ]
    return _table(columns, EVENTS, "events")


def events_from_arrow(table: pa.Table) -> list[Event]:
    """The reverse of events_to_arrow; raises TableError for an unknown kind or broken detail."""
    rows = check(table, EVENTS, "events").to_pylist()
    try:
        return [Event(**{**row, "detail": json.loads(row["detail"])}) for row in rows]
    except json.JSONDecodeError as error:
        raise TableError(f"events column detail must be JSON: {error}") from error


def samples_to_arrow(samples: Samples) -> pa.Table:
    """samples.parquet. Raises TableError when failed requests exceed requests in a row."""
    names = [name for name in SAMPLES.names if name != "latency"]
    columns: list[Any] = [np.asarray(getattr(samples, name)) for name in names]
    columns.append(histograms_of(samples.latency))
    table = _table(columns, SAMPLES, "samples")
    excess = np.flatnonzero(samples.failed() > samples.requests)
    if excess.size:
        row = int(excess[0])
        raise TableError(
            f"samples row {row}: failed (={samples.failed()[row]}) must be <= requests (={samples.requests[row]})"
        )
    return table


def samples_from_arrow(table: pa.Table, bins: int) -> Samples:
    """The reverse of samples_to_arrow; every histogram must have `bins` bins."""
    check(table, SAMPLES, "samples")
    column = table.column("latency").combine_chunks()
    offsets = numbers(column.offsets) if len(column) else np.zeros(1, np.int32)
    lengths = np.diff(offsets)
    if (lengths != bins).any():
        raise TableError(f"samples column latency has {int(lengths[lengths != bins][0])} bins, must have {bins}")
    histogram = numbers(column.values)[offsets[0] : offsets[-1]].reshape(-1, bins)
    text = {"service", "version", "cohort", "function"}
    plain: dict[str, Any] = {
        name: _strings(table, name) if name in text else _numbers(table, name)
        for name in SAMPLES.names
        if name != "latency"
    }
    return Samples(**plain, latency=histogram)


def ledger_to_arrow(ledger: Ledger) -> pa.Table:
    """ledger.parquet. Raises TableError for an unknown outcome."""
    unknown = ~np.isin(ledger.outcome, WRITE_OUTCOMES)
    if unknown.any():
        value = str(ledger.outcome[unknown][0])
        raise TableError(f"ledger column outcome has {value!r}, must be one of {', '.join(WRITE_OUTCOMES)}")
    columns: list[Any] = [
        np.asarray(getattr(ledger, name)) for name in ("replication", "store", "function", "write_id", "invoked_s")
    ]
    columns.append(column_of(ledger.acknowledged_s, pa.float64(), np.isnan(ledger.acknowledged_s)))
    columns.append(np.asarray(ledger.outcome))
    columns.append(column_of(ledger.found == 1, pa.bool_(), ledger.found < 0))
    return _table(columns, LEDGER, "ledger")


def ledger_from_arrow(table: pa.Table) -> Ledger:
    """The reverse of ledger_to_arrow."""
    check(table, LEDGER, "ledger")
    acknowledged, found = table.column("acknowledged_s").combine_chunks(), table.column("found").combine_chunks()
    return Ledger(
        replication=_numbers(table, "replication"),
        store=_strings(table, "store"),
        function=_strings(table, "function"),
        write_id=_strings(table, "write_id"),
        invoked_s=_numbers(table, "invoked_s"),
        acknowledged_s=np.where(present(acknowledged), numbers(acknowledged), np.nan),
        outcome=_strings(table, "outcome"),
        found=np.where(present(found), truths(found), -1).astype(np.int8),
    )


def measures_to_arrow(measures: Sequence[FunctionMeasure]) -> pa.Table:
    """measures.parquet: one row per replication and function."""
    columns: list[Any] = [[getattr(m, name) for m in measures] for name in MEASURES.names]
    return _table(columns, MEASURES, "measures")


def measures_from_arrow(table: pa.Table) -> list[FunctionMeasure]:
    """The reverse of measures_to_arrow; what a record of before does not have is at its default."""
    there = set(table.schema.names)
    wanted = pa.schema([field for field in MEASURES if field.name in there or field.name not in _LATER])
    measures = []
    for row in check(table, wanted, "measures").to_pylist():
        # Arrow gives lists where the measure holds tuples.
        fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        measures.append(FunctionMeasure(**fixed))
    return measures


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    return numbers(table.column(name).combine_chunks())


def _strings(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array(table.column(name).to_pylist(), dtype=np.str_)
