"""Failover on the real staging: nobody loses who takes orders, the old primary is fenced, and all of it is put back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.safety.journal import JournalEntry
from chaos.safety.store import plan_store
from chaos.safety.undo import undo_entry
from chaos.staging.embedded import Staging
from chaos.staging.processes import alive
from scenarios.models import Fault
from tests.e2e.drills import wait_for

pytestmark = pytest.mark.e2e
CONTEXT = PlanContext("drill-1")
ROOT = Path(__file__).resolve().parents[2]


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


def apply(surface: EmbeddedSurface, **effect: Any) -> JournalEntry:
    """A fault in force."""
    fault = Fault.model_validate({"at": "0s", "for": "9s", **effect})
    entry = FAULTS[fault.kind].plan(surface, fault, CONTEXT)
    FAULTS[fault.kind].apply(surface, entry)
    FAULTS[fault.kind].confirm(surface, entry)
    return entry


def test_a_lost_standby_comes_back(staging: Staging) -> None:
    surface = EmbeddedSurface(staging)
    entry = apply(surface, standby={"of": "orders"})
    assert staging.data.store_differences() == ["store standby: none, was streaming"]
    assert undo_entry(surface, entry).rung == "bring back"
    staging.servers.wait_streaming()
    assert staging.data.store_differences() == []


ELSEWHERE = """
import sys
from pathlib import Path
from chaos.staging.embedded import Staging
servers = Staging.attach(Path(sys.argv[1])).servers
servers.kill("primary")
servers.bring_back("primary")
"""


def test_a_killed_primary_comes_back_though_nobody_reaps_it(staging: Staging) -> None:
    """Its parent, which is this process, does not look; PostgreSQL takes a zombie for a server that runs."""
    killed, written = staging.state().components["primary"], order(staging)
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(staging.state_dir)], cwd=ROOT, check=True, timeout=60)
    assert psutil.Process(killed.pid).status() == psutil.STATUS_ZOMBIE
    assert not alive(killed)  # that reaps it
    assert there(staging, written, order(staging)) == [True, True]
    staging.servers.wait_streaming()
    assert staging.data.store_differences() == []


def test_failovers_lose_what_the_standby_lacked_and_no_old_primary_serves_again(staging: Staging) -> None:
    surface = EmbeddedSurface(staging)
    undo = plan_store(surface, "orders", "drill-1")
    before = order(staging)
    lag = apply(surface, lag={"of": "orders", "add": "2s"})
    lost = order(staging)
    killed = apply(surface, primary={"of": "orders"})
    assert staging.data.fail_over() is not None
    assert staging.servers.serving == "standby"
    after = order(staging)
    assert there(staging, before, lost, after) == [True, False, True]
    assert undo_entry(surface, lag).rung == "remove toxic"
    assert undo_entry(surface, killed).rung == "bring back"
    assert staging.servers.streaming(), "the old primary came back, as a standby"
    assert staging.servers.serving == "standby"
    # In order, from the one that took over to the one that was killed: nothing is lost.
    assert staging.data.fail_over() is None
    last = order(staging)
    assert undo_entry(surface, undo).rung == "restore baseline"
    assert staging.data.store_differences() == []
    assert there(staging, before, lost, after, last, order(staging)) == [True, False, True, True, True]


def test_a_primary_that_is_cut_off_is_fenced_by_who_takes_over_or_let_back(staging: Staging) -> None:
    surface, servers = EmbeddedSurface(staging), staging.servers
    undo = plan_store(surface, "orders", "drill-1")
    before = order(staging)
    cut_off = apply(surface, primary={"of": "orders", "partitioned": True})
    assert servers.alive("primary")
    wait_for(lambda: not servers.streaming(), 10.0, "the standby cut off as well")
    refused = httpx.post(f"{staging.edge_url()}/checkout", json={"order_id": "refused", "amount": 55}, timeout=5.0)
    assert refused.status_code == 502
    assert undo_entry(surface, cut_off).rung == "let back"
    cut_off = apply(surface, primary={"of": "orders", "partitioned": True})
    with servers.connection() as connection:  # a client on its own side writes on
        query = "INSERT INTO orders (id, function, cohort, amount, version) VALUES ('split', 'checkout', 'x', 7, '2.3')"
        connection.execute(query)
    assert staging.data.fail_over() is not None
    assert not servers.alive("primary")
    after = order(staging)
    assert there(staging, before, "split", after) == [True, False, True]
    assert undo_entry(surface, cut_off).rung == "bring back"
    assert servers.serving == "standby"
    assert servers.streaming(), "the old primary came back, as a standby"
    assert undo_entry(surface, undo).rung == "restore baseline"
    assert staging.data.store_differences() == []
    assert there(staging, before, after, order(staging)) == [True, True, True]
