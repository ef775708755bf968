"""RTO, its parts, RPO and blast radius on runs whose answers can be counted by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from evidence.episodes import Episode, find_episodes, longest
from evidence.errors import JudgeError, TableError
from evidence.events import Event
from evidence.health import Criteria, good_windows
from evidence.histogram import bin_of, count_up_to, edges_s, quantile_at_most, quantile_upper_s, rank
from evidence.measures import FunctionMeasure
from evidence.measuring import measure, measure_record
from evidence.service_health import ServiceCells
from evidence.tables import ClientCells, Ledger, Samples
from evidence.timeline import Timeline
from scenarios.loading import load_text
from tests.unit import evidence_made as made


def buy(events=None, cells=None, writes=None, **options):
    rows = measure(
        made.plan(),
        made.rolled_back() if events is None else events,
        made.cells((10.0, 20.0)) if cells is None else cells,
        made.writes() if writes is None else writes,
        strategy="canary",
        **options,
    )
    assert [row.function for row in rows] == ["buy", "browse"]
    return rows[0]


def test_rto_is_the_length_of_the_impact_to_the_cell() -> None:
    row = buy()
    assert (row.impact_start_s, row.rto_s, row.rto_censored) == (10.0, 10.0, False)
    assert (row.episodes, row.downtime_s, row.met_rto) == (1, 10.0, False)


def test_parts_add_up_to_the_rto() -> None:
    row = buy()
    assert (row.detect_s, row.decide_s, row.act_s, row.stabilise_s) == (2.0, 1.0, 3.0, 4.0)
    assert (row.trip_after_s, row.rollback_duration_s, row.release_duration_s) == (7.0, 3.0, 11.0)


def test_act_ends_with_recovery_when_that_is_earlier() -> None:
    row = buy(cells=made.cells((10.0, 14.5)))
    assert (row.detect_s, row.decide_s, row.act_s, row.stabilise_s) == (2.0, 1.0, 1.5, 0.0)
    assert row.met_rto is True


def test_a_trip_in_the_window_that_shows_the_recovery_answers_the_episode() -> None:
    # Impact is over at 11 s, which the window up to 13 s shows; the trip at 12 s could not know.
    row = buy(cells=made.cells((10.0, 11.0)))
    assert (row.rto_s, row.detect_s, row.decide_s, row.act_s, row.stabilise_s) == (1.0, 1.0, 0.0, 0.0, 0.0)


def test_a_trip_after_the_recovery_was_seen_answers_nothing() -> None:
    row = buy(cells=made.cells((7.0, 9.0)))
    assert row.rto_s == 2.0
    assert (row.detect_s, row.decide_s, row.act_s, row.stabilise_s) == (None, None, None, None)


def flickering(gap_s: float) -> FunctionMeasure:
    """Bad from 10 s to 11 s, and again for a second after the gap."""
    first, again = made.cells((10.0, 11.0)), made.cells((11.0 + gap_s, 12.0 + gap_s))
    return buy(
        cells=replace(
            first,
            failed=np.maximum(first.failed, again.failed),
            latency=np.minimum(first.latency, again.latency),
        )
    )


def test_impact_that_flickers_is_one_episode_until_enough_good_windows_follow() -> None:
    # A window of 2 s is good again 2 s after the last failure, and 8 good ones in a row take 1.75 s more.
    row = flickering(3.5)
    assert (row.episodes, row.rto_s, row.downtime_s) == (1, 5.5, 5.5)
    row = flickering(3.75)
    assert (row.episodes, row.rto_s, row.downtime_s) == (2, 1.0, 2.0)


def test_parts_without_their_events_are_none() -> None:
    row = buy(events=made.promoted())
    assert (row.detect_s, row.decide_s, row.act_s, row.stabilise_s) == (None, None, None, None)
    assert (row.outcome, row.tripped, row.defects) == ("promoted", False, ())
    assert (row.trip_after_s, row.rollback_duration_s, row.release_duration_s) == (None, None, 21.0)


def test_the_cause_is_the_latest_step_or_fault_before_the_end_of_the_first_cell() -> None:
    row = buy()
    assert (row.cause, row.rto_from_cause_s) == ("step-start route 0.5 to new", 10.5)
    fault = Event(10.1, "fault-start", "cut on shop -> orders")
    row = buy(events=[*made.rolled_back(), fault])
    assert row.cause == "fault-start cut on shop -> orders"
    assert row.rto_from_cause_s == pytest.approx(9.9)
    # ordered before the impact, and confirmed only when that had been seen
    confirmed = Event(11.5, "fault-start", "cut on shop -> orders", {"ordered_s": 9.9})
    row = buy(events=[*made.rolled_back(), confirmed])
    assert row.cause == "fault-start cut on shop -> orders"
    assert row.rto_from_cause_s == pytest.approx(10.1)


def test_without_impact_the_rto_is_zero() -> None:
    row = buy(cells=made.cells())
    assert (row.rto_s, row.episodes, row.impact_start_s, row.cause, row.met_rto) == (0.0, 0, None, None, True)


def test_not_recovered_is_censored_and_no_pass() -> None:
    row = buy(cells=made.cells((57.0, 60.0)))
    assert (row.rto_s, row.rto_censored, row.met_rto) == (3.0, True, False)


def test_good_windows_too_few_to_confirm_leave_a_lower_bound() -> None:
    # Good again at 58 s, but the run ends before 8 windows of 2 s are good.
    row = buy(cells=made.cells((50.0, 58.0)))
    assert (row.rto_s, row.rto_censored) == (8.0, True)


def test_a_run_that_was_stopped_ends_with_its_stop() -> None:
    events = [event for event in made.rolled_back() if event.kind != "load-end"]
    row = buy(events=[*events, Event(15.0, "stop", "stop condition")])
    assert (row.rto_s, row.rto_censored) == (5.0, True)


def test_no_requests_are_not_good() -> None:
    silent = made.cells()
    for table in (silent.requests, silent.failed, silent.latency):
        table[80:100, 0] = 0
    row = buy(cells=silent)
    # The window of 2 s is empty from its last cell at 21.75 on, and no longer from 25 s on.
    assert (row.impact_start_s, row.episodes) == (21.75, 1)


def test_a_run_does_not_begin_with_an_outage_of_its_own_start() -> None:
    late = made.cells()
    for table in (late.requests, late.failed, late.latency):
        table[:6, 0] = 0
    assert buy(cells=late).episodes == 0


def test_slow_windows_are_not_good() -> None:
    slow = made.cells()
    edges = made.plan().edges
    slow.latency[40:60, 0] = 0
    slow.latency[40:60, 0, :, int(bin_of(edges, 0.31))] = slow.requests[40:60, 0]
    row = buy(cells=slow)
    assert (row.impact_start_s, row.rto_s, row.failed) == (10.0, 5.0, 0)
    slow.latency[40:60, 0] = 0
    slow.latency[40:60, 0, :, int(bin_of(edges, 0.30))] = slow.requests[40:60, 0]
    assert buy(cells=slow).episodes == 0


def test_blast_radius() -> None:
    row = buy()
    assert (row.requests, row.failed, row.failed_error, row.failed_timeout) == (2400, 400, 400, 0)
    assert row.failed_share == pytest.approx(1 / 6)
    assert row.impact_failed_share == 1.0
    assert (row.cohorts_hit, row.revenue_lost, row.currency) == (("coupon", "default"), 20_000.0, "EUR")
    assert row.services_unhealthy is None
    requests = np.full((240, 3), 10)
    failed = np.zeros_like(requests)
    failed[40:80, 1] = 5
    failed[40, 2] = 10  # ads is not in the path of buy, nor called by its last service
    services = ServiceCells(("edge", "shop", "ads"), requests, failed)
    assert buy(services=services).services_unhealthy == ("shop",)


def test_rpo_reaches_from_the_end_of_exposure_back_to_the_oldest_missing_write() -> None:
    # Exposure ends with the traffic back on the old version, 15 s; the oldest loss was acknowledged at 11.25.
    row = buy(writes=made.writes({11.0: 11.25, 14.0: 14.75}))
    assert (row.rpo_s, row.rpo_high_s, row.lost_writes, row.met_rpo) == (3.75, 3.75, 2, False)
    assert row.acknowledged_writes == 62


def test_a_loss_after_the_rollback_is_exposed_to_the_end_of_the_load() -> None:
    row = buy(writes=made.writes({50.0: 50.5}))
    assert row.rpo_s == 9.5


def test_nothing_missing_is_an_rpo_of_zero() -> None:
    row = buy()
    assert (row.rpo_s, row.rpo_high_s, row.lost_writes, row.met_rpo) == (0.0, 0.0, 0, True)


def test_indeterminate_writes_widen_the_rpo_but_do_not_break_it() -> None:
    writes = made.writes({11.0: np.nan})
    writes.outcome[-1] = 2
    row = buy(writes=writes)
    assert (row.rpo_s, row.rpo_high_s, row.indeterminate_writes, row.lost_writes) == (0.0, 4.0, 1, 0)
    assert row.met_rpo is True


def test_acknowledged_writes_that_nobody_looked_up_leave_it_open() -> None:
    writes = made.writes()
    writes.found[11] = -1
    row = buy(writes=writes)
    assert (row.rpo_s, row.rpo_high_s, row.met_rpo) == (0.0, 3.5, None)


def test_a_function_that_writes_nothing_has_no_rpo() -> None:
    browse = measure(made.plan(), made.rolled_back(), made.cells(), made.writes(), strategy="canary")[1]
    assert (browse.rpo_s, browse.met_rpo, browse.acknowledged_writes) == (None, None, 0)
    assert (browse.revenue_lost, browse.currency, browse.tier) == (None, None, 2)


def test_rows_of_the_record_measure_the_same_as_dense_cells() -> None:
    plan, cells, writes = made.plan(), made.cells((10.0, 20.0)), made.writes({11.0: 11.25})
    header = made.header().model_copy(update={"timelines": (3,)})
    events = [replace(event, replication=3) for event in made.rolled_back()]
    rows = measure_record(
        made.scenario(),
        header,
        [*events, Event(1.0, "error", "another replication")],
        cells.samples(0.25, replication=3),
        writes.ledger(plan.stores, plan.function_names, replication=3),
    )
    assert rows == measure(plan, events, cells, writes, strategy="canary", replication=3)


def test_other_functions_are_refused() -> None:
    cells = replace(made.cells(), functions=("browse", "buy"))
    with pytest.raises(JudgeError, match=r"functions are \('browse', 'buy'\), must be \('buy', 'browse'\)"):
        buy(cells=cells)


def test_unknown_names_in_rows_are_refused() -> None:
    samples = made.cells().samples(0.25)
    with pytest.raises(TableError, match="function 'buy' must be one of browse"):
        ClientCells.of(samples, ("browse",), 0.25, len(made.plan().edges) + 1)
    ledger = made.writes().ledger(("orders", "audit"), ("buy", "browse"))
    with pytest.raises(TableError, match="store 'orders' must be one of audit"):
        ledger.writes(("audit",), ("buy", "browse"))


def test_tables_of_unequal_columns_are_refused() -> None:
    with pytest.raises(TableError, match="must be equally long"):
        replace(Ledger.empty(), store=np.array(["orders"]))
    with pytest.raises(TableError, match="needs at least one part"):
        Samples.join([])


@pytest.mark.parametrize(
    ("good", "window", "consecutive", "expected"),
    [
        ("gggg", 1, 2, []),
        ("gbbggg", 1, 2, [(1, 3, False)]),
        ("gbbgbggg", 1, 2, [(1, 5, False)]),  # one good cell does not confirm
        ("gbggbgg", 1, 2, [(1, 2, False), (4, 5, False)]),
        ("gggb", 1, 2, [(3, 4, True)]),
        ("gbbbg", 1, 2, [(1, 4, True)]),
        ("gbbbbgg", 3, 4, [(1, 3, True)]),
        ("gbbbbbb", 3, 2, [(1, 7, True)]),
        ("gggbbbbggg", 3, 2, [(3, 5, False)]),  # the first good window, cells 5 to 7, starts at 5
        ("gggbggg", 3, 2, [(3, 4, False)]),  # later than the tipping cell
    ],
)
def test_episodes(good: str, window: int, consecutive: int, expected: list[tuple[int, int, bool]]) -> None:
    health = np.array([letter == "g" for letter in good])
    found = find_episodes(health, window, consecutive, 1.0)
    assert [(e.start_s, e.end_s, e.censored) for e in found] == expected


def test_longest_is_the_first_of_equals() -> None:
    episodes = [Episode(0, 2, False), Episode(5, 7, True), Episode(9, 10, False)]
    assert longest(episodes) == episodes[0]
    assert longest([]) is None


def test_every_threshold_is_an_edge_and_edges_ascend() -> None:
    edges = edges_s(made.scenario())
    assert 0.3 in edges
    assert (np.diff(edges) > 0).all()
    assert (edges[0], edges[-1]) == (1e-4, pytest.approx(100.0))
    assert np.diff(np.log10(edges)).max() < 1 / 16 + 1e-9


def test_thresholds_of_analyses_are_edges_the_alternatives_among_them() -> None:
    check = "{metric: p95, of: shop, above: %s}, {metric: error-ratio, of: shop, above: 77%%}"
    analysis = f"analysis: {{for: 9s, checks: [{check}], inconclusive: go-on}}"
    strategies = (
        f"  strategy: {{canary: {{steps: [{{weight: 50%}}, {{{analysis % '123ms'}}}]}}}}\n"
        f"  alternatives: [{{blue-green: {{{analysis % '234ms'}}}}}]\n"
    )
    text = re.sub(r"  strategy: .*\n", strategies, made.TEXT)
    edges = edges_s(load_text(text, "tiny.yaml"))
    assert {0.123, 0.234} <= set(edges)
    assert 0.77 not in edges


def test_bins_hold_their_upper_edge() -> None:
    edges = np.array([0.1, 0.2, 0.4])
    assert bin_of(edges, [0.05, 0.1, 0.1001, 0.4, 9.0]).tolist() == [0, 0, 1, 2, 3]
    assert count_up_to(edges, 0.2) == 2
    with pytest.raises(JudgeError, match=r"latency threshold 0\.3 s must be one of"):
        count_up_to(edges, 0.3)


def test_quantiles_are_counted() -> None:
    edges = np.array([0.1, 0.2, 0.4])
    histogram = np.array([10, 9, 1, 0])
    assert rank(0.95, 20) == 19
    assert quantile_at_most(histogram, edges, 0.95, 0.2) is True
    assert quantile_at_most(histogram, edges, 0.96, 0.2) is False
    assert quantile_upper_s(histogram, edges, 0.96) == 0.4
    assert quantile_upper_s(np.array([0, 0, 0, 1]), edges, 0.5) == np.inf
    assert quantile_at_most(np.zeros(4, dtype=int), edges, 0.5, 0.2) is None
    assert quantile_upper_s(np.zeros(4, dtype=int), edges, 0.5) is None


def test_success_at_its_floor_is_good() -> None:
    criteria = Criteria(">=", 0.99, ())
    latency = np.zeros((1, 1, 3), dtype=int)
    assert good_windows(criteria, 1, np.array([100]), np.array([1]), latency).tolist() == [True]
    assert good_windows(criteria, 1, np.array([100]), np.array([2]), latency).tolist() == [False]
    strict = replace(criteria, success_op=">")
    assert good_windows(strict, 1, np.array([100]), np.array([1]), latency).tolist() == [False]


def test_an_unknown_kind_of_event_is_refused() -> None:
    with pytest.raises(TableError, match="event kind 'rollbak' must be one of"):
        Event(0.0, "rollbak", "shop")


def test_a_release_that_did_not_end_is_running() -> None:
    timeline = Timeline.of([Event(5.0, "release-start", "shop")])
    assert (timeline.outcome(), timeline.release_duration_s(), timeline.defects()) == ("running", None, ())
