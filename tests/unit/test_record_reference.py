"""docs/record.md explains every column of every table of a record, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from evidence.requests import REQUESTS
from evidence.schema import EVENTS, LEDGER, MEASURES, SAMPLES
from evidence.spans import SPANS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def explained(page: str, table: str) -> set[str]:
    """The columns in the left cells of the section of a table."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"## {table}.parquet\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall("`([a-z_]+)`", cell)}


@pytest.mark.parametrize(
    ("page", "table", "schema"),
    [
        ("record.md", "events", EVENTS),
        ("record.md", "samples", SAMPLES),
        ("record.md", "ledger", LEDGER),
        ("record.md", "spans", SPANS),
        ("record.md", "measures", MEASURES),
        ("load.md", "requests", REQUESTS),
    ],
)
def test_every_column_is_explained(page: str, table: str, schema: pa.Schema) -> None:
    assert explained(page, table) == set(schema.names) - {"replication"}
