"""Whatever is combined: it plays, loses no request, repeats in any process, and its record agrees with itself.

Derandomised: the suite plays the same scenarios every time.
"""

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import simpy
from hypothesis import given, settings

from evidence.assess import assess
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
