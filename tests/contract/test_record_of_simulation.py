"""The simulator writes the one schema of both worlds, and what it writes measures to what it measured."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from evidence import schema
from evidence.events import EventKind
from evidence.header import Phase, World
from evidence.measuring import measure_record
from evidence.record import RunRecord
from scenarios.loading import load, load_text
from simulator.replications import simulate


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    scenario, source = load("shop-release")
    out = tmp_path_factory.mktemp("runs")
    result = simulate(
        scenario, source.text, replications=8, seed=11, processes=1, out=out, source=source.source, strategy="canary"
    )
    assert result.record is not None
    return RunRecord.open(result.record)


def test_header_tells_how_to_repeat_it(record: RunRecord) -> None:
    header = record.header
    assert (header.world, header.phase) == (World.SIMULATION, Phase.RECORDED)
    assert (header.strategy, header.seed, header.replications) == ("canary", 11, 8)
    assert header.scenario.text == load("shop-release")[1].text


@pytest.mark.parametrize("table", ["events", "samples", "ledger", "measures"])
def test_tables_are_of_the_one_schema(record: RunRecord, table: str) -> None:
    wanted = getattr(schema, table.upper())
    found = pq.read_table(record.folder / f"{table}.parquet")
    assert found.schema.names == wanted.names
    assert found.schema.types == wanted.types
    assert found.num_rows > 0


def test_measures_follow_from_the_timelines(record: RunRecord) -> None:
    scenario = load_text(record.header.scenario.text, record.header.scenario.source)
    again = measure_record(scenario, record.header, record.events(), record.samples(), record.ledger())
    kept = [row for row in record.measures() if row.replication in record.header.timelines]
    assert again == kept


def test_every_row_is_in_range(record: RunRecord) -> None:
    samples, ledger, header = record.samples(), record.ledger(), record.header
    assert set(samples.replication) == set(ledger.replication) == set(header.timelines)
    cells = samples.window_start_s / header.resolution_s
    assert (cells == np.rint(cells)).all()
    assert set(samples.service) == {"client", "edge", "catalogue", "checkout", "payments"}
    assert (samples.requests == samples.failed() + samples.latency.sum(axis=1)).all()
    assert set(ledger.store) == {"orders"}
    assert (np.isnan(ledger.acknowledged_s) | (ledger.acknowledged_s > ledger.invoked_s)).all()


def test_timelines_are_whole_and_in_order(record: RunRecord) -> None:
    for replication in record.header.timelines:
        events = [event for event in record.events() if event.replication == replication]
        assert [events[0].kind, events[-1].kind] == [EventKind.LOAD_START, EventKind.LOAD_END]
        times = [event.time_s for event in events]
        assert times == sorted(times)
