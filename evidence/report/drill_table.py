"""What one run measured, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.measures import FunctionMeasure
from evidence.report.table import Table, money, percent, seconds

__all__ = ["drill_table"]


def drill_table(
    measures: Sequence[FunctionMeasure], resolution_s: float, unsettled: tuple[int, int] | None = None
) -> Table:
    """A row a function. `unsettled` are payments without an order, and those of them that were acknowledged."""
    return Table(
        title="Measured",
        headers=(
            "function",
            "RTO",
            "objective",
            "detect",
            "decide",
            "act",
            "stabilise",
            "RPO",
            "lost writes",
            "failed",
            "cohorts hit",
            "revenue lost",
        ),
        rows=tuple(
            (
                row.function,
                seconds(row.rto_s, censored=row.rto_censored),
                seconds(row.rto_objective_s),
                *(seconds(part) for part in (row.detect_s, row.decide_s, row.act_s, row.stabilise_s)),
                _rpo(row),
                f"{row.lost_writes} of {row.acknowledged_writes}" if row.acknowledged_writes else "-",
                f"{row.failed} of {row.requests} ({percent(row.failed_share)})",
                ", ".join(row.cohorts_hit) or "none",
                money(row.revenue_lost, row.currency),
            )
            for row in measures
        ),
        align="lrrrrrrrrrlr",
        marks=tuple("pass" if row.met_rto and row.met_rpo is not False else "fail" for row in measures),
        note=f"RTO is resolved to {resolution_s:g} s. Parts: of the longest episode; - without their event."
        f"{_reconciled(measures)}{_paid(unsettled)}",
    )


def _reconciled(measures: Sequence[FunctionMeasure]) -> str:
    """Of the run, so of any of its functions."""
    if not measures or measures[0].reconciled_rows is None:
        return ""
    return f" {measures[0].reconciled_rows:,} rows were reconciled, in {seconds(measures[0].reconcile_s)}."


def _paid(unsettled: tuple[int, int] | None) -> str:
    """Customers to be refunded: no objective judges them, so whoever reads must be told."""
    if unsettled is None or not unsettled[0]:
        return ""
    count, promised = unsettled
    return f" {count:,} payments have no order: so many customers paid for nothing ({promised:,} were promised one)."


def _rpo(row: FunctionMeasure) -> str:
    if row.rpo_s is None:
        return "-"
    if row.rpo_high_s is not None and row.rpo_high_s > row.rpo_s:
        return f"{seconds(row.rpo_s)} [{row.rpo_s:.4g}, {row.rpo_high_s:.4g}]"
    return seconds(row.rpo_s)
