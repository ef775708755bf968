"""What a release meant as a whole, and which cohorts it hit, as tables."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.release_summary import CohortImpact, ReleaseSummary
from evidence.report.table import Table, mean_with_range, money, percent, replications, seconds, share, with_range
from evidence.statistics import Estimate

__all__ = ["cohorts_table", "release_table"]


def release_table(summaries: Mapping[str, ReleaseSummary]) -> Table:
    """A row a strategy."""
    n = max(each.replications for each in summaries.values())
    note = (
        f"{replications(n)}; in brackets 95 % intervals. Change failed: taken back, or bad and hurting. MTTR: mean "
        "time to restore after those that hurt. Collapse: no recovery by the end, with the release and all faults "
        "gone. Capacity: replica-seconds above the usual number."
    )
    for name, each in summaries.items():
        if each.unrestored:
            note += f" {name}: {each.unrestored} not restored by the end, so the MTTR is longer than that."
        if each.rollback_failed.value:
            failed = round(each.rollback_failed.value * each.rollback_failed.n)
            note += f" {name}: {failed:,} rollbacks failed; rolled back are those that succeeded."
        if each.running:
            note += f" {name}: {each.running} releases had not ended, and have no duration."
    return Table(
        title="The release as a whole",
        headers=(
            "strategy",
            "change failed",
            "rolled back",
            "MTTR",
            "not recovered",
            "collapse",
            "revenue lost",
            "release takes",
            "p95",
            "promoted takes",
            "capacity",
        ),
        rows=tuple((name, *_cells(each)) for name, each in summaries.items()),
        align="lrrrrrrrrrr",
        note=note,
    )


def _cells(summary: ReleaseSummary) -> tuple[str, ...]:
    mttr = _range(summary.mttr_s)
    return (
        _share(summary.change_failed),
        percent(summary.rolled_back.value),
        f"> {mttr}" if summary.unrestored else mttr,
        percent(summary.not_recovered.value),
        _share(summary.collapse),
        "-" if summary.revenue_lost is None else money(summary.revenue_lost.value, summary.currency),
        _range(summary.duration_s),
        "-" if summary.duration_p95_s is None else seconds(summary.duration_p95_s.value),
        "-" if summary.promoted_s is None else seconds(summary.promoted_s.value),
        f"{summary.extra_replica_s.value:,.0f}",
    )


def cohorts_table(summaries: Mapping[str, ReleaseSummary]) -> Table:
    """A row a function, cohort and strategy: who was hit, and how hard."""
    rows = [(name, each) for name, summary in summaries.items() for each in summary.cohorts]
    places = list(dict.fromkeys((each.function, each.cohort) for _, each in rows))
    rows.sort(key=lambda row: places.index((row[1].function, row[1].cohort)))
    several = len(summaries) > 1
    return Table(
        title="Blast radius by cohort",
        headers=("function", "cohort", *(("strategy",) if several else ()), "requests", "failed", "share", "hit in"),
        rows=tuple(
            (each.function, each.cohort, *((name,) if several else ()), *_impact_cells(each)) for name, each in rows
        ),
        align="ll" + ("l" if several else "") + "rrrr",
        note="Means a replication; in brackets 95 % intervals. Hit in: replications in which a request of the cohort "
        "failed.",
        grouped=True,
    )


def _impact_cells(impact: CohortImpact) -> tuple[str, ...]:
    failed = impact.failed_share
    return (
        f"{impact.requests:,.0f}",
        f"{impact.failed:,.1f}",
        with_range(failed.value, max(0.0, failed.low), min(1.0, failed.high), "%"),
        _share(impact.hit),
    )


def _share(estimate: Estimate) -> str:
    return share(estimate.value, estimate.low, estimate.high)


def _range(estimate: Estimate | None) -> str:
    """Of times: an interval by Student's t knows no zero, and one value alone has none."""
    if estimate is None:
        return "-"
    if estimate.n == 1:
        return seconds(estimate.value)
    return mean_with_range(estimate.value, estimate.low, estimate.high, "s")
