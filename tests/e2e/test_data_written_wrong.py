"""Rows that a new version wrote wrong: found by the payments, felt by whoever reads them, put right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from chaos.staging.config import Defect
from chaos.staging.embedded import Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter
from evidence.assess import assess
from evidence.events import Event
from evidence.verdicts import Status
from scenarios.loading import read
from tests.e2e.drills import DRILL_TIMEOUT_S, PATIENCE_S, only_record, start_drill, wait_for
from tests.e2e.test_data_failover import order

pytestmark = pytest.mark.e2e

WRONG_SIGN = Defect("wrong-sign", wrong_rows_ratio=1.0)


def status(staging: Staging, cohort: str) -> int:
    """Of an order's answer."""
    with httpx.Client(base_url=staging.edge_url(), timeout=5.0, trust_env=False) as client:
        headers = {"x-cohort": cohort}
        body = {"order_id": f"{cohort}-{datetime.now(UTC).timestamp()}", "amount": 55}
        return client.post("/checkout", json=body, headers=headers).status_code


def test_rows_outlive_the_version_that_wrote_them(staging: Staging) -> None:
    began, data, adapter = datetime.now(UTC), staging.data, EmbeddedAdapter(staging)
    first = order(staging)
    staging.set_defects("checkout", "2.4", [WRONG_SIGN])
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.4": 1.0})
    second = order(staging)
    staging.route("checkout", {"2.3": 1.0})
    staging.deploy("checkout", "2.4", 0)
    (wrong,) = data.wrong_since(began)
    assert (wrong.id, wrong.amount) == (second, -55.0)
    assert began < wrong.written < datetime.now(UTC)
    assert adapter.final_read("orders", [first, second], began).found == {first}
    assert data.wrong_since(datetime.now(UTC) + timedelta(seconds=1)) == []
    assert data.store_differences() == [f"1 orders are wrong, such as {second}"]
    wait_for(lambda: status(staging, "coupon") == 502, PATIENCE_S, "errors by the old version")
    assert status(staging, "default") == 201, "the defect is of the cohort's rows alone"
    assert data.reconcile() == 1
    wait_for(lambda: status(staging, "coupon") == 201, PATIENCE_S, "no errors any more")
    assert data.store_differences() == []
    assert adapter.final_read("orders", [first, second], began).found == {first, second}
    assert data.reconcile() == 0


def test_a_migrated_schema_is_put_right_in_both_columns(staging: Staging) -> None:
    staging.data.migrate("expand", 0.0)
    name = order(staging)
    with staging.servers.connection() as connection:
        connection.execute("UPDATE orders SET amount = NULL, amount_cents = -5500 WHERE id = %s", (name,))
        assert staging.data.reconcile() == 1
        row = connection.execute("SELECT amount, amount_cents FROM orders WHERE id = %s", (name,)).fetchone()
        assert row == (55, 5500)
        connection.execute("UPDATE orders SET amount = -1 WHERE id = %s", (name,))
    staging.data.reset()
    assert staging.data.store_differences() == [], "the undo puts rows right as well"


_SHORT = {
    "duration: 36s": "duration: 16s",
    "at: 6s\n": "at: 4s\n",
    "share: 20%, symptom_after: 6s, errors: 40%}}": "share: 50%, symptom_after: 4s, errors: 60%}}\n"
    "    - {name: errors, probability: 1%, errors: 60%}",
    "  services:\n": "  zones: [a, b]\n  services:\n",
    "canary: {steps: [{weight: 30%}, {bake: 12s}]}": "waves: {by: zones, waves: [[a], [b]], bake: 9s}",
    "low: 2s, high: 4s": "low: 500ms, high: 1s",
}


def test_a_drill_by_zones_repairs_what_its_rollback_does_not(state_dir: Path, tmp_path: Path) -> None:
    text = read("shop-bad-data").text
    for old, new in _SHORT.items():
        assert old in text, f"shop-bad-data no longer says {old!r}"
        text = text.replace(old, new)
    (tmp_path / "short.yaml").write_text(text, encoding="utf-8")
    defects = ("--defect", "wrong-sign", "--defect", "errors")
    drill = start_drill(tmp_path / "short.yaml", state_dir, tmp_path / "runs", *defects)
    _, errors = drill.communicate(timeout=DRILL_TIMEOUT_S)
    assert drill.returncode == 0, errors
    record = only_record(tmp_path / "runs")
    events = list(record.events())

    def one(kind: str, phase: str | None = None) -> Event:
        (found,) = (each for each in events if each.kind == kind and each.detail.get("phase") == phase)
        return found

    deploys = [(each.detail["version"], each.detail.get("zones")) for each in events if each.kind == "deploy"]
    assert deploys == [("2.4", {"a": 1}), ("2.3", {"b": 1}), ("2.3", {"a": 1, "b": 1}), ("2.4", None)]
    back, began, ended = one("rollback-end"), one("reconcile", "start"), one("reconcile", "end")
    assert back.detail["complete"]
    assert back.time_s < began.time_s, "taken back for its errors, before anybody knows of the rows"
    assert one("bad-data", "start").time_s < began.time_s < ended.time_s < one("bad-data", "end").time_s
    assert began.detail["rows"] == ended.detail["rows"] > 0, "the rollback mended none, the repair all"
    (books,) = (each for each in events if each.subject == "orders against payments")
    assert (books.detail["wrong"], books.detail["differences"]) == (0, [])
    (checkout,) = (each for each in record.measures() if each.function == "checkout")
    assert checkout.reconciled_rows == ended.detail["rows"]
    assert (checkout.outcome, checkout.lost_writes, checkout.met_rpo) == ("rolled-back", 0, True)
    assert assess(record.folder).status is Status.PASS
