"""Spans and logs of the services, joined with the requests of the load by trace id: what a record keeps of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError
from chaos.load.raw import RawSamples
from evidence.spans import Span
from evidence.tables import CLIENT

__all__ = ["SPANS_MAX", "joined"]

# Of one record; requests that failed come first, then the others in the order in which they were sent.
SPANS_MAX = 200_000


def joined(raw: RawSamples, folder: Path | None, start_epoch_s: float) -> list[Span]:
    """The clients' own spans and, from the files of `folder` (None: no service writes any), those below them.

    `start_epoch_s`: the load's time 0 as the services' clocks have it. Raises ChaosError for a file that is no file of
    spans; a last line that was being written is left out.
    """
    clients = [_client(row) for row in _rows(raw)]
    wanted = {span.trace_id for span in clients}
    logs: dict[str, list[str]] = defaultdict(list)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")) if folder is not None else ():
        for line in _lines(path):
            if line["trace_id"] not in wanted:
                continue
            if path.name.endswith(".logs.jsonl"):
                logs[line["span_id"]].append(f"{line['level']}: {line['message']}")
            else:
                found[line["trace_id"]].append(line)
    kept: list[Span] = []
    for client in sorted(clients, key=lambda span: (not span.failed, span.start_s, span.trace_id)):
        below = found[client.trace_id]
        if len(kept) + len(below) >= SPANS_MAX:
            break
        kept.append(client)
        kept += (_service(line, logs, start_epoch_s) for line in below)
    return sorted(kept, key=lambda span: (span.start_s, span.trace_id, span.span_id))


def _rows(raw: RawSamples) -> Iterator[tuple[Any, ...]]:
    columns = (
        raw.request_id,
        raw.function,
        raw.intended_s,
        raw.sent_s,
        raw.finished_s,
        raw.kind,
        raw.error,
        raw.cohort,
    )
    return zip(*(column.tolist() for column in columns), strict=True)


def _client(row: tuple[Any, ...]) -> Span:
    """The load's own span; its ids are those of the trace context that it sends."""
    request, function, intended_s, sent_s, finished_s, kind, error, cohort = row
    failed = kind != "ok"
    return Span(
        trace_id=request,
        span_id=request[:16],
        parent_id="",
        service=CLIENT,
        version="",
        replica=0,
        name=function,
        kind="client",
        start_s=sent_s if sent_s == sent_s else intended_s,
        end_s=finished_s if finished_s == finished_s else None,
        failed=failed,
        reason="" if not failed else (error if kind == "error" else kind),
        cohort=cohort,
        mirrored=False,
        log="",
    )


def _service(line: dict[str, Any], logs: dict[str, list[str]], start_epoch_s: float) -> Span:
    return Span(
        trace_id=line["trace_id"],
        span_id=line["span_id"],
        parent_id=line["parent_id"],
        service=line["service"],
        version=line["version"],
        replica=line["replica"],
        name=line["name"],
        kind=line["kind"],
        start_s=round(line["start_ns"] / 1e9 - start_epoch_s, 6),
        end_s=round(line["end_ns"] / 1e9 - start_epoch_s, 6),
        failed=line["failed"],
        reason=line["reason"],
        cohort=line.get("cohort", ""),
        mirrored=line.get("mirrored", False),
        log="\n".join(logs.get(line["span_id"], ())),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ChaosError(f"{path}:{number}: not JSON: {error}") from error
