"""``windtunnel faults``: one row a kind, as those who have the faults say it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from chaos.faults.registry import FAULTS
from chaos.kubernetes.faults import POD_FAULTS
from scenarios.faults import FaultKind
from windtunnel.fault_kinds import kinds_of_faults

Run = Callable[..., Any]

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "scenario-language.md"
ROW = re.compile(r"\| `(?P<kind>[a-z_]+)` +\| \[[A-Za-z]+\]\(#[a-z]+-a-fault\) +\| none +\| (?P<what>.*?) +\|")


def test_every_kind_has_a_row_and_the_stagings_that_have_it(windtunnel: Run) -> None:
    rows = {row["kind"]: row for row in json.loads(windtunnel("faults", "--json").out)}
    assert list(rows) == list(get_args(FaultKind))
    for name, table in (("embedded", FAULTS), ("kubernetes", POD_FAULTS)):
        assert {kind for kind, row in rows.items() if name in row["stagings"]} == set(table)
    assert all(row["what"] for row in rows.values())
    assert all(row["confirmed"] for row in rows.values())


def test_what_is_simulated_is_what_the_reference_does_not_call_for_drills_only() -> None:
    reference = {match["kind"]: match["what"] for match in ROW.finditer(REFERENCE.read_text(encoding="utf-8"))}
    rows = {row.kind: row for row in kinds_of_faults()}
    assert set(reference) == set(rows)
    drills_only = {kind for kind, what in reference.items() if what.endswith("; drills only")}
    assert {kind for kind, row in rows.items() if row.simulated.startswith("no: ")} == drills_only


def test_targets_and_keys() -> None:
    rows = {row.kind: row for row in kinds_of_faults()}
    targets = {row.target for row in rows.values()}
    assert targets == {"link", "service", "store", "zone", "file"}
    assert [str(key) for key in rows["latency"].parameters] == ["[direction]", "[connections]", "add", "[jitter]"]
    assert {kind: row.root for kind, row in rows.items() if row.root != "no"} == {
        "packets": "needed",
        "disk": "optional",
    }
    assert (rows["latency"].target, rows["lag"].target, rows["kill"].target) == ("link", "store", "service")


def test_the_table_is_for_people(windtunnel: Run) -> None:
    lines = windtunnel("faults").out.splitlines()
    assert any(line.split()[:2] == ["KIND", "ON"] for line in lines)
    assert any(line.split()[:2] == ["read_only", "store"] for line in lines)
