"""Spans of a drill's requests: who did what for which of them, and how that ended. One row each in spans.parquet.

The client's own span of each request is among them, so that what failed for the client needs no other table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import pyarrow as pa

from evidence.columns import column_of

__all__ = ["SPANS", "Span", "spans_from_arrow", "spans_to_arrow"]


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are seconds since the start of the load; `end_s` is None where it never ended.

    name: what was served, or, of kind `client`, who was called; of the client's own span, the business function.
    kind: server | client. reason: why it failed, empty when it did not. mirrored: of a copied request, which nobody
    waited for. log: what its service wrote into its log meanwhile, a line each.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    version: str
    replica: int
    name: str
    kind: str
    start_s: float
    end_s: float | None
    failed: bool
    reason: str
    cohort: str
    mirrored: bool
    log: str

    @property
    def took_s(self) -> float:
        """From start to end; infinite when it never ended."""
        return float("inf") if self.end_s is None else self.end_s - self.start_s


_KINDS = {"str": pa.string(), "int": pa.int32(), "float": pa.float64(), "bool": pa.bool_()}


def _field(name: str, annotation: str) -> pa.Field:
    base, _, rest = annotation.partition(" | ")
    return pa.field(name, _KINDS[base], nullable=rest == "None")


SPANS = pa.schema([_field(name, str(each.type)) for name, each in Span.__dataclass_fields__.items()])


def spans_to_arrow(spans: Sequence[Span]) -> pa.Table:
    """The table of spans.parquet."""
    columns = list(zip(*map(astuple, spans), strict=True)) if spans else [()] * len(SPANS)
    arrays = [column_of(list(column), field.type) for column, field in zip(columns, SPANS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SPANS)


def spans_from_arrow(table: pa.Table) -> list[Span]:
    """The rows of spans.parquet."""
    return [Span(*row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]
