"""Which service failed first, as a table and an example."""

from __future__ import annotations

from evidence.diagnosis import Cause, Diagnosis
from evidence.report.table import Table, percent
from evidence.spans import Span
from evidence.tables import CLIENT

__all__ = ["diagnosis_table", "example_text"]

_HEADERS = ("first to fail", "how", "requests", "of the failed", "functions", "cohorts", "such as trace")
# What is left is in spans.parquet, and in the JSON document.
_SHOWN = 12


def diagnosis_table(diagnosis: Diagnosis, *, traces: bool = True) -> Table:
    """A row for each place and way in which failures began; `traces` adds the id of one of its requests."""
    columns = len(_HEADERS) if traces else len(_HEADERS) - 1
    causes = diagnosis.causes[:_SHOWN]
    left = len(diagnosis.causes) - len(causes)
    return Table(
        title="Which service failed first",
        headers=_HEADERS[:columns],
        rows=tuple(
            (
                cause.where,
                cause.what,
                str(cause.requests),
                percent(cause.requests / diagnosis.failed),
                ", ".join(cause.functions),
                ", ".join(cause.cohorts),
                cause.example[0][1].trace_id,
            )[:columns]
            for cause in causes
        ),
        align="llrrlll"[:columns],
        note=f"{diagnosis.failed} of {diagnosis.requests} requests failed; each was followed down its spans to where "
        f"that began. A -> B: on the way to B, which was well or did not hear of it, or in B, where that is a store."
        + (f" {left} rarer ones are in the JSON document." if left else ""),
    )


def example_text(cause: Cause) -> str:
    """The spans of one request as a tree, times from its start, with what the services wrote into their logs."""
    start_s = cause.example[0][1].start_s
    lines = [f"Trace {cause.example[0][1].trace_id}, at {start_s:.2f} s"]
    for depth, span in cause.example:
        indent = "  " * (depth + 1)
        took = "never ended" if span.end_s is None else f"{span.took_s * 1000:.0f} ms"
        ended = f"FAILED: {span.reason}" if span.failed else "ok"
        lines.append(f"{indent}+{(span.start_s - start_s) * 1000:.0f} ms  {_name(span)}  {took}  {ended}")
        lines += [f"{indent}  log {line}" for line in span.log.splitlines()]
    return "\n".join(lines)


def _name(span: Span) -> str:
    if span.service == CLIENT:
        return f"client: {span.name}"
    if span.kind == "client":
        return f"{span.service} calls {span.name}"
    return f"{span.service} {span.version} #{span.replica}: {span.name}"
