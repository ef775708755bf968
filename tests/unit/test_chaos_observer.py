"""What judges see of a staging: all answers since the start of the load add up, and only grow."""

from __future__ import annotations

import time

import numpy as np

from chaos.observer import Observer
from chaos.staging.envoy_stats import EnvoyStats
from rollout.judges.base import EVER_S
from rollout.judges.making import judge_of
from scenarios.models import Change, Guardrail

CHANGE = Change.model_validate({"service": "checkout", "from": "2.3", "to": "2.4"})


def test_a_sequential_judge_counts_every_answer_of_a_staging_once() -> None:
    polls = 0

    def read() -> list[EnvoyStats]:
        nonlocal polls
        polls += 1
        return [
            EnvoyStats("checkout", "2.3", 1000 + 40 * polls, 10, 0, (), ()),
            EnvoyStats("checkout", "2.4", 10 * polls, 5 * polls, 0, (), ()),
        ]

    observer = Observer(read, (), np.array([0.1, 0.2]), 0.02)
    rule = {"metric": "error-ratio", "of": "checkout", "minimum": 1, "sequential": {"against": "old"}}
    judge = judge_of(Guardrail.model_validate(rule), CHANGE, np.array([0.1, 0.2]))
    found = [judge.judge([observer.observe("checkout", query.version, query.window_s) for query in judge.queries])]
    observer.start(time.monotonic())
    while polls < 8:
        found.append(
            judge.judge([observer.observe("checkout", query.version, query.window_s) for query in judge.queries])
        )
        time.sleep(0.005)
    observer.stop()
    last = judge.judge([observer.observe("checkout", query.version, query.window_s) for query in judge.queries])
    counts = [finding.requests for finding in (*found, last)]
    assert counts == sorted(counts)
    assert last.requests == 10 * (polls - 1)  # since the first poll, which is where the observer starts
    assert last.bad is True
    assert observer.observe("checkout", "2.3", EVER_S).requests == 40 * (polls - 1)


def test_buckets_may_be_others_from_one_reading_to_the_next() -> None:
    """As an Envoy's bins come one by one, each with its first answer."""
    readings = [
        EnvoyStats("checkout", "2.4", 0, 0, 0, (), ()),
        EnvoyStats("checkout", "2.4", 2, 0, 0, (150.0,), (2, 0)),
        EnvoyStats("checkout", "2.4", 6, 0, 0, (0.0, 150.0, 250.0), (1, 2, 2, 1)),
    ]

    def read() -> list[EnvoyStats]:
        return [readings.pop(0) if len(readings) > 1 else readings[0]]

    observer = Observer(read, (), np.array([0.1, 0.2]), 0.02)
    observer.start(time.monotonic())
    deadline_s = time.monotonic() + 10.0
    while observer.observe("checkout", "2.4", EVER_S).requests < 6:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    observer.stop()
    assert observer.observe("checkout", "2.4", EVER_S).histogram.tolist() == [1, 2, 3]
