"""From a service's spans and logs to the record's: written by the shop's own tracing, joined with the load's rows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos import tracing as joining
from chaos.errors import ChaosError
from chaos.load.raw import RawSamples
from chaos.staging.config import CallConfig, Defect, ServiceConfig
from chaos.staging.shop import tracing
from chaos.staging.shop.client import Response
from chaos.staging.shop.service import Request, Service
from chaos.tracing import joined
from evidence.diagnosis import diagnose

TRACE, OTHER = "a" * 32, "b" * 32


def raw(*rows: tuple[str, str]) -> RawSamples:
    """Requests by trace id and kind."""
    return RawSamples.from_rows(
        [["checkout", index, "coupon", 0.5 + index, 0.5 + index, 1.0 + index, 0, kind, "", trace_id,
          "status 502" if kind == "error" else ""]
         for index, (trace_id, kind) in enumerate(rows)]
    )  # fmt: skip


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Service]:
    """An edge whose calls reach a checkout in this process, both traced."""
    edge = Service("edge", "1.0", ServiceConfig(), random.Random(1))
    checkout = Service("checkout", "2.4", ServiceConfig(), random.Random(1))
    checkout.defects = (Defect("broken", errors_ratio=1.0),)

    class Wire:
        async def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
            answer = await checkout.answer(Request(method, path, headers, body))
            return Response(answer.status, {"x-version": answer.versions}, b"{}")

    pool: Any = Wire()
    edge.pools["checkout"] = (pool, CallConfig())
    edge.tracing = tracing.tracing_to(tmp_path, "edge", "1.0", 0)
    checkout.tracing = tracing.tracing_to(tmp_path, "checkout", "2.4", 3)
    yield edge
    edge.tracing.close()
    checkout.tracing.close()


def ask(edge: Service, trace_id: str, **headers: str) -> int:
    context = {"traceparent": f"00-{trace_id}-{trace_id[:16]}-01", "x-cohort": "coupon", **headers}
    request = Request("POST", "/checkout", context, b'{"order_id": "x"}')
    return asyncio.run(edge.answer(request)).status


def test_a_failed_request_is_followed_to_the_service_that_failed(edge: Service, tmp_path: Path) -> None:
    assert [ask(edge, TRACE), ask(edge, "f" * 32)] == [502, 502]
    spans = wait_for_spans(tmp_path, 4)
    assert [(each.service, each.name, each.kind, each.failed) for each in spans] == [
        ("client", "checkout", "client", True),
        ("edge", "POST /checkout", "server", True),
        ("edge", "checkout", "client", True),
        ("checkout", "POST /checkout", "server", True),
    ]
    assert [each.parent_id for each in spans[1:]] == [each.span_id for each in spans[:-1]]
    last = spans[-1]
    assert (last.version, last.replica, last.cohort, last.mirrored) == ("2.4", 3, "coupon", False)
    assert last.log == "error: status 500: checkout 2.4: defect"
    (cause,) = diagnose(spans).causes
    assert (cause.where, cause.what) == ("checkout 2.4", "status 500: checkout 2.4: defect")


def wait_for_spans(folder: Path, count: int) -> list[Any]:
    async def wait() -> list[Any]:
        async with asyncio.timeout(5):
            while len(spans := joined(raw((TRACE, "error")), folder, 0.0)) < count:
                await asyncio.sleep(0.02)
        return sorted(spans, key=lambda each: (each.service != "client", each.start_s))

    return asyncio.run(wait())


def test_requests_that_failed_are_kept_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "SPANS_MAX", 2)
    kept = joined(raw((OTHER, "ok"), (TRACE, "timeout"), ("c" * 32, "refused")), None, 0.0)
    assert [(each.trace_id[0], each.reason, each.end_s) for each in kept] == [
        ("a", "timeout", 2.0),
        ("c", "refused", 3.0),
    ]


def test_a_line_that_is_cut_is_left_out_and_one_that_is_broken_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "edge-0.spans.jsonl"
    path.write_text('{"trace_id": "a', encoding="utf-8")
    assert len(joined(raw((TRACE, "ok")), tmp_path, 0.0)) == 1
    path.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ChaosError, match=r"edge-0.spans.jsonl:1: not JSON"):
        joined(raw((TRACE, "ok")), tmp_path, 0.0)


def test_old_spans_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LINES_MAX", 1)
    traced = tracing.tracing_to(tmp_path, "edge", "1.0", 0)
    for _ in range(3):
        with traced.serving("GET /", {}, "default", mirrored=False):
            pass
        assert traced._provider is not None
        traced._provider.force_flush()
    traced.close()
    files = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in tmp_path.glob("*.spans.jsonl")}
    assert files == {"edge-0.spans.jsonl": 1, "before.edge-0.spans.jsonl": 1}
