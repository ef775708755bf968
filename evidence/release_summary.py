"""What a simulated release meant as a whole, over its replications: change failure, MTTR, collapse, blast radius, cost.

Change failure and time to restore are those of DORA (dora.dev, "software delivery performance metrics"): a change has
failed when it had to be taken back, or when its defect hurt a business function, or its data, and nobody took it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.errors import JudgeError
from evidence.events import NOT_STARTED, Outcome
from evidence.measures import FunctionMeasure
from evidence.plain import finite
from evidence.statistics import Estimate, mean_with_interval, quantile_with_interval, share_with_interval
from evidence.strata import Chances, Strata, strata_of

__all__ = [
    "CohortImpact",
    "ReleaseSummary",
    "by_replication",
    "change_failed",
    "summarise",
    "taken_back",
    "time_to_restore_s",
]

_TAKEN_BACK = (Outcome.ROLLED_BACK, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class CohortImpact:
    """What one cohort of a function's requests met: means a replication, and how often any of its requests failed.

    `hit` counts replications in which the cohort sent requests; without any, there are no estimates.
    """

    function: str
    cohort: str
    requests: float
    failed: float
    failed_share: Estimate
    hit: Estimate


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """Over all replications, unless told otherwise.

    `mttr_s` is over failed changes that hurt a function, a mean of the longest impact of any function; `unrestored` of
    them had not recovered by the end, and are counted with what they had lasted. Durations are over releases that had
    ended, those of `promoted_s` over the ones that reached all traffic; `running` had not ended. Revenue is that of all
    functions, and so are the acknowledged writes that were lost; None where none was acknowledged. `rto_missed` counts
    replications in which any function missed its RTO, `failed_share` all requests.
    """

    replications: int
    change_failed: Estimate
    rolled_back: Estimate
    rollback_failed: Estimate
    mttr_s: Estimate | None
    unrestored: int
    not_recovered: Estimate
    collapse: Estimate
    rto_missed: Estimate
    failed_share: Estimate
    revenue_lost: Estimate | None
    currency: str | None
    lost_writes: Estimate | None
    duration_s: Estimate | None
    duration_p95_s: Estimate | None
    promoted_s: Estimate | None
    running: int
    extra_replica_s: Estimate
    cohorts: tuple[CohortImpact, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def summarise(measures: Sequence[FunctionMeasure], chances: Chances | None = None) -> ReleaseSummary:
    """Of one release's replications, every function's rows among them. Raises JudgeError without any.

    `chances` are those of the defects that were drawn: means over all replications are more precise for them.
    """
    replications = by_replication(measures)
    if not replications:
        raise JudgeError("a release summary needs at least 1 replication (got 0)")
    firsts = [rows[0] for rows in replications]
    strata = strata_of([row.defects for row in firsts], chances or {})
    n = len(replications)
    restored = [time for rows in replications if change_failed(rows) and (time := time_to_restore_s(rows)) is not None]
    ended = [row.release_duration_s for row in firsts if row.release_duration_s is not None]
    promoted = [row.release_duration_s for row in firsts if row.outcome == Outcome.PROMOTED]
    lost = [
        sum(values) for rows in replications if (values := [r.revenue_lost for r in rows if r.revenue_lost is not None])
    ]
    writing = [rows for rows in replications if any(row.acknowledged_writes for row in rows)]
    lost_writes = [sum(row.lost_writes for row in rows) for rows in writing]
    return ReleaseSummary(
        replications=n,
        change_failed=share_with_interval(sum(change_failed(rows) for rows in replications), n),
        rolled_back=share_with_interval(sum(row.outcome == Outcome.ROLLED_BACK for row in firsts), n),
        rollback_failed=share_with_interval(sum(row.outcome == Outcome.FAILED for row in firsts), n),
        mttr_s=mean_with_interval([time for time, _ in restored]) if restored else None,
        unrestored=sum(censored for _, censored in restored),
        not_recovered=share_with_interval(sum(any(r.rto_censored for r in rows) for rows in replications), n),
        collapse=share_with_interval(sum(any(r.collapsed for r in rows) for rows in replications), n),
        rto_missed=share_with_interval(sum(any(r.met_rto is False for r in rows) for rows in replications), n),
        failed_share=mean_with_interval(
            [sum(r.failed for r in rows) / max(1, sum(r.requests for r in rows)) for rows in replications],
            strata=strata,
        ),
        revenue_lost=mean_with_interval(lost, strata=strata if len(lost) == n else None) if lost else None,
        currency=next((row.currency for row in measures if row.currency is not None), None),
        lost_writes=mean_with_interval(lost_writes, strata=strata if len(writing) == n else None) if writing else None,
        duration_s=mean_with_interval(ended, strata=strata if len(ended) == n else None) if ended else None,
        duration_p95_s=quantile_with_interval(ended, 0.95) if ended else None,
        promoted_s=mean_with_interval([each for each in promoted if each is not None]) if promoted else None,
        running=sum(row.release_duration_s is None and row.outcome not in NOT_STARTED for row in firsts),
        extra_replica_s=mean_with_interval([row.extra_replica_s for row in firsts], strata=strata),
        cohorts=_cohorts(replications, strata),
    )


def by_replication(measures: Sequence[FunctionMeasure]) -> list[list[FunctionMeasure]]:
    """The rows of each replication, in the order of their numbers."""
    table: dict[int, list[FunctionMeasure]] = {}
    for row in measures:
        table.setdefault(row.replication, []).append(row)
    return [table[number] for number in sorted(table)]


def change_failed(rows: Sequence[FunctionMeasure]) -> bool:
    """Whether the change of one replication failed: taken back, rightly or not, or bad and hurting.

    Acknowledged writes that are lost hurt as much as an impact.
    """
    first = rows[0]
    if first.outcome in NOT_STARTED:
        return False
    hurt = any(row.episodes or row.lost_writes for row in rows)
    return taken_back(first) or (bool(first.defects) and hurt)


def taken_back(run: FunctionMeasure) -> bool:
    """Whether the release began to be taken back, rightly or not, and whatever became of the rollback."""
    return run.outcome in _TAKEN_BACK or (run.outcome == Outcome.RUNNING and run.taken_back_s is not None)


def time_to_restore_s(rows: Sequence[FunctionMeasure]) -> tuple[float, bool] | None:
    """The longest impact of any function, and whether it is a lower bound; None where nothing was hurt."""
    hurt = [row for row in rows if row.episodes]
    return None if not hurt else (max(row.rto_s for row in hurt), any(row.rto_censored for row in hurt))


def _cohorts(replications: Sequence[Sequence[FunctionMeasure]], strata: Strata | None) -> tuple[CohortImpact, ...]:
    """Rows by function, then by cohort, each in its order of appearance."""
    counted: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for row in (row for rows in replications for row in rows):
        cohorts = counted.setdefault(row.function, {})
        for cohort, sent, failed in zip(row.cohorts, row.cohort_requests, row.cohort_failed, strict=True):
            cohorts.setdefault(cohort, []).append((sent, failed))
    return tuple(
        _impact(function, cohort, counts, strata if len(counts) == len(replications) else None)
        for function, cohorts in counted.items()
        for cohort, counts in cohorts.items()
    )


def _impact(function: str, cohort: str, counts: Sequence[tuple[int, int]], strata: Strata | None) -> CohortImpact:
    return CohortImpact(
        function=function,
        cohort=cohort,
        requests=sum(sent for sent, _ in counts) / len(counts),
        failed=mean_with_interval([failed for _, failed in counts], strata=strata).value,
        failed_share=mean_with_interval([failed / sent for sent, failed in counts], strata=strata),
        hit=share_with_interval(sum(failed > 0 for _, failed in counts), len(counts)),
    )
