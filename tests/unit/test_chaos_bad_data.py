"""Rows that a defect wrote wrong, as a drill finds them: told when they show, and when none is left."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import simpy

from chaos import bad_data
from chaos.bad_data import BadRows
from chaos.data import StagingData
from chaos.errors import StagingError
from chaos.staging.data_verbs import StoredOrder
from rollout.errors import WorldError
from rollout.wallclock import WallClockEnvironment
from scenarios.loading import load
from scenarios.models import Defect

BEGUN = datetime(2026, 11, 30, tzinfo=UTC)


class Data:
    """A staging's, whose looks find so many wrong rows, one after the other; the last answer stays."""

    def __init__(self, *looks: int | None) -> None:
        self.looks = list(looks)

    def wrong_since(self, moment: datetime) -> list[StoredOrder]:
        assert moment == BEGUN
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if found is None:
            raise StagingError("the store cannot be read")
        written = datetime.now(UTC) - timedelta(seconds=60)
        return [StoredOrder(f"order-{number}", -55.0, written) for number in range(found)]


def watched(looks: Sequence[int | None], for_s: float, **bad: Any) -> tuple[list[tuple[str, dict[str, Any]]], BadRows]:
    events: list[tuple[str, dict[str, Any]]] = []
    env = WallClockEnvironment(time.monotonic())
    defect = Defect.model_validate({"name": "wrong", "probability": "100%", "bad_data": {"share": "10%", **bad}})

    def record(kind: str, subject: str, /, **detail: Any) -> None:
        events.append((f"{kind} {subject}", detail))

    rows = BadRows(env, Data(*looks), defect, record)  # type: ignore[arg-type]
    rows.begin(BEGUN)
    symptom = rows.symptom
    env.run(until=for_s)
    assert symptom.triggered is any(detail["phase"] == "start" for _, detail in events)
    assert env.idle(5.0)
    return events, rows


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_data, "_LOOK_S", 0.01)


def test_rows_show_and_are_over_and_begin_anew() -> None:
    events, rows = watched([0, 3, None, 5, 0, 0, 2], 2.0, errors="40%", symptom_after="50s")
    assert events == [
        ("bad-data wrong", {"phase": "start", "rows": 3}),
        ("bad-data wrong", {"phase": "end"}),
        ("bad-data wrong", {"phase": "start", "rows": 2}),
    ]
    assert rows.rows == 2


def test_rows_that_are_too_young_do_not_show_yet() -> None:
    assert watched([3], 0.5, errors="40%", symptom_after="70s")[0] == []


def test_rows_that_hurt_nobody_are_looked_for_by_nobody() -> None:
    assert watched([3], 0.2)[0] == []


class Shop:
    """A staging's data with three rows that are wrong until somebody puts them right; one is beyond help."""

    def __init__(self) -> None:
        self.wrong = 3

    def wrong_since(self, moment: datetime) -> list[StoredOrder]:
        return [StoredOrder(f"order-{number}", -55.0, moment) for number in range(self.wrong)]

    def reconcile(self) -> int:
        put_right, self.wrong = self.wrong - 1, 1
        return put_right


def test_reconciling_tells_what_it_found_and_what_it_put_right() -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    env, shop, scenario = WallClockEnvironment(time.monotonic()), Shop(), load("shop-bad-data")[0]

    def record(kind: str, subject: str, /, **detail: Any) -> None:
        events.append((f"{kind} {subject}", detail))

    def nobody(subject: str) -> Generator[simpy.Event, Any, None]:
        raise AssertionError(subject)

    def reconciled(bad: BadRows | None) -> StagingData:
        rng = np.random.default_rng(1)
        data = StagingData(env, shop, scenario, record, nobody, rng, bad)  # type: ignore[arg-type]
        data.begun()
        env.run(until=data.reconcile())
        return data

    silent = Defect.model_validate({"name": "wrong", "probability": "100%", "bad_data": {"share": "10%"}})
    assert reconciled(BadRows(env, shop, silent, record)).dirty(), "one is left"  # type: ignore[arg-type]
    assert not reconciled(None).dirty(), "of a release that writes no row wrong"
    assert events == [
        ("reconcile rows", {"phase": "start", "rows": 3}),
        ("reconcile rows", {"phase": "end", "rows": 2}),
        ("reconcile rows", {"phase": "start"}),
        ("reconcile rows", {"phase": "end", "rows": 0}),
    ]


def test_a_store_that_cannot_be_read_fails_who_asks_for_it() -> None:
    events, rows = watched([None], 0.1)
    assert events == []
    env = WallClockEnvironment(time.monotonic())
    rows = BadRows(env, Data(None), rows._defect, lambda *_, **__: None)  # type: ignore[arg-type]
    rows.begin(BEGUN)
    with pytest.raises(WorldError, match="StagingError: the store cannot be read"):
        env.run(until=env.process(rows.look()))
