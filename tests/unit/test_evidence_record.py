"""The record on disk: written in phases, never overwritten, and clear about what is wrong with it."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence import schema
from evidence.errors import (
    RecordExistsError,
    RecordForeignError,
    RecordMissingError,
    RecordNotWrittenError,
    RecordTooNewError,
    RecordTruncatedError,
    TableError,
)
from evidence.events import Event
from evidence.header import Phase, World
from evidence.provenance import clean_argv
from evidence.record import RunRecord
from evidence.tables import Ledger, Samples
from tests.unit import evidence_made as made


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    return RunRecord.create(tmp_path / "run", made.header(World.STAGING))


def fill(record: RunRecord) -> None:
    plan = made.plan()
    record.write_events(made.rolled_back())
    record.write_samples(made.cells((10.0, 14.0)).samples(0.25))
    record.write_ledger(made.writes({11.0: 11.25}).ledger(plan.stores, plan.function_names))
    record.recorded(load=record.header.load)


def test_the_header_is_there_before_anything_else(record: RunRecord) -> None:
    opened = RunRecord.open(record.folder)
    assert opened.header == record.header
    assert opened.header.phase is Phase.STARTED
    assert opened.header.scenario.text == made.TEXT
    assert sorted(path.name for path in record.folder.iterdir()) == ["run.json"]


def test_phases(record: RunRecord) -> None:
    fill(record)
    assert RunRecord.open(record.folder).header.phase is Phase.RECORDED
    record.judged({"status": "pass"})
    opened = RunRecord.open(record.folder)
    assert (opened.header.phase, opened.verdict()) == (Phase.JUDGED, {"status": "pass"})
    assert not list(record.folder.glob("*.part"))


def test_an_unfinished_record_stays_unfinished_when_judged(record: RunRecord) -> None:
    record.judged({"status": "error"})
    assert RunRecord.open(record.folder).header.phase is Phase.STARTED


def test_recorded_needs_its_tables(record: RunRecord) -> None:
    record.write_events([])
    with pytest.raises(RecordMissingError, match=r"samples\.parquet must be written"):
        record.recorded()


def test_a_full_disk_is_told_and_leaves_no_half_file(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RecordNotWrittenError, match=r"measures\.parquet: cannot be written: No space left"):
        record.write_measures([])
    with pytest.raises(RecordNotWrittenError, match=r"events\.jsonl: cannot be written: No space left"):
        record.append(made.rolled_back()[0])
    assert not record.has("measures")
    assert not list(record.folder.glob("*.part"))


def test_a_record_is_never_overwritten(record: RunRecord) -> None:
    with pytest.raises(RecordExistsError, match="never overwritten"):
        RunRecord.create(record.folder, record.header)


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    header = made.header()
    records = [RunRecord.create_in(tmp_path, header) for _ in range(3)]
    names = [record.folder.name for record in records]
    assert names == [header.run_id, f"{header.run_id}-2", f"{header.run_id}-3"]
    assert [record.header.run_id for record in records] == names
    assert header.run_id.endswith("-tiny-canary-simulation")


def test_tables_come_back_as_they_were(record: RunRecord) -> None:
    fill(record)
    plan, opened = made.plan(), RunRecord.open(record.folder)
    assert opened.events() == made.rolled_back()
    expected = made.cells((10.0, 14.0)).samples(0.25)
    for name, column in vars_of(opened.samples()).items():
        assert np.array_equal(column, getattr(expected, name)), name
    ledger = made.writes({11.0: 11.25}).ledger(plan.stores, plan.function_names)
    for name, column in vars_of(opened.ledger()).items():
        assert np.array_equal(column, getattr(ledger, name)), name
    rows = made.measures()
    opened.write_measures(rows)
    assert opened.measures() == rows


def vars_of(table: Samples | Ledger) -> dict[str, np.ndarray]:
    return {name: getattr(table, name) for name in table.__dataclass_fields__}


def test_nulls_of_the_ledger_come_back(record: RunRecord) -> None:
    ledger = made.writes().ledger(("orders", "audit"), ("buy", "browse"))
    ledger.found[:3] = (-1, 0, 1)
    ledger.acknowledged_s[0] = np.nan
    record.write_ledger(ledger)
    table = pq.read_table(record.folder / "ledger.parquet")
    assert table.column("found").to_pylist()[:3] == [None, False, True]
    assert table.column("acknowledged_s").null_count == 1
    back = record.ledger()
    assert back.found[:3].tolist() == [-1, 0, 1]
    assert np.isnan(back.acknowledged_s[0])


def test_empty_tables_come_back(record: RunRecord) -> None:
    record.write_samples(Samples.empty(len(record.header.edges_s) + 1))
    record.write_ledger(Ledger.empty())
    record.write_measures([])
    assert (len(record.samples()), len(record.ledger()), record.measures()) == (0, 0, [])


def test_the_journal_survives_a_run_that_dies(record: RunRecord) -> None:
    record.append(Event(2.0, "fault-start", "cut", {"kind": "cut"}))
    record.append(Event(1.0, "load-start", "client"))
    with (record.folder / "events.jsonl").open("a") as journal:
        journal.write('{"replication": 0, "time_s": 3.0, "ki')
    found = RunRecord.open(record.folder).events()
    assert [(event.time_s, event.kind) for event in found] == [(1.0, "load-start"), (2.0, "fault-start")]
    record.write_events(found)
    assert not (record.folder / "events.jsonl").exists()
    assert record.events() == found


def test_a_broken_journal_line_is_an_error(record: RunRecord) -> None:
    (record.folder / "events.jsonl").write_text("nonsense\n")
    with pytest.raises(RecordTruncatedError, match="a line is broken"):
        record.events()


def test_no_folder_and_no_record(tmp_path: Path) -> None:
    with pytest.raises(RecordMissingError, match="no such run record"):
        RunRecord.open(tmp_path / "nothing")
    with pytest.raises(RecordForeignError, match=r"it has no run\.json"):
        RunRecord.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"schema": "windtunnel-re', RecordTruncatedError, "cut short or unreadable"),
        ("[]", RecordForeignError, "schema is None"),
        ('{"schema": "other/v1"}', RecordForeignError, "schema is 'other/v1'"),
        ('{"schema": "windtunnel-record/v2"}', RecordTooNewError, "readable up to 'windtunnel-record/v1'"),
        ('{"schema": "windtunnel-record/v1"}', RecordForeignError, "run_id: Field required"),
    ],
)
def test_headers_that_cannot_be_read(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(error, match=message):
        RunRecord.open(tmp_path)


def test_a_table_that_is_missing_cut_or_foreign(record: RunRecord) -> None:
    with pytest.raises(RecordMissingError, match=r"samples\.parquet: missing \(the record is in phase started\)"):
        record.samples()
    fill(record)
    path = record.folder / "samples.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RecordTruncatedError, match=r"samples\.parquet: cut short"):
        record.samples()
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(TableError, match=r"samples columns are \['a'\], must be"):
        record.samples()


def test_wrong_types_are_refused_on_write_and_read() -> None:
    samples = made.cells().samples(0.25)
    text = replace(samples, requests=np.array(["many"] * len(samples)))
    with pytest.raises(TableError, match="samples column requests must be int64"):
        schema.samples_to_arrow(text)
    half = replace(samples, requests=samples.requests + 0.5)
    with pytest.raises(TableError, match="samples column requests must be int64"):
        schema.samples_to_arrow(half)
    table = schema.ledger_to_arrow(Ledger.empty())
    wrong = table.set_column(4, "invoked_s", pa.array([], type=pa.int64()))
    with pytest.raises(TableError, match="ledger column invoked_s is int64, must be double"):
        schema.ledger_from_arrow(wrong)


def test_more_failures_than_requests_are_refused(record: RunRecord) -> None:
    samples = made.cells().samples(0.25)
    samples.failed_error[7] = 99
    with pytest.raises(TableError, match=r"samples row 7: failed \(=99\) must be <= requests"):
        record.write_samples(samples)


def test_histograms_must_fit_the_header(record: RunRecord) -> None:
    with pytest.raises(TableError, match=r"latency is \(0, 3\), must be \(rows, "):
        record.write_samples(Samples.empty(3))


def test_unknown_outcomes_are_refused() -> None:
    ledger = made.writes().ledger(("orders",), ("buy",))
    ledger.outcome[0] = "no"
    with pytest.raises(TableError, match="has 'no', must be one of ok, failed, indeterminate"):
        schema.ledger_to_arrow(ledger)


def test_a_broken_verdict_is_an_error(record: RunRecord) -> None:
    assert record.verdict() is None
    (record.folder / "verdict.json").write_text("{")
    with pytest.raises(RecordTruncatedError, match=r"verdict\.json"):
        record.verdict()
    (record.folder / "verdict.json").write_text("[]")
    with pytest.raises(RecordForeignError, match="must be a JSON object"):
        record.verdict()


def test_run_json_is_plain_json(record: RunRecord) -> None:
    found = json.loads((record.folder / "run.json").read_text())
    assert found["schema"] == "windtunnel-record/v1"
    assert found["scenario"]["digest"].startswith("sha256:")
    assert found["versions"]["numpy"] == np.__version__
    assert tuple(found["edges_s"]) == record.header.edges_s


def test_the_command_line_is_kept_without_secrets() -> None:
    argv = ("/usr/bin/windtunnel", "drill", "--token", "abc", "--db-password=x", "postgresql://u:p@localhost/db", "x")
    assert clean_argv(argv) == (
        "windtunnel", "drill", "--token", "***", "--db-password=***", "postgresql://***@localhost/db", "x",
    )  # fmt: skip
