"""Where a failure began, told from spans: the service, or the way to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evidence.diagnosis import diagnose
from evidence.report.diagnosis import diagnosis_table, example_text
from evidence.spans import SPANS, Span, spans_from_arrow, spans_to_arrow
from tests.unit.spans_made import called, client, span

EDGE = span("e", "c", "edge", "POST /checkout", end_s=0.19)
BAD_EDGE = replace(EDGE, failed=True, reason="status 502: checkout: status 500")
TO_CHECKOUT = called("e1", "e", "edge", "checkout", end_s=0.18)
BAD_TO_CHECKOUT = replace(TO_CHECKOUT, failed=True, reason="status 500")
CHECKOUT = span("k", "e1", "checkout", "POST /checkout", version="2.4", end_s=0.17)


@pytest.mark.parametrize(
    ("spans", "where", "what"),
    [
        # it answered with an error of its own
        (
            [client("status 502"), BAD_EDGE, BAD_TO_CHECKOUT, replace(CHECKOUT, failed=True, reason="defect")],
            "checkout 2.4", "defect",
        ),
        # the answer was given in its place
        ([client("status 502"), BAD_EDGE, BAD_TO_CHECKOUT], "edge -> checkout", "status 500 (checkout never saw it)"),
        # a first attempt that was made good is not why it failed
        (
            [client("status 502"), BAD_EDGE, BAD_TO_CHECKOUT, replace(CHECKOUT, failed=True, reason="status 502"),
             called("k1", "k", "checkout", "payments", "status 503"),
             called("k2", "k", "checkout", "payments", start_s=0.05),
             called("k3", "k", "checkout", "orders", "timeout", start_s=0.06)],
            "checkout -> orders", "timeout",  # a store makes no spans: what it saw is not known
        ),
        # nor is it when the caller failed by itself after that
        (
            [client("status 502"), BAD_EDGE, BAD_TO_CHECKOUT, replace(CHECKOUT, failed=True, reason="defect"),
             called("k1", "k", "checkout", "payments", "timeout"),
             called("k2", "k", "checkout", "payments", start_s=0.05)],
            "checkout 2.4", "defect",
        ),
        # the callee was well, and slow: the caller's time was up
        (
            [client("status 504"), BAD_EDGE, replace(BAD_TO_CHECKOUT, reason="timeout", end_s=0.1), CHECKOUT],
            "checkout 2.4", "slow: the caller's time was up",
        ),
        # the client's own time was up, and most of it went to payments
        (
            [client("timeout"), EDGE, TO_CHECKOUT, CHECKOUT,
             called("k1", "k", "checkout", "payments", end_s=0.15), span("p", "k1", "payments", "POST", end_s=0.14)],
            "payments 1.0", "slow: the caller's time was up",
        ),
        # an answer 4xx is passed on as it is, so no attempt failed
        (
            [client("status 400"), replace(EDGE, failed=True, reason="status 400: order"), TO_CHECKOUT,
             replace(CHECKOUT, failed=True, reason="status 400: order")],
            "checkout 2.4", "status 400: order",
        ),
        ([client("refused")], "client -> the shop", "refused (the shop never saw it)"),
        ([client("unfinished", end_s=None)], "client -> the shop", "unfinished (the shop never saw it)"),
    ],
)  # fmt: skip
def test_the_first_to_fail(spans: list[Span], where: str, what: str) -> None:
    diagnosis = diagnose(spans, silent=["orders"])
    assert (diagnosis.requests, diagnosis.failed) == (1, 1)
    (cause,) = diagnosis.causes
    assert (cause.where, cause.what, cause.requests) == (where, what, 1)


def test_copies_and_requests_that_went_well_are_no_failures() -> None:
    copied = replace(CHECKOUT, span_id="m", mirrored=True, failed=True, reason="defect")
    diagnosis = diagnose([client(), EDGE, TO_CHECKOUT, CHECKOUT, copied])
    assert (diagnosis.requests, diagnosis.failed, diagnosis.causes) == (1, 0, ())


def test_causes_are_counted_and_the_first_of_them_is_shown() -> None:
    failed = [client("status 502"), BAD_EDGE, BAD_TO_CHECKOUT, replace(CHECKOUT, failed=True, reason="defect")]
    failed[-1] = replace(failed[-1], log="error: defect")
    later = [replace(each, trace_id="b" * 32, start_s=each.start_s + 1) for each in failed]
    other = replace(client("refused", cohort="coupon"), trace_id="c" * 32)
    diagnosis = diagnose([*later, *failed, other])
    assert [(each.where, each.requests, each.cohorts) for each in diagnosis.causes] == [
        ("checkout 2.4", 2, ("default",)),
        ("client -> the shop", 1, ("coupon",)),
    ]
    table = diagnosis_table(diagnosis)
    assert table.rows[0][:4] == ("checkout 2.4", "defect", "2", "66.7 %")
    assert (table.headers[-1], table.rows[0][-1]) == ("such as trace", "a" * 32)
    page = diagnosis_table(diagnosis, traces=False)
    assert "a" * 32 not in str(page.rows)
    assert len(page.headers) == len(page.rows[0]) == len(page.align) == 6
    text = example_text(diagnosis.causes[0])
    assert f"Trace {'a' * 32}, at 0.00 s" in text
    assert "        +0 ms  checkout 2.4 #0: POST /checkout  170 ms  FAILED: defect" in text
    assert "log error: defect" in text
    document = diagnosis.to_json()
    assert document["causes"][0]["trace_id"] == "a" * 32
    assert [line["depth"] for line in document["causes"][0]["trace"]] == [0, 1, 2, 3]


def test_spans_keep_everything_in_parquet() -> None:
    spans = [client("unfinished", end_s=None), CHECKOUT]
    table = spans_to_arrow(spans)
    assert table.schema.equals(SPANS)
    assert spans_from_arrow(table) == spans
    assert spans_from_arrow(spans_to_arrow([])) == []
