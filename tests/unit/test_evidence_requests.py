"""requests.parquet holds every raw sample exactly, and null where a time is not there."""

from __future__ import annotations

import numpy as np

from chaos.load.raw import RawSamples
from evidence.requests import REQUESTS, requests_to_arrow


def test_raw_samples_come_back_exactly() -> None:
    raw = RawSamples.from_rows(
        [
            ["browse", 0, "default", 0.1, 0.1002, 0.25, 200, "ok", "2.3", "ab" * 16, ""],
            ["browse", 1, "coupon", 0.2, None, None, 0, "refused", "", "cd" * 16, "connection refused"],
        ]
    )
    table = requests_to_arrow(raw.columns())
    assert table.schema.equals(REQUESTS)
    assert table.column("intended_s").to_pylist() == [0.1, 0.2]
    assert table.column("sent_s").to_pylist() == [0.1002, None]
    assert table.column("finished_s").to_pylist() == [0.25, None]
    for name in ("function", "cohort", "kind", "version", "request_id", "error", "index", "status"):
        assert table.column(name).to_pylist() == getattr(raw, name).tolist()
    table.validate(full=True)


def test_no_request_is_an_empty_table() -> None:
    assert requests_to_arrow(RawSamples.from_rows([]).columns()).num_rows == 0
    assert np.isnan(RawSamples.from_rows([]).latency_s).sum() == 0
