"""Strategies, or variants of a scenario, as tables: side by side, and risk against time and capacity."""

from __future__ import annotations

from collections.abc import Callable

from evidence.comparison import Comparison, StrategyRow
from evidence.pairs import CANNOT_TELL, SAME, Difference
from evidence.report.release_tables import cohorts_table, release_table
from evidence.report.table import Table, decimals_shown, money, percent, replications, seconds, share
from evidence.statistics import Estimate

__all__ = ["comparison_table", "comparison_tables", "pareto_table"]


def comparison_table(comparison: Comparison) -> Table:
    """Strategies side by side, the best of each function first to name and the others against it."""
    several = len({row.strategy for row in comparison.rows}) > 1
    headers = (
        "function",
        "strategy",
        "RTO met",
        "RTO p50",
        "RTO p95",
        "RPO met",
        "failed",
        "revenue lost",
        "rolled back",
        "release takes",
    )
    rows = tuple((*_strategy_cells(row), *((_against_best(row),) if several else ())) for row in comparison.rows)
    n = comparison.rows[0].replications if comparison.rows else 0
    return Table(
        title="Strategies compared" if several else "Predicted",
        headers=(*headers, "against the best") if several else headers,
        rows=rows,
        align="llrrrrrrrr" + ("l" if several else ""),
        marks=tuple("best" if row.best and several else "" for row in comparison.rows),
        note=f"{replications(n)}. In brackets: 95 % Clopper-Pearson intervals. Failed, revenue and duration are means.",
        grouped=True,
    )


def comparison_tables(comparison: Comparison) -> list[Table]:
    """What is compared of the release as a whole; nothing where there is one run alone."""
    if len(comparison.release) < 2:
        return []
    return [release_table(comparison.release), cohorts_table(comparison.release), pareto_table(comparison)]


def _strategy_cells(row: StrategyRow) -> tuple[str, ...]:
    return (
        row.function,
        row.strategy,
        _share(row.rto_attainment),
        seconds(row.rto_p50_s.value),
        seconds(row.rto_p95_s.value),
        "-" if row.rpo_attainment is None else _share(row.rpo_attainment),
        percent(row.failed_share.value) if row.failed_share else "-",
        money(row.revenue_lost.value, row.currency) if row.revenue_lost else "-",
        percent(row.rolled_back.value),
        seconds(row.release_duration_s.value) if row.release_duration_s else "-",
    )


def _share(estimate: Estimate) -> str:
    return share(estimate.value, estimate.low, estimate.high)


def _against_best(row: StrategyRow) -> str:
    if row.best:
        return "best"
    told = [
        f"{statement}: {', '.join(_difference(each, row.currency) for each in those)}"
        for statement in ("better", "worse")
        if (those := [each for each in row.differences if each.statement == statement and each.measure in _SHOWN])
    ]
    if not told and all(each.statement == SAME for each in row.differences if each.measure in _SHOWN):
        return SAME
    return "; ".join(told) or CANNOT_TELL


def _difference(difference: Difference, currency: str | None) -> str:
    return _SHOWN[difference.measure](difference.estimate.value, currency)


def _signed(value: float, fewest: int) -> str:
    return f"{value:+,.{decimals_shown(value, fewest)}f}"


_SHOWN: dict[str, Callable[[float, str | None], str]] = {
    "rto_attainment": lambda value, _: f"RTO met {_signed(value * 100, 1)} points",
    "rpo_attainment": lambda value, _: f"RPO met {_signed(value * 100, 1)} points",
    "rto_s": lambda value, _: f"RTO {_signed(value, 2)} s",
    "failed_share": lambda value, _: f"failed {_signed(value * 100, 2)} points",
    "revenue_lost": lambda value, currency: f"revenue lost {_signed(value, 0)} {currency or ''}".rstrip(),
    "lost_writes": lambda value, _: f"writes lost {_signed(value, 1)}",
}
"""What a table's cell has room for; the statements and the JSON document have all of them."""


def pareto_table(comparison: Comparison) -> Table:
    """Risk against time and capacity, a row a run."""
    currency = next((row.currency for row in comparison.rows if row.currency is not None), None)
    return Table(
        title="Risk against time and capacity",
        headers=(
            "strategy",
            "RTO missed",
            "failed",
            "revenue lost",
            "writes lost",
            "promoted takes",
            "capacity",
            "dominated by",
        ),
        rows=tuple(
            (
                row.name,
                percent(row.values["rto_missed"]),
                percent(row.values["failed_share"]),
                money(row.values.get("revenue_lost"), currency),
                f"{row.values['lost_writes']:,.1f}" if "lost_writes" in row.values else "-",
                "never" if row.values["promoted_s"] == float("inf") else seconds(row.values["promoted_s"]),
                f"{row.values['extra_replica_s']:,.0f}",
                ", ".join([*row.dominated_by, *(f"perhaps {name}" for name in row.perhaps_by)]) or "none",
            )
            for row in comparison.pareto
        ),
        align="lrrrrrrl",
        marks=tuple("" if row.dominated_by else "best" for row in comparison.pareto),
        note="Dominated by: better beyond doubt in one of them, and in each other one too or the same in every "
        "replication; perhaps: in some only by the estimates, where the data cannot tell. Capacity: replica-seconds "
        "above the usual number. RTO missed: by any function. Writes lost: acknowledged ones, a mean.",
    )
