"""Raw samples become rows: every request counted once, in the window in which it was meant."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chaos.load.errors import RawUnreadable
from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.raw import COLUMNS, SCHEMA, RawReader, RawSamples, never_reported
from chaos.load.rows import client_rows
from chaos.load.schedule import draw

EDGES_S = np.array([0.01, 0.1, 1.0])


def row(intended_s: float, finished_s: float | None, kind: str = "ok", **changes: Any) -> list[Any]:
    values = {
        "function": "browse", "index": 0, "cohort": "default", "intended_s": intended_s,
        "sent_s": intended_s, "finished_s": finished_s, "status": 200 if kind == "ok" else 0, "kind": kind,
        "version": "", "request_id": "0" * 32, "error": "", **changes,
    }  # fmt: skip
    return [values[name] for name in COLUMNS]


def raw(*rows: list[Any]) -> RawSamples:
    return RawSamples.from_rows(list(rows))


def test_a_request_counts_in_the_window_in_which_it_was_meant_to_be_sent() -> None:
    samples = client_rows(raw(row(0.1, 0.15), row(0.2, 3.0, "timeout"), row(0.3, None, "unfinished")), EDGES_S, 0.25)
    assert samples.window_start_s.tolist() == [0.0, 0.25]
    assert samples.requests.tolist() == [2, 1]
    assert samples.failed_timeout.tolist() == [1, 0]
    assert samples.failed_unfinished.tolist() == [0, 1]
    assert set(samples.service.tolist()) == {"client"}
    assert set(samples.version.tolist()) == {""}


def test_a_time_that_is_a_whole_number_of_windows_begins_that_window() -> None:
    times_s = [number * 0.25 for number in range(2000)]
    rounded = [round(time_s, 6) for time_s in times_s]
    samples = client_rows(raw(*(row(time_s, time_s + 0.01) for time_s in rounded)), EDGES_S, 0.25)
    assert samples.window_start_s.tolist() == times_s


def test_histograms_hold_successful_latencies_from_the_intended_time_and_edges_belong_below() -> None:
    samples = client_rows(
        raw(
            row(0.0, 0.01),
            row(0.0, 0.010001),
            row(0.0, 0.1),
            row(0.0, 5.0, sent_s=4.9),
            row(0.0, 0.2, "error", status=500),
        ),
        EDGES_S,
        0.25,
    )
    assert samples.latency.tolist() == [[1, 2, 0, 1]]
    assert samples.latency.dtype == np.int32
    assert samples.failed_error.tolist() == [1]


def test_rows_are_per_function_and_cohort_and_lose_nothing() -> None:
    rng = np.random.default_rng(5)
    kinds = ("ok", "error", "timeout", "refused", "unfinished")
    rows = [
        row(
            float(rng.uniform(0, 5)), None if kind == "unfinished" else 6.0, kind,
            function=str(rng.choice(["browse", "order"])), cohort=str(rng.choice(["default", "beta"])),
        )
        for kind in rng.choice(kinds, size=500)
    ]  # fmt: skip
    samples = client_rows(raw(*rows), EDGES_S, 0.25)
    assert samples.requests.sum() == 500
    assert samples.failed().sum() + samples.latency.sum() == 500
    key = list(zip(samples.window_start_s, samples.function, samples.cohort, strict=True))
    assert len(set(key)) == len(key)


def test_no_requests_no_rows() -> None:
    samples = client_rows(raw(), EDGES_S, 0.25)
    assert len(samples) == 0
    assert samples.latency.shape == (0, 4)


def test_a_growing_file_is_read_from_where_it_stopped_and_a_torn_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "load.jsonl"
    reader = RawReader(path)
    assert len(reader.read_new()) == 0
    header = json.dumps({"schema": SCHEMA, "columns": COLUMNS}) + "\n"
    line = json.dumps(row(0.0, None, "unfinished")) + "\n"
    path.write_text(header + line + line[:20])
    assert len(reader.read_new()) == 1
    path.write_text(header + line + line + '{"end":"schedule"}\n')
    assert len(reader.read_new()) == 1
    assert reader.end == {"end": "schedule"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "other/1"}\n', "must be windtunnel-load/1"),
        ("[1, 2]\n", "must be windtunnel-load/1"),
        (json.dumps({"schema": SCHEMA}) + "\nnonsense\n", "load.jsonl:2: not JSON"),
        (json.dumps({"schema": SCHEMA}) + "\n[1, 2]\n", "row has 2 values, must have 11"),
    ],
)
def test_a_foreign_or_damaged_file_is_told_apart(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "load.jsonl"
    path.write_text(text)
    with pytest.raises(RawUnreadable, match=message):
        RawReader(path).read_new()


def test_requests_that_a_dead_child_never_reported_are_unfinished() -> None:
    plan = LoadPlan("http://127.0.0.1", (FunctionLoad("browse", ((0.0, 10.0),)),), 10.0, arrivals="uniform")
    schedule = draw(plan)
    seen = raw(*(row(float(schedule.intended_s[at]), 9.0, index=at) for at in range(30)))
    missing = never_reported(schedule, ("browse",), seen, np.arange(50), plan.token)
    assert len(seen) + len(missing) == 50
    assert missing.index.tolist() == list(range(30, 50))
    assert set(missing.kind) == {"unfinished"}
    assert not np.isfinite(missing.finished_s).any()
