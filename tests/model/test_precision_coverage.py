"""Does a 95 % interval still cover when the data decide how many replications there are? Played with known answers.

The bounds are 95 % less 2.9 standard errors of the number of repetitions, the house's rule for coverage.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from evidence.measures import FunctionMeasure
from evidence.precision import FEWEST, Precision, looks, precision_of
from evidence.statistics import Estimate, mean_with_interval, share_with_interval
from evidence.strata import Chances, strata_of
from tests.unit import evidence_made as made

REPETITIONS = 300
LOWEST = 0.95 - 2.9 * math.sqrt(0.95 * 0.05 / REPETITIONS)
MOST = 3000

MET = replace(made.measures(replications=1)[0], defects=(), met_rto=True, failed_share=0.0)
MISSED = replace(MET, met_rto=False)


def stopped(precision: Precision, rows: list[FunctionMeasure], chances: Chances | None = None) -> int:
    """The number of replications at which a simulation that would leave these rows stops."""
    known = {"run": chances or {}}
    return next(n for n in looks(FEWEST, MOST) if n == MOST or precision.reached({"run": rows[:n]}, known))


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


@pytest.mark.parametrize(("share", "width"), [(0.5, "4%"), (0.9, "2.5%"), (0.99, "1%")])
def test_a_share_is_covered_and_as_precise_as_asked_for(share: float, width: str) -> None:
    rng = np.random.default_rng(11)
    precision = precision_of(f"rto_attainment +-{width}", ("buy",))
    found = []
    for _ in range(REPETITIONS):
        rows = [MET if hit else MISSED for hit in rng.random(MOST) < share]
        n = stopped(precision, rows)
        estimate = share_with_interval(sum(row.met_rto is True for row in rows[:n]), n)
        assert n == MOST or (estimate.high - estimate.low) / 2 <= precision.half_width
        found.append(covers(estimate, share))
    assert np.mean(found) >= LOWEST


def failing(rng: np.random.Generator, bad: float, spread: float) -> NDArray[np.float64]:
    """Failed shares: so many releases are bad, and lose 2 % on average."""
    return (rng.random(MOST) < bad) * rng.lognormal(math.log(0.02) - spread**2 / 2, spread, MOST)


@pytest.mark.parametrize(("bad", "width"), [(0.3, "0.08%"), (0.1, "0.05%")])
def test_a_mean_that_few_bad_releases_make_is_covered(bad: float, width: str) -> None:
    rng = np.random.default_rng(12)
    precision = precision_of(f"failed_share of buy +-{width}", ("buy",))
    found = []
    for _ in range(100):
        values = failing(rng, bad, 0.5)
        rows = [
            replace(MET, replication=k, failed_share=value, defects=("crash",) if value else ())
            for k, value in enumerate(values.tolist())
        ]
        n = stopped(precision, rows, {"crash": bad})
        assert n < MOST / 2
        strata = strata_of([row.defects for row in rows[:n]], {"crash": bad})
        found.append(covers(mean_with_interval(values[:n], strata=strata), bad * 0.02))
    assert np.mean(found) >= 0.95 - 2.9 * math.sqrt(0.95 * 0.05 / 100)


def test_a_mean_waits_for_the_rare_bad_release_and_for_values_that_stand_alone() -> None:
    precision = precision_of("failed_share of buy +-1%", ("buy",))
    rows = [replace(MET, replication=k, failed_share=0.0) for k in range(400)]
    assert precision.reached({"run": rows})
    assert not precision.reached({"run": rows}, {"run": {"crash": 0.1}})
    one = replace(MET, replication=400, failed_share=0.9, defects=("crash",))
    assert not precision.reached({"run": [one, *rows]})  # one value in 400 makes the mean


@pytest.mark.parametrize(("bad", "enough"), [(39, False), (40, True)])
def test_a_mean_needs_forty_bad_releases_and_no_more_however_skewed_all_values_are(bad: int, enough: bool) -> None:
    precision = precision_of("failed_share of buy +-1%", ("buy",))
    rows = [
        replace(MET, replication=k, failed_share=0.01 * (k < bad), defects=("crash",) if k < bad else ())
        for k in range(800)
    ]
    assert precision.reached({"run": rows}, {"run": {"crash": 0.05}}) is enough
    assert not precision.reached({"run": rows})  # where kinds are not known: 800 < 50 times the squared skewness of 4


@pytest.mark.parametrize(("back", "enough"), [(0, True), (99, False), (100, True)])
def test_a_mean_waits_until_a_risk_of_the_rollback_was_met_ten_times(back: int, enough: bool) -> None:
    """What goes wrong in a tenth of the rollbacks is met by no release that is not taken back."""
    precision = precision_of("failed_share of buy +-1%", ("buy",))
    rows = [
        replace(MET, replication=k, outcome="rolled-back" if k < back else "promoted", failed_share=0.01 * (k % 2))
        for k in range(800)
    ]
    assert precision.reached({"run": rows}, {}, {"run": {"drift": 0.1}}) is enough
    assert precision.reached({"run": rows})


def test_a_difference_waits_for_values_of_its_own_that_stand_alone() -> None:
    precision = precision_of("difference failed_share of buy +-1%", ("buy",))
    rows = [replace(MET, replication=k, failed_share=0.1 * (k == 7)) for k in range(400)]
    assert precision.reached({"canary": rows, "recreate": rows})  # the same in both: no difference at all
    even = [replace(MET, replication=k, failed_share=0.01 * (k % 2)) for k in range(400)]
    assert precision.reached({"canary": even, "recreate": [replace(each, failed_share=0.0) for each in even]})
    assert not precision.reached({"canary": rows, "recreate": [replace(each, failed_share=0.0) for each in rows]})


def test_looks_grow_by_a_fifth_and_end() -> None:
    assert list(looks(200, 300)) == [200, 240, 288, 300]
    assert list(looks(200, 200)) == [200]


def test_a_difference_is_of_the_functions_that_have_the_measure() -> None:
    runs = {name: made.measures(replications=FEWEST) for name in ("canary", "recreate")}
    assert {row.function for row in runs["canary"] if row.acknowledged_writes} == {"buy"}
    assert precision_of("difference rpo_attainment +-3%", ("buy", "browse")).reached(runs)
    assert not precision_of("difference rpo_attainment of browse +-3%", ("buy", "browse")).reached(runs)
    few = {name: rows[: 2 * 60] for name, rows in runs.items()}  # 3 of 60 beyond the quantile say too little
    assert not precision_of("difference rto_p95 +-1000s", ("buy", "browse")).reached(few)
