"""The table of judges: how well each guardrail told bad releases from good ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evidence.detection import Caught, JudgeRow
from evidence.report.table import Table, seconds, share
from evidence.statistics import Estimate

__all__ = ["judges_table"]


def judges_table(rows: Sequence[JudgeRow]) -> Table:
    """A row a guardrail, in the scenario's order; where there are several defects, one for each of them besides."""
    return Table(
        title="Judges",
        headers=(
            "guardrail",
            "judge",
            "action",
            "false alarms",
            "cut short",
            "bad releases",
            "missed",
            "delay p50",
            "delay p95",
        ),
        rows=tuple(cells for row in rows for cells in _cells(row)),
        align="lllrrlrrr",
        note="False alarms are of the good releases; delays of the bad ones that were caught, since a request first "
        "could meet the defect. Of a defect: releases that have it, alone or among others. Cut short: taken back "
        "before this one tripped, so that they count neither way. In brackets: 95 % intervals, - where too few "
        "releases bound them.",
        grouped=True,
    )


def _cells(row: JudgeRow) -> list[tuple[str, ...]]:
    start = (row.guardrail, row.judge, row.action, _share(row.false_alarms), str(row.cut_short))
    if row.caught is None:
        return [(*start, "none", "-", "-", "-")]
    if len(row.by_defect) == 1:
        return [(*start, *_caught(row.by_defect[0]))]
    blank = (row.guardrail, "", "", "", "")
    return [(*start, *_caught(row.caught)), *((*blank, *_caught(each)) for each in row.by_defect)]


def _caught(caught: Caught) -> tuple[str, str, str, str]:
    what = "all" if caught.defect is None else caught.defect
    return what, _share(caught.misses), _delay(caught.delay_p50_s), _delay(caught.delay_p95_s)


def _share(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{share(estimate.value, estimate.low, estimate.high)} of {estimate.n}"


def _delay(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    low, high = (seconds(end) if math.isfinite(end) else "-" for end in (estimate.low, estimate.high))
    return f"{seconds(estimate.value)} [{low}, {high}]"
