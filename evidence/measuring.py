"""From what a run recorded to what it meant: one FunctionMeasure per business function.

Pure, and the same for both worlds. A MeasurePlan holds what depends on the scenario alone, so that
measuring one of thousands of replications is a handful of numpy calls a function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evidence.capacity import extra_replica_s
from evidence.collapse import collapsed
from evidence.episodes import Episode, find_episodes, longest
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.header import Header
from evidence.health import cells_until, fit, good_windows, names_where
from evidence.loss import Loss, loss_of, worst_loss
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.service_health import ServiceCells, unhealthy_services
from evidence.tables import ClientCells, Ledger, Samples, Writes
from evidence.timeline import Parts, Timeline, began_s
from scenarios.models import Scenario

__all__ = ["function_health", "measure", "measure_record"]

# For how long a request of a function whose clients never give up may still write after a release was taken back.
_PATIENCE_S = 30.0


def measure(
    plan: MeasurePlan,
    events: Iterable[Event],
    cells: ClientCells,
    writes: Writes,
    *,
    strategy: str,
    replication: int = 0,
    services: ServiceCells | None = None,
) -> list[FunctionMeasure]:
    """Measures of one replication, in the order of the scenario's functions.

    cells.functions must be the plan's functions; writes carry the codes of the plan's stores and
    functions. Without `services`, unhealthy services stay unknown. Raises JudgeError when the
    functions differ.
    """
    if cells.functions != plan.function_names:
        raise JudgeError(f"functions are {cells.functions}, must be {plan.function_names}")
    timeline = Timeline.of(events)
    unhealthy = None if services is None else unhealthy_services(plan, services)
    return [
        _measure_function(plan, place, timeline, cells, writes, strategy, replication, unhealthy)
        for place in range(len(plan.functions))
    ]


def function_health(
    plan: MeasurePlan, place: int, cells: ClientCells, end_s: float, first: int = 0
) -> NDArray[np.bool_]:
    """Good or not, of the function at `place`, for every whole cell from `first` to before end_s.

    Good during the warm-up. Whoever asks again as cells come need not look at those before `first` anew.
    """
    skipped = plan.warmup_cells
    count = max(0, cells_until(end_s, plan.resolution_s) - skipped)
    begin = skipped + min(max(0, first - skipped - plan.window_cells + 1), count)  # the window that ends with `first`
    good = good_windows(
        plan.functions[place].criteria,
        plan.window_cells,
        fit(np.einsum("tc->t", cells.requests[begin:, place]), skipped + count - begin),
        fit(np.einsum("tck->t", cells.failed[begin:, place]), skipped + count - begin),
        fit(cells.latency[begin:, place], skipped + count - begin),
    )
    warm = np.ones(max(0, skipped - first), dtype=np.bool_)
    return np.concatenate([warm, good[max(0, first - begin) :]])


def _measure_function(
    plan: MeasurePlan,
    place: int,
    timeline: Timeline,
    cells: ClientCells,
    writes: Writes,
    strategy: str,
    replication: int,
    unhealthy: tuple[str, ...] | None,
) -> FunctionMeasure:
    one = plan.functions[place]
    function = one.function
    end_s = timeline.load_end_s(plan.duration_s)
    good = function_health(plan, place, cells, end_s)
    episodes = find_episodes(good, plan.window_cells, plan.consecutive, plan.resolution_s)
    worst = longest(episodes)
    cause = None if worst is None else timeline.cause(worst, plan.resolution_s)
    parts = Parts() if worst is None else timeline.parts(worst, plan.window_cells * plan.resolution_s)
    rto_s = 0.0 if worst is None else worst.length_s
    censored = any(episode.censored for episode in episodes)
    sent_cells, failed_cells = cells.requests[plan.warmup_cells :, place], cells.failed[plan.warmup_cells :, place]
    requests = int(sent_cells.sum())
    by_kind = [int(count) for count in np.einsum("tck->k", failed_cells)]
    failed = sum(by_kind)
    met, met_failed = (0, 0) if worst is None else _within(worst, plan, place, cells)
    # In the scenario's order: tables of the simulator and of a record have orders of their own.
    cohorts = [cohort for cohort in function.cohort_shares if cohort in cells.cohorts]
    order = [cells.cohorts.index(cohort) for cohort in cohorts]
    cohort_requests = sent_cells.sum(axis=0)[order]
    cohort_failed = np.einsum("tck->c", failed_cells)[order]
    sent = cohort_requests > 0
    loss = _loss(plan, place, timeline, writes, end_s)
    return FunctionMeasure(
        replication=replication,
        strategy=strategy,
        function=one.name,
        tier=function.tier,
        impact_start_s=None if worst is None else worst.start_s,
        rto_s=rto_s,
        rto_censored=censored,
        rto_from_cause_s=None if worst is None or cause is None else worst.end_s - began_s(cause),
        cause=None if cause is None else f"{cause.kind} {cause.subject}".strip(),
        detect_s=parts.detect_s,
        decide_s=parts.decide_s,
        act_s=parts.act_s,
        stabilise_s=parts.stabilise_s,
        episodes=len(episodes),
        downtime_s=sum(episode.length_s for episode in episodes),
        requests=requests,
        failed=failed,
        failed_error=by_kind[0],
        failed_timeout=by_kind[1],
        failed_refused=by_kind[2],
        failed_unfinished=by_kind[3],
        failed_share=failed / requests if requests else None,
        impact_failed_share=met_failed / met if met else None,
        cohorts_hit=names_where(cohort_failed > 0, cohorts),
        services_unhealthy=None if unhealthy is None else tuple(name for name in unhealthy if name in one.services),
        revenue_lost=None if function.revenue is None else failed * function.revenue.amount,
        currency=None if function.revenue is None else function.revenue.currency,
        rto_objective_s=function.rto_s,
        met_rto=None if requests == 0 else _met_rto(rto_s, censored, function.rto_s),
        rpo_s=None if loss is None else loss.rpo_s,
        rpo_high_s=None if loss is None else loss.rpo_high_s,
        rpo_objective_s=function.rpo_s,
        met_rpo=None if loss is None or not loss.acknowledged else loss.met(function.rpo_s),
        lost_writes=0 if loss is None else loss.lost,
        indeterminate_writes=0 if loss is None else loss.indeterminate,
        acknowledged_writes=0 if loss is None else loss.acknowledged,
        outcome=timeline.outcome(),
        defects=timeline.defects(),
        tripped=bool(timeline.by_kind.get("guardrail-trip")),
        trip_after_s=timeline.trip_after_s(),
        rollback_duration_s=timeline.rollback_duration_s(),
        release_duration_s=timeline.release_duration_s(),
        exposed_s=timeline.exposed_s(),
        taken_back_s=timeline.taken_back_s(),
        trips=tuple(trip.subject for trip in timeline.trips()),
        trip_times_s=tuple(trip.time_s for trip in timeline.trips()),
        held_s=timeline.held_s(),
        approval_s=timeline.approval_s(),
        acknowledged_s=timeline.acknowledged_s(),
        suppressed_s=timeline.suppressed_s(end_s),
        notified_s=None if worst is None else timeline.notified_s(worst.start_s),
        tickets=timeline.tickets(one.name),
        cohorts=names_where(sent, cohorts),
        cohort_requests=tuple(int(count) for count in cohort_requests[sent]),
        cohort_failed=tuple(int(count) for count in cohort_failed[sent]),
        collapsed=collapsed(episodes, timeline, plan.surge_end_s, end_s, plan.seen_s),
        extra_replica_s=extra_replica_s(timeline, plan.usual, end_s),
        reconcile_s=timeline.reconcile_s(),
        reconciled_rows=timeline.reconciled_rows(),
        near_capacity=tuple(timeline.near_capacity()),
        near_capacity_s=tuple(timeline.near_capacity().values()),
    )


def _loss(plan: MeasurePlan, place: int, timeline: Timeline, writes: Writes, end_s: float) -> Loss | None:
    """What the function lost over all of its stores; None when it writes to none."""
    one, mine, losses = plan.functions[place], writes.function == place, []
    patience_s = _PATIENCE_S if one.function.timeout_s is None else one.function.timeout_s
    for store in one.stores:
        name, rows = plan.stores[store], mine & (writes.store == store)
        loss = loss_of(writes, rows, timeline.exposure_ends_s(), end_s, timeline.failures_s(name), patience_s)
        losses.append(replace(loss, gone=timeline.gone(name)))
    return worst_loss(losses)


def _within(episode: Episode, plan: MeasurePlan, place: int, cells: ClientCells) -> tuple[int, int]:
    """Requests, and failed requests, that were meant to be sent between impact and recovery."""
    during = slice(*(cells_until(time_s, plan.resolution_s) for time_s in (episode.start_s, episode.end_s)))
    return int(cells.requests[during, place].sum()), int(cells.failed[during, place].sum())


def _met_rto(rto_s: float, censored: bool, objective_s: float) -> bool:
    """A censored RTO is never a pass: either its bound breaks the objective, or nobody knows."""
    return not censored and rto_s <= objective_s


def measure_record(
    scenario: Scenario, header: Header, events: Sequence[Event], samples: Samples, ledger: Ledger
) -> list[FunctionMeasure]:
    """Measures of every replication whose timeline the tables hold (header.timelines)."""
    plan = MeasurePlan.of(scenario, header.edges_s)
    names = plan.function_names
    measures: list[FunctionMeasure] = []
    for replication in header.timelines:
        rows = samples.of_replication(replication)
        writes = ledger.of_replication(replication).writes(plan.stores, names, spans=header.fidelity == "fluid")
        cells = ClientCells.of(rows, names, plan.resolution_s, len(plan.edges) + 1)
        measures += measure(
            plan,
            [event for event in events if event.replication == replication],
            cells,
            writes,
            strategy=header.strategy,
            replication=replication,
            services=ServiceCells.of(rows, tuple(scenario.system.services), plan.resolution_s),
        )
    return measures
