"""A prediction beside what happened, as tables: beside a drill, and beside what was published of an incident."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.beside import Beside, BesideRow
from evidence.published import PublishedRow
from evidence.report.table import Table, money, percent, seconds, with_range

__all__ = ["beside_table", "published_table", "replays_table"]


def beside_table(beside: Beside) -> Table:
    """Predicted beside measured."""
    defects = ", ".join(beside.defects) or "no defect"
    note = (
        f"Predicted: median [p5, p95] of the {beside.replications} of {beside.of_replications} replications with the "
        f"drill's defects ({defects}); no brackets where p5 and p95 are the same. RTO is resolved to "
        f"{beside.resolution_s:g} s."
    )
    if not beside.same_scenario:
        note += " The two runs played different texts of the scenario."
    return Table(
        title="Predicted beside measured",
        headers=("function", "measure", "predicted", "measured", "inside"),
        rows=tuple(
            (row.function or "all", row.measure, _predicted(row), _measured(row), _INSIDE[row.inside])
            for row in beside.rows
        ),
        align="llrrl",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for row in beside.rows),
        note=note,
        grouped=True,
    )


def _shown(value: float | None, unit: str) -> str:
    if unit == "s":
        return seconds(value)
    return percent(value) if unit == "%" else money(value, unit)


def _predicted(row: BesideRow) -> str:
    if row.unit == "names":
        return row.predicted_text
    return with_range(row.predicted, row.low, row.high, row.unit)


def _measured(row: BesideRow) -> str:
    if row.unit == "names":
        return row.measured_text
    return ("> " if row.measured_censored else "") + _shown(row.measured, row.unit)


_INSIDE = {True: "inside", False: "outside", None: "-"}


def published_table(rows: Sequence[PublishedRow]) -> Table:
    """What was published of the incident that a scenario replays, beside the prediction."""
    n = max((row.n for row in rows), default=0)
    return Table(
        title="Published beside predicted",
        headers=("function", "measure", "published", "predicted", "inside", "source"),
        rows=tuple(
            (
                row.function,
                row.measure,
                _shown(row.published, row.unit),
                with_range(row.predicted, row.low, row.high, row.unit),
                _INSIDE[row.inside],
                row.source,
            )
            for row in rows
        ),
        align="llrrll",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for row in rows),
        note=f"Predicted: median [p5, p95] of {n} replications. Failed share: of the requests that were meant to be "
        "sent between impact and recovery. Published figures take part in no simulation, and no check judges them.",
        grouped=True,
    )


def replays_table(rows: Sequence[tuple[str, PublishedRow]]) -> Table:
    """Several replays in one table: the incident's name before each of its rows."""
    n = max((row.n for _, row in rows), default=0)
    return Table(
        title="Published beside predicted",
        headers=("incident", "measure", "published", "predicted", "inside"),
        rows=tuple(
            (
                incident,
                row.measure,
                _shown(row.published, row.unit),
                with_range(row.predicted, row.low, row.high, row.unit),
                _INSIDE[row.inside],
            )
            for incident, row in rows
        ),
        align="llrrl",
        marks=tuple({True: "pass", False: "fail", None: ""}[row.inside] for _, row in rows),
        note=f"Predicted: median [p5, p95] of up to {n} replications; what was published takes part in none of them.",
        grouped=True,
    )
