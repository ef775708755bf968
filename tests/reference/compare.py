"""The kernel's tables and the twin's, brought into one form."""

import math
from typing import Any

import numpy as np

from simulator.kernel.plane import DataPlane
from tests.reference.naive import Naive

COLUMNS = ("arrived", "error", "timeout", "refused")


def _name(column: int) -> str:
    return COLUMNS[column] if column < len(COLUMNS) else f"bin {column - len(COLUMNS)}"


def assert_equal(plane: DataPlane, twin: Naive) -> None:
    """Every table, log row, time and statistic is the same, to the last bit."""
    recording = plane.recording()
    client = {
        (int(c), int(f), int(k), _name(col)): int(recording.client[c, f, k, col])
        for c, f, k, col in np.argwhere(recording.client)
    }
    assert client == dict(twin.client)
    rows = recording.rows
    service = {
        (int(c), int(rows.station[r]), int(rows.version[r]), int(rows.function[r]), int(rows.cohort[r]), _name(col)):
            int(recording.service[c, r, col])
        for c, r, col in np.argwhere(recording.service)
    }  # fmt: skip
    assert service == dict(twin.service)
    assert [_write(row) for row in recording.writes] == twin.all_writes()
    assert [int(n) for n in plane.state.stations["started"]] == twin.started
    assert [float(w) for w in plane.state.stations["waited_s"]] == twin.waited
    for (station, version, number), replica in twin.replicas.items():
        worked = replica.worked + replica.busy * twin.now
        assert plane.worked_s(station, version, number) == worked, f"replica {number} of {station}, {version}"
    assert [float(t) for t in plane.state.functions["next_arrival"]] == twin.next_arrival
    assert int(plane.state.clock[0]["serial"]) - 1 == twin.serials


def _write(row: Any) -> tuple[Any, ...]:
    acknowledged = float(row["acknowledged_s"])
    return (
        int(row["key"]),
        float(row["invoked_s"]),
        None if math.isnan(acknowledged) else acknowledged,
        int(row["request"]),
        int(row["node"]),
        int(row["attempt"]),
        int(row["outcome"]),
        bool(row["stored"]),
        int(row["cohort"]),
        int(row["caller_version"]),
    )
