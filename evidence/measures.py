"""What one run, or one replication, meant for one business function: a row of measures.parquet."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FunctionMeasure"]


@dataclass(frozen=True, slots=True)
class FunctionMeasure:
    """Measures of one function in one replication.

    None where a thing did not happen or has no data. Seconds are on the record's resolution. When `rto_censored`, rto_s
    is a lower bound ("> X"). detect, decide, act and stabilise are the parts of the longest episode. failed_share is of
    the run's requests, impact_failed_share of those within the longest episode. rpo_s counts acknowledged writes found
    missing; rpo_high_s also those whose fate is unknown. trip_after_s runs from the start of the release to its first
    guardrail trip, whether or not the function was hurt. exposed_s is when the new version first was sent requests,
    taken_back_s when its rollback began; trips names the guardrails that tripped, in order, and trip_times_s says when;
    those that only note are among them, and nowhere else. cohorts are those that sent requests, with how many and how
    many of them failed. collapsed: the load did not come back although its trigger was gone. extra_replica_s are the
    replica-seconds that the release had above the usual number of replicas.

    Fields with a default came later: records of before do not have them.

    held_s is how long the calendar held the release back, approval_s how long sign-offs took in all, acknowledged_s the
    time from the first page to an acknowledgement, suppressed_s how long the first suppressed alert was not heard,
    notified_s the time from the impact to the first notice after it. reconcile_s is how long reconciling took in all,
    reconciled_rows how many rows that was. near_capacity names the services and stores
    that flows (fidelity fluid) had near their capacity, where means say little, near_capacity_s for how long.
    inconclusive counts the analyses that had seen too little at their end. defects_seen_s tells of each of defects when
    the first request could meet it (inf where none could).
    """

    replication: int
    strategy: str
    function: str
    tier: int | None
    impact_start_s: float | None
    rto_s: float
    rto_censored: bool
    rto_from_cause_s: float | None
    cause: str | None
    detect_s: float | None
    decide_s: float | None
    act_s: float | None
    stabilise_s: float | None
    episodes: int
    downtime_s: float
    requests: int
    failed: int
    failed_error: int
    failed_timeout: int
    failed_refused: int
    failed_unfinished: int
    failed_share: float | None
    impact_failed_share: float | None
    cohorts_hit: tuple[str, ...]
    services_unhealthy: tuple[str, ...] | None
    revenue_lost: float | None
    currency: str | None
    rto_objective_s: float | None
    met_rto: bool | None
    rpo_s: float | None
    rpo_high_s: float | None
    rpo_objective_s: float | None
    met_rpo: bool | None
    lost_writes: int
    indeterminate_writes: int
    acknowledged_writes: int
    outcome: str
    defects: tuple[str, ...]
    tripped: bool
    trip_after_s: float | None
    rollback_duration_s: float | None
    release_duration_s: float | None
    exposed_s: float | None = None
    taken_back_s: float | None = None
    trips: tuple[str, ...] = ()
    trip_times_s: tuple[float, ...] = ()
    held_s: float | None = None
    approval_s: float | None = None
    acknowledged_s: float | None = None
    suppressed_s: float | None = None
    notified_s: float | None = None
    tickets: int = 0
    cohorts: tuple[str, ...] = ()
    cohort_requests: tuple[int, ...] = ()
    cohort_failed: tuple[int, ...] = ()
    collapsed: bool = False
    extra_replica_s: float = 0.0
    reconcile_s: float | None = None
    reconciled_rows: int | None = None
    near_capacity: tuple[str, ...] = ()
    near_capacity_s: tuple[float, ...] = ()
    inconclusive: int = 0
    defects_seen_s: tuple[float, ...] = ()
