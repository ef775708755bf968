"""Traces made by hand for tests: spans with little to say."""

from __future__ import annotations

from evidence.spans import Span

TRACE = "a" * 32


def span(span_id: str, parent_id: str, service: str, name: str, **other: object) -> Span:
    """One span of one trace; by default a server's, well, from 0 s to 0.1 s."""
    fields: dict[str, object] = {
        "trace_id": TRACE, "span_id": span_id, "parent_id": parent_id, "service": service,
        "version": "1.0", "replica": 0, "name": name, "kind": "server", "start_s": 0.0, "end_s": 0.1,
        "failed": False, "reason": "", "cohort": "default", "mirrored": False, "log": "",
    }  # fmt: skip
    return Span(**{**fields, **other})  # type: ignore[arg-type]


def client(reason: str = "", **other: object) -> Span:
    """The load's own span."""
    fields = {"version": "", "kind": "client", "failed": bool(reason), "reason": reason, "end_s": 0.2}
    return span("c", "", "client", "checkout", **{**fields, **other})


def called(span_id: str, parent_id: str, caller: str, callee: str, reason: str = "", **other: object) -> Span:
    """An attempt to call another."""
    return span(span_id, parent_id, caller, callee, kind="client", failed=bool(reason), reason=reason, **other)
