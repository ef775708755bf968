"""From what a run recorded to what it meant: one FunctionMeasure per business function.

Pure, and the same for both worlds. A MeasurePlan holds what depends on the scenario alone, so that
measuring one of thousands of replications is a handful of numpy calls a function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evidence.capacity import extra_replica_s
from evidence.collapse import collapsed
from evidence.episodes import Episode, find_episodes, longest
from evidence.errors import JudgeError
from evidence.events import Event
from evidence.exposure import defects_seen_s
from evidence.header import Header, World
from evidence.health import cells_until, fit, good_windows, names_where
from evidence.loss import Loss, loss_of, worst_loss
from evidence.measure_plan import MeasurePlan
from evidence.measures import FunctionMeasure
from evidence.service_health import ServiceCells, unhealthy_services
from evidence.tables import ClientCells, Ledger, Samples, Writes
from evidence.timeline import Parts, Timeline, began_s
from scenarios.models import Scenario
from scenarios.uncertain import uncertain

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
    unhealthy = None if services is None else unhealthy_services(plan, services)
    played = _Played(plan, Timeline.of(events), cells, writes, strategy, replication, unhealthy)
    return [_measure_function(played, place) for place in range(len(plan.functions))]


@dataclass(frozen=True, slots=True)
class _Played:
    """All that one replication recorded; of the functions, those of the plan, by their place in it."""

    plan: MeasurePlan
    timeline: Timeline
    cells: ClientCells
    writes: Writes
    strategy: str
    replication: int
    unhealthy: tuple[str, ...] | None

    @property
    def end_s(self) -> float:
        """When the load ended."""
        return self.timeline.load_end_s(self.plan.duration_s)


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


def _measure_function(played: _Played, place: int) -> FunctionMeasure:
    plan, timeline, end_s = played.plan, played.timeline, played.end_s
    one = plan.functions[place]
    function = one.function
    good = function_health(plan, place, played.cells, end_s)
    episodes = find_episodes(good, plan.window_cells, plan.consecutive, plan.resolution_s)
    worst = longest(episodes)
    cause = None if worst is None else timeline.cause(worst, plan.resolution_s)
    parts = Parts() if worst is None else timeline.parts(worst, plan.window_cells * plan.resolution_s)
    rto_s = 0.0 if worst is None else worst.length_s
    censored = any(episode.censored for episode in episodes)
    sent = _Sent.of(played, place, worst)
    asked = sent.cohort_requests > 0
    loss = _loss(played, place)
    return FunctionMeasure(
        replication=played.replication,
        strategy=played.strategy,
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
        requests=sent.requests,
        failed=sent.failed,
        failed_error=sent.by_kind[0],
        failed_timeout=sent.by_kind[1],
        failed_refused=sent.by_kind[2],
        failed_unfinished=sent.by_kind[3],
        failed_share=sent.failed / sent.requests if sent.requests else None,
        impact_failed_share=sent.impact_failed_share,
        cohorts_hit=names_where(sent.cohort_failed > 0, sent.cohorts),
        services_unhealthy=None
        if played.unhealthy is None
        else tuple(name for name in played.unhealthy if name in one.services),
        revenue_lost=None if function.revenue is None else sent.failed * function.revenue.amount,
        currency=None if function.revenue is None else function.revenue.currency,
        rto_objective_s=function.rto_s,
        met_rto=None if sent.requests == 0 else _met_rto(rto_s, censored, function.rto_s),
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
        cohorts=names_where(asked, sent.cohorts),
        cohort_requests=tuple(int(count) for count in sent.cohort_requests[asked]),
        cohort_failed=tuple(int(count) for count in sent.cohort_failed[asked]),
        collapsed=collapsed(episodes, timeline, plan.surge_end_s, end_s, plan.seen_s),
        extra_replica_s=extra_replica_s(timeline, plan.usual, end_s),
        reconcile_s=timeline.reconcile_s(),
        reconciled_rows=timeline.reconciled_rows(),
        near_capacity=tuple(timeline.near_capacity()),
        near_capacity_s=tuple(timeline.near_capacity().values()),
        inconclusive=timeline.inconclusive(),
        defects_seen_s=defects_seen_s(timeline, plan.release),
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """Requests of a function: how many were meant to be sent, and how many of them failed, by kind and cohort.

    by_kind is in the order of the cells' kinds; cohort_requests and cohort_failed are [cohorts].
    """

    requests: int
    by_kind: tuple[int, ...]
    cohorts: tuple[str, ...]
    cohort_requests: NDArray[np.int64]
    cohort_failed: NDArray[np.int64]
    impact_failed_share: float | None

    @property
    def failed(self) -> int:
        """Failures of any kind."""
        return sum(self.by_kind)

    @classmethod
    def of(cls, played: _Played, place: int, worst: Episode | None) -> _Sent:
        """Of the function at `place`, from the end of the warm-up on."""
        plan, cells = played.plan, played.cells
        requests, failed = cells.requests[plan.warmup_cells :, place], cells.failed[plan.warmup_cells :, place]
        # In the scenario's order: tables of the simulator and of a record have orders of their own.
        cohorts = tuple(name for name in plan.functions[place].function.cohort_shares if name in cells.cohorts)
        order = [cells.cohorts.index(cohort) for cohort in cohorts]
        return cls(
            requests=int(requests.sum()),
            by_kind=tuple(int(count) for count in np.einsum("tck->k", failed)),
            cohorts=cohorts,
            cohort_requests=requests.sum(axis=0)[order],
            cohort_failed=np.einsum("tck->c", failed)[order],
            impact_failed_share=None if worst is None else _failed_share(worst, plan, place, cells),
        )


def _failed_share(episode: Episode, plan: MeasurePlan, place: int, cells: ClientCells) -> float | None:
    """Of the requests that were meant to be sent between impact and recovery; None when there were none."""
    during = slice(*(cells_until(time_s, plan.resolution_s) for time_s in (episode.start_s, episode.end_s)))
    requests = int(cells.requests[during, place].sum())
    return int(cells.failed[during, place].sum()) / requests if requests else None


def _loss(played: _Played, place: int) -> Loss | None:
    """What the function lost over all of its stores; None when it writes to none."""
    plan, timeline, writes = played.plan, played.timeline, played.writes
    one, mine, losses = plan.functions[place], writes.function == place, []
    patience_s = _PATIENCE_S if one.function.timeout_s is None else one.function.timeout_s
    for store in one.stores:
        name, rows = plan.stores[store], mine & (writes.store == store)
        loss = loss_of(writes, rows, timeline.exposure_ends_s(), played.end_s, timeline.failures_s(name), patience_s)
        losses.append(replace(loss, gone=timeline.gone(name)))
    return worst_loss(losses)


def _met_rto(rto_s: float, censored: bool, objective_s: float) -> bool:
    """A censored RTO is never a pass: either its bound breaks the objective, or nobody knows."""
    return not censored and rto_s <= objective_s


def measure_record(
    scenario: Scenario, header: Header, events: Sequence[Event], samples: Samples, ledger: Ledger
) -> list[FunctionMeasure]:
    """Measures of every replication whose timeline the tables hold (header.timelines).

    A simulated one is measured by the scenario that it drew, where inputs are ranges.
    """
    inputs = uncertain(header.scenario.text, header.scenario.source) if header.world is World.SIMULATION else None
    plan = MeasurePlan.of(scenario, header.edges_s)
    names = plan.function_names
    measures: list[FunctionMeasure] = []
    for replication in header.timelines:
        if inputs is not None and header.seed is not None:
            plan = MeasurePlan.of(inputs.drawn(header.seed, replication), header.edges_s)
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
