"""What a control variate tells, as neutral tables."""

from __future__ import annotations

from evidence.control_variate import MEASURES, Controlled, ControlledRow
from evidence.report.table import Table, mean_with_range

__all__ = ["controlled_tables", "controlled_text"]

_NAMES = dict(zip(MEASURES, ("failed", "RTO", "revenue lost", "release takes"), strict=True))
_UNITS = {"failed_share": "%", "rto_s": "s", "release_duration_s": "s"}


def controlled_tables(found: Controlled) -> tuple[Table, Table]:
    """Means by function and strategy, and the pairs that are told apart or not."""
    cells: dict[tuple[str, str], dict[str, ControlledRow]] = {}
    for row in found.rows:
        cells.setdefault((row.function, row.strategy), {})[row.measure] = row
    shown = [each for each in MEASURES if any(each in measures for measures in cells.values())]
    means = Table(
        title="Means, flows corrected request by request",
        headers=("function", "strategy", *(_NAMES[each] for each in shown)),
        rows=tuple(
            (*key, *(_mean(measures.get(each), found.currency) for each in shown)) for key, measures in cells.items()
        ),
        align="ll" + "r" * len(shown),
        note=f"{found.replications} replications as flows, {found.paired} of them request by request as well. In "
        "brackets 95 % intervals, which hold for the request-level means. An RTO that did not end counts at its bound.",
        grouped=True,
    )
    pairs: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in found.differences:
        pairs.setdefault((each.function, each.strategy, each.other), {})[each.measure] = each.statement
    differences = Table(
        title="One against the other",
        headers=("function", "strategy", "than", *(_NAMES[each] for each in shown)),
        rows=tuple((*key, *(told.get(each, "-") for each in shown)) for key, told in pairs.items()),
        align="lll" + "l" * len(shown),
        note="By the interval of the paired difference, corrected likewise; all that is said of one measure "
        "holds together at 95 %. Less is better.",
        grouped=True,
    )
    return means, differences


def _mean(row: ControlledRow | None, currency: str | None) -> str:
    if row is None:
        return "-"
    unit = _UNITS.get(row.measure, currency or "")
    return mean_with_range(max(0.0, row.estimate.value), row.estimate.low, row.estimate.high, unit)


def controlled_text(found: Controlled) -> str:
    """Both tables."""
    return "\n\n".join(table.text() for table in controlled_tables(found)) + "\n"
