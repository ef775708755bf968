"""How far back acknowledged writes are missing: of failures of the store, at ends of exposure, over several stores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidence.loss import Loss, loss_of, worst_loss
from evidence.tables import INDETERMINATE_WRITE, OK_WRITE, Writes

END_S = 100.0


def acknowledged(*times_s: float, found: int = 0, counts: tuple[int, ...] | None = None) -> Writes:
    """Writes that were promised at these times, each half a second after it was sent."""
    at_s, zeros = np.array(times_s), np.zeros(len(times_s), dtype=np.int64)
    given = None if counts is None else np.array(counts, dtype=np.int64)
    return Writes(zeros, zeros, at_s - 0.5, at_s, zeros + OK_WRITE, zeros + found, given)


def rpo_s(
    writes: Writes,
    ends_s: tuple[float, ...] = (),
    failures_s: tuple[tuple[float, float], ...] = (),
    patience_s: float = 0.0,
) -> float:
    return loss_of(writes, np.ones(len(writes.store), dtype=np.bool_), ends_s, END_S, failures_s, patience_s).rpo_s


@pytest.mark.parametrize(
    ("lost_s", "failures_s", "expected_s"),
    [
        ((42.0, 45.0), ((40.0, 50.0),), 8.0),
        # each failure by itself, the worst counts, in whichever order they came
        ((42.0, 77.0), ((40.0, 50.0), (70.0, 80.0)), 8.0),
        ((48.0, 72.0), ((40.0, 50.0), (70.0, 80.0)), 8.0),
        # what was acknowledged by the moment that came back is not this failure's, and what was sent after it neither
        ((40.0,), ((40.0, 50.0),), 60.0),
        ((50.5,), ((40.0, 50.0),), 49.5),
        # sent before the failure, acknowledged after it
        ((50.25,), ((40.0, 50.0),), 0.0),
        # a failure takes its own away from what is counted to the end of exposure
        ((45.0, 90.0), ((40.0, 50.0),), 10.0),
        ((42.0, 95.0), ((40.0, 50.0),), 8.0),
        # what came back is older than the load: all back to there is gone, whether it is seen missing or not
        ((), ((-20.0, 30.0),), 50.0),
        ((25.0,), ((-20.0, 30.0),), 50.0),
        ((70.0,), ((-20.0, 30.0), (60.0, 85.0)), 50.0),
        ((), ((-20.0, 30.0), (-5.0, 60.0)), 65.0),
        ((), ((0.0, 30.0),), 0.0),
        ((), ((40.0, 50.0),), 0.0),
    ],
)
def test_what_a_failure_of_the_store_took_is_counted_back_from_it(
    lost_s: tuple[float, ...], failures_s: tuple[tuple[float, float], ...], expected_s: float
) -> None:
    assert rpo_s(acknowledged(*lost_s), failures_s=failures_s) == expected_s


@pytest.mark.parametrize(
    ("newest_s", "expected_s"),
    [
        (20.0, 10.0),  # at the end of exposure itself
        (20.5, 10.5),  # under way then: its own acknowledgement is the failure
        (22.0, 12.0),  # as long as its client was patient
        (22.5, 50.0),  # no longer: the loss went on until the next end
        (61.0, 51.0),
        (63.0, 90.0),  # after the last end, until the end of the run
    ],
)
def test_a_straggler_of_an_end_of_exposure_does_not_reach_to_the_next(newest_s: float, expected_s: float) -> None:
    assert rpo_s(acknowledged(10.0, newest_s), ends_s=(20.0, 60.0), patience_s=2.0) == expected_s


@pytest.mark.parametrize(
    ("lost_s", "expected_s"),
    [
        ((35.0, 45.0, 71.0), 26.0),  # the failure took 5 s, and 71 s is a straggler of the end
        ((35.0, 45.0, 55.0), 25.0),
        ((11.0, 45.0, 71.0), 29.0),
        ((11.0, 45.0, 55.0), 29.0),
    ],
)
def test_of_a_failure_and_an_end_of_exposure_the_worse_counts(lost_s: tuple[float, ...], expected_s: float) -> None:
    assert rpo_s(acknowledged(*lost_s), (70.0,), ((10.0, 40.0),), patience_s=2.0) == expected_s


def test_the_interval_takes_in_what_nobody_knows() -> None:
    # lost, not looked up, and not known to be stored; exposure ends after each of them
    writes = replace(acknowledged(10.0, 30.0, 50.5), found=np.array([0, -1, 0]), outcome=np.array([OK_WRITE] * 3))
    writes.outcome[2], writes.acknowledged_s[2] = INDETERMINATE_WRITE, np.nan
    loss = loss_of(writes, np.ones(3, dtype=np.bool_), (20.0, 40.0, 60.0), END_S)
    assert (loss.rpo_s, loss.rpo_unchecked_s, loss.rpo_high_s) == (10.0, 30.0, 50.0)


def test_rows_that_stand_for_several_writes_count_as_many() -> None:
    chosen = np.array([True, True, False])
    loss = loss_of(acknowledged(10.0, 20.0, 30.0, counts=(3, 4, 5)), chosen, (), END_S)
    assert (loss.acknowledged, loss.lost, loss.indeterminate) == (7, 7, 0)


KEPT = Loss(rpo_s=0.0, rpo_unchecked_s=0.0, rpo_high_s=0.0, acknowledged=10, lost=0, indeterminate=0)


@pytest.mark.parametrize(
    ("loss", "objective_s", "met"),
    [
        (KEPT, 0.0, True),
        (replace(KEPT, lost=1), 0.0, False),  # in the very moment of the failure
        (replace(KEPT, lost=1, rpo_s=5.0, rpo_unchecked_s=5.0), 5.0, True),
        (replace(KEPT, lost=1, rpo_s=5.1, rpo_unchecked_s=5.1), 5.0, False),
        (replace(KEPT, rpo_unchecked_s=5.0), 5.0, True),
        (replace(KEPT, rpo_unchecked_s=5.1), 5.0, None),
        (replace(KEPT, rpo_high_s=9.0), 5.0, True),  # nobody was promised those
        (replace(KEPT, gone=True), 5.0, None),
        (replace(KEPT, gone=True, lost=1, rpo_s=5.1), 5.0, False),
    ],
)
def test_an_objective_is_met_unless_promised_writes_break_it(loss: Loss, objective_s: float, met: bool | None) -> None:
    assert loss.met(objective_s) is met


def test_over_several_stores_the_worst_time_counts_and_all_writes() -> None:
    one = Loss(rpo_s=3.0, rpo_unchecked_s=3.0, rpo_high_s=9.0, acknowledged=10, lost=2, indeterminate=1)
    other = Loss(rpo_s=1.0, rpo_unchecked_s=4.0, rpo_high_s=5.0, acknowledged=20, lost=3, indeterminate=4)
    both = Loss(rpo_s=3.0, rpo_unchecked_s=4.0, rpo_high_s=9.0, acknowledged=30, lost=5, indeterminate=5)
    assert worst_loss([one, other]) == worst_loss([other, one]) == both
    assert worst_loss([one, replace(other, gone=True)]) == replace(both, gone=True)
    assert worst_loss([]) is None
