"""Failover on the real staging: nobody loses who takes orders, the old primary is fenced, and all of it is put back."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx
import pytest

from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.safety.store import plan_store
from chaos.safety.undo import undo_entry
from chaos.staging.embedded import Staging
from scenarios.models import Fault

pytestmark = pytest.mark.e2e
CONTEXT = PlanContext("drill-1")


def order(staging: Staging) -> str:
    """An order that is acknowledged, within a few tries."""
    name = str(uuid4())
    with httpx.Client(base_url=staging.edge_url(), timeout=5.0, trust_env=False) as client:
        for _ in range(20):
            if client.post("/checkout", json={"order_id": name, "amount": 55}).status_code == 201:
                return name
            time.sleep(0.1)
    raise AssertionError("no order was acknowledged")


def there(staging: Staging, *names: str) -> list[bool]:
    with staging.servers.connection() as connection:
        rows = {row[0] for row in connection.execute("SELECT id FROM orders").fetchall()}
    return [name in rows for name in names]


def test_a_killed_primary_loses_what_the_standby_lacked_and_never_serves_again(staging: Staging) -> None:
    surface = EmbeddedSurface(staging)
    undo = plan_store(surface, "drill-1")
    lag, primary = (
        Fault.model_validate({"at": "0s", "for": "9s", **effect})
        for effect in ({"lag": {"of": "orders", "add": "2s"}}, {"primary": {"of": "orders"}})
    )
    before = order(staging)
    entries = []
    for fault in (lag, primary):
        entry = FAULTS[fault.kind].plan(surface, fault, CONTEXT)
        if fault is primary:
            lost = order(staging)
        FAULTS[fault.kind].apply(surface, entry)
        FAULTS[fault.kind].confirm(surface, entry)
        entries.append(entry)
    kept = staging.data.fail_over()
    assert kept is not None
    assert staging.servers.serving == "standby"
    after = order(staging)
    assert there(staging, before, lost, after) == [True, False, True]
    assert undo_entry(surface, entries[1]).rung == "bring back"
    assert staging.servers.streaming(), "the old primary came back, as a standby"
    assert staging.servers.serving == "standby"
    assert undo_entry(surface, entries[0]).rung == "remove toxic"
    assert undo_entry(surface, undo).rung == "restore baseline"
    assert staging.data.store_differences() == []
    assert there(staging, before, lost, after, order(staging)) == [True, False, True, True]


def test_a_planned_failover_loses_nothing_and_a_lost_standby_comes_back(staging: Staging) -> None:
    surface = EmbeddedSurface(staging)
    fault = Fault.model_validate({"at": "0s", "for": "9s", "standby": {"of": "orders"}})
    entry = FAULTS["standby"].plan(surface, fault, CONTEXT)
    FAULTS["standby"].apply(surface, entry)
    FAULTS["standby"].confirm(surface, entry)
    assert staging.data.store_differences() == ["store standby: none, was streaming"]
    assert undo_entry(surface, entry).rung == "bring back"
    staging.servers.wait_streaming()
    before = order(staging)
    assert staging.data.fail_over() is None
    assert there(staging, before, order(staging)) == [True, True]
    staging.data.reset()
    assert staging.data.store_differences() == []
