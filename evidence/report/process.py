"""The table of calendars and people."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.process import ProcessRow
from evidence.report.table import Table, seconds, share
from evidence.statistics import Estimate

__all__ = ["process_table"]


def process_table(rows: Sequence[ProcessRow]) -> Table:
    """A row for each thing that happened, with how often and how long or how many."""
    return Table(
        title="Calendar and people",
        headers=("what", "happened", "of", "p50", "p95"),
        rows=tuple(
            (
                row.what,
                share(row.share.value, row.share.low, row.share.high),
                f"{row.share.n} {row.of}",
                _size(row.p50, row.unit),
                _size(row.p95, row.unit),
            )
            for row in rows
        ),
        align="lrlrr",
        note="Sizes are of those in which it happened. An alert that was never heard counts to the end of the run.",
    )


def _size(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "-"
    return seconds(estimate.value) if unit == "s" else f"{estimate.value:g}"
