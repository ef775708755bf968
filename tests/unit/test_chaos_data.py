"""Recoveries of a drill's store: who takes over, what is told when nobody can, and who waits for it."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import simpy

from chaos.data import StagingData
from chaos.errors import StagingError
from chaos.staging.data_verbs import NothingLeft, Restored
from rollout.errors import NoWayBack
from rollout.wallclock import WallClockEnvironment
from scenarios.loading import load_text, read
from scenarios.models import Primary

Told = list[tuple[str, dict[str, Any]]]


class Verbs:
    """Whose standby and backup are there, or not."""

    def __init__(self, *, standby: StagingError | None = None, backup: StagingError | None = None) -> None:
        self._standby, self._backup = standby, backup

    def fail_over(self) -> datetime | None:
        if self._standby is not None:
            raise self._standby
        return None

    def restore(self, until: datetime) -> Restored:
        if self._backup is not None:
            raise self._backup
        return Restored(until, until, 7)

    def reconcile(self) -> int:
        return 3


def store(verbs: Verbs, failover: str = "{detect: 0s, promote: 1s}") -> tuple[WallClockEnvironment, StagingData, Told]:
    """With a standby and a backup, both asked for at once."""
    text = read("shop-restore").text
    changes = {
        "start: 2s": "start: 0s",
        "      size:": f"      standbys: 1\n      failover: {failover}\n      size:",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    told: Told = []
    env = WallClockEnvironment(time.monotonic())

    def record(kind: str, subject: str, /, **detail: Any) -> None:
        told.append((f"{kind} {subject}", detail))

    def nobody(subject: str) -> Generator[simpy.Event, Any, None]:
        raise AssertionError(subject)

    rng = np.random.default_rng(1)
    return env, StagingData(env, verbs, load_text(text, "f"), record, nobody, rng), told  # type: ignore[arg-type]


def lost(verbs: Verbs, *, destroyed: bool) -> tuple[Told, bool]:
    """What is told of a primary that is lost, and whether whoever waited for the store was served."""
    env, data, told = store(verbs)
    data.primary_lost(Primary.model_validate({"of": "orders", "destroyed": destroyed}))
    waiting = data.served()
    env.run(until=0.5)
    assert waiting.processed is data.serves()
    return told, data.serves()


def test_a_failover_that_is_paused_waits_for_the_rollback() -> None:
    env, data, told = store(Verbs(), "{promote: 1s}")
    data.primary_lost(Primary.model_validate({"of": "orders"}))
    env.run(until=0.3)
    assert [what for what, _ in told] == ["store-failure orders"]
    assert not data.serves()
    data.fail_over()
    env.run(until=0.6)
    assert [what for what, _ in told][1:] == ["response-start orders", "fail-over orders", "response-end orders"]
    assert data.serves()


def test_a_standby_that_is_gone_is_found_out_and_the_backup_is_next() -> None:
    gone = NothingLeft("there is no standby")
    told, served = lost(Verbs(standby=gone), destroyed=True)
    assert ("step-failed orders", {"during": "recovery", "message": "there is no standby"}) in told
    assert [event for event, _ in told if event in ("restore orders", "error orders")] == ["restore orders"]
    assert served
    told, served = lost(Verbs(standby=gone), destroyed=False)
    assert [event for event, _ in told][-1] == "step-failed orders", "its data will be back: nobody restores"
    assert not served


def test_a_backup_that_does_not_restore_is_found_out_and_another_failure_is_an_error() -> None:
    gone = NothingLeft("there is no standby")
    told, served = lost(Verbs(standby=gone, backup=NothingLeft("it does not restore")), destroyed=True)
    assert told[-2:] == [
        ("restore orders", {"phase": "failed", "message": "it does not restore"}),
        ("step-failed orders", {"during": "recovery", "message": "it does not restore"}),
    ]
    assert not served
    told, served = lost(Verbs(standby=StagingError("no answer")), destroyed=True)
    assert told[-1] == ("error orders", {"during": "recovery", "message": "StagingError: no answer"})
    assert not served


def test_a_restore_in_vain_leaves_who_served() -> None:
    env, data, told = store(Verbs(backup=NothingLeft("it does not restore")))
    with pytest.raises(NoWayBack, match="it does not restore"):
        env.run(until=data.restore())
    assert data.serves()
    assert told[-1][1]["phase"] == "failed"
    env, data, told = store(Verbs())
    data.begun()
    env.run(until=data.restore())
    assert [event for event, _ in told] == [
        "store-failure orders",
        "response-start orders",
        "restore orders",
        "response-end orders",
    ]


def test_rows_are_reconciled_when_somebody_serves_them() -> None:
    env, data, told = store(Verbs(standby=NothingLeft("there is no standby")))
    data.primary_lost(Primary.model_validate({"of": "orders"}))
    reconciled = data.reconcile()
    env.run(until=0.5)
    assert "reconcile rows" not in [event for event, _ in told]
    data.primary_back()
    env.run(until=reconciled)
    assert told[-1] == ("reconcile rows", {"phase": "end", "rows": 3})
