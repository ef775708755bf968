"""Whatever is combined: it plays, loses no request, repeats in any process, and its record agrees with itself.

Derandomised: the suite plays the same scenarios every time.
"""

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given, settings

from evidence.assess import assess
from evidence.measures import FunctionMeasure
from scenarios.loading import load_text
from simulator.environment import SimulationEnvironment
from simulator.replication import Player
from simulator.replications import simulate
from simulator.verification.conservation import differences
from tests.property.any_scenario import texts


@settings(max_examples=50)
@given(texts)
def test_no_request_is_lost_or_made_up(text: str) -> None:
    scenario = load_text(text, "any.yaml")
    player = Player(scenario, scenario.release.strategy, seed=1)
    worst = np.zeros(3, np.int64)

    def look(env: SimulationEnvironment) -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(0.5)
            np.maximum(worst, differences(env.plane), out=worst)

    rows = player.measures(0, lambda env: env.process(look(env)))
    assert not worst.any(), "requests, jobs at stations, jobs in queues"
    timeline = player.timeline(0)
    clients = timeline.samples.where(timeline.samples.service == "client")
    assert clients.latency.sum() + clients.failed().sum() == clients.requests.sum() == sum(row.requests for row in rows)
    assert sum(row.failed for row in rows) == clients.failed().sum()
    lost = ((timeline.ledger.outcome == "ok") & (timeline.ledger.found == 0)).sum()
    assert lost == sum(row.lost_writes for row in rows)
    times_s = [event.time_s for event in timeline.events]
    assert times_s == sorted(times_s)
    assert 0.0 <= times_s[0] <= times_s[-1] <= scenario.duration_s
    for row in rows:
        _agrees_with_itself(row, scenario.duration_s)


def _agrees_with_itself(row: FunctionMeasure, duration_s: float) -> None:
    """What holds for any measure: no time is negative, parts add up, nothing that is not known is a pass."""
    parts = (row.detect_s, row.decide_s, row.act_s, row.stabilise_s)
    known = [part for part in parts if part is not None]
    sizes = (
        *known, row.rto_s, row.rto_from_cause_s, row.rpo_s, row.trip_after_s, row.rollback_duration_s,
        row.release_duration_s, row.exposed_s, row.taken_back_s, row.held_s, row.approval_s, row.acknowledged_s,
        row.suppressed_s, row.notified_s, row.reconcile_s, *row.defects_seen_s,
    )  # fmt: skip
    assert min(size for size in sizes if size is not None) >= 0.0
    assert len(row.defects_seen_s) == len(row.defects)
    if len(known) == len(parts):
        assert sum(known) == pytest.approx(row.rto_s, abs=1e-6)
    assert sum(known) <= row.rto_s + 1e-6
    assert row.rto_s <= row.downtime_s + 1e-6
    assert (row.impact_start_s or 0.0) + row.downtime_s <= duration_s + 1e-6 or row.episodes > 1
    assert (row.impact_start_s is None) == (row.episodes == 0)
    assert not (row.rto_censored and row.met_rto)
    assert row.failed == row.failed_error + row.failed_timeout + row.failed_refused + row.failed_unfinished
    assert (sum(row.cohort_requests), sum(row.cohort_failed)) == (row.requests, row.failed)
    if row.rpo_s is not None and row.rpo_high_s is not None:
        assert row.rpo_s <= row.rpo_high_s


@settings(max_examples=8)
@given(texts)
def test_the_answer_is_the_same_in_two_processes_and_judged_again(text: str) -> None:
    scenario = load_text(text, "any.yaml")
    alone = simulate(scenario, text, replications=4, processes=1)
    with TemporaryDirectory() as folder:
        shared = simulate(scenario, text, replications=4, processes=2, out=Path(folder))
        assert repr(shared.measures) == repr(alone.measures)  # repr: NaN is what it is
        assert shared.record is not None
        verdict = assess(shared.record)
        assert assess(shared.record) == verdict
    assert [check for check in verdict.checks if check.name == "record"] == []
