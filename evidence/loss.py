"""RPO achieved: how far back acknowledged writes are missing, from the ledger of writes.

RPO achieved is the time of failure minus the acknowledgement time of the oldest acknowledged write
that is missing after recovery; 0 when none is missing. The failure is the end of exposure: the
first moment, at or after the newest missing acknowledgement, at which the loss can have stopped.
Requests that were under way at an end of exposure may write a little later: when the newest one is
such a straggler, its own acknowledgement is the failure, and not the next end, however far off.
A store that failed tells the moment of its failure itself (`Timeline.failures_s`).
Writes of unknown fate (indeterminate ones that are not there, acknowledged ones that nobody looked
up) make the RPO an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.tables import INDETERMINATE_WRITE, OK_WRITE, Writes

__all__ = ["Loss", "loss_of", "worst_loss"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss of one function in one store. Seconds and counts of writes.

    rpo_s: acknowledged writes found missing. rpo_unchecked_s: counting those not looked up as
    missing too. rpo_high_s: counting indeterminate writes that are not there as well, from their
    invocation. gone: the store lost its data, and nothing has come back by the end.
    """

    rpo_s: float
    rpo_unchecked_s: float
    rpo_high_s: float
    acknowledged: int
    lost: int
    indeterminate: int
    gone: bool = False

    def met(self, objective_s: float) -> bool | None:
        """Whether the objective is met; None when writes that nobody looked up could break it, or all data is gone.

        Only acknowledged writes decide: nobody was promised the others. An objective of 0 allows no loss at all, not
        even of a write acknowledged in the very moment of the failure.
        """
        if self.rpo_s > objective_s or (self.lost and objective_s == 0.0):
            return False
        return None if self.gone or self.rpo_unchecked_s > objective_s else True


def loss_of(
    writes: Writes,
    rows: NDArray[np.bool_],
    ends_s: Sequence[float],
    end_s: float,
    failures_s: Sequence[tuple[float, float]] = (),
    patience_s: float = 0.0,
) -> Loss:
    """Loss among the chosen rows; ends_s are the exposure's ends in order, end_s the end of the run.

    failures_s: of each failure of the store, the moment that it came back to and when it failed. What was lost within
    is counted to that failure, each failure by itself. One from before the load lost all back to there. patience_s: for
    how long after an end of exposure a request that was under way then may still write.
    """
    outcome, found = writes.outcome[rows], writes.found[rows]
    promised = outcome == OK_WRITE
    lost = promised & (found == 0)
    unchecked = promised & (found < 0)
    indeterminate = outcome == INDETERMINATE_WRITE
    unknown = lost | unchecked | (indeterminate & (found != 1))
    # Times are looked at of writes that may be missing only: mostly a few of millions.
    concerned = np.flatnonzero(rows)[unknown]
    acknowledged_s, invoked_s = writes.acknowledged_s[concerned], writes.invoked_s[concerned]
    times_s = np.where(np.isnan(acknowledged_s), invoked_s, acknowledged_s)

    before_load_s = max((failed_s - kept_s for kept_s, failed_s in failures_s if kept_s < 0.0), default=0.0)

    def number(chosen: NDArray[np.bool_]) -> int:
        return int(chosen.sum() if writes.counts is None else writes.counts[rows][chosen].sum())

    def reaching_back(missing: NDArray[np.bool_]) -> float:  # of those concerned
        if not missing.any():
            return before_load_s
        reach_s, rest = before_load_s, missing
        for kept_s, failed_s in failures_s:
            within = missing & (times_s > kept_s) & (invoked_s < failed_s)
            if within.any():
                reach_s = max(reach_s, failed_s - float(times_s[within].min()))
                rest = rest & ~within
        if not rest.any():
            return reach_s
        times = times_s[rest]
        newest = times.max()
        if any(end < newest <= end + patience_s for end in ends_s):
            return max(reach_s, float(newest - times.min()))
        failure_s = next((end for end in ends_s if end >= newest), max(end_s, newest))
        return max(reach_s, float(failure_s - times.min()))

    rpo_s = reaching_back(lost[unknown])
    rpo_unchecked_s = max(rpo_s, reaching_back((lost | unchecked)[unknown]))
    return Loss(
        rpo_s=rpo_s,
        rpo_unchecked_s=rpo_unchecked_s,
        rpo_high_s=max(rpo_unchecked_s, reaching_back(np.ones(len(concerned), np.bool_))),
        acknowledged=number(promised),
        lost=number(lost),
        indeterminate=number(indeterminate),
    )


def worst_loss(losses: Sequence[Loss]) -> Loss | None:
    """A function's loss over its stores: the worst times, the writes added up; None without stores."""
    if not losses:
        return None
    return Loss(
        rpo_s=max(loss.rpo_s for loss in losses),
        rpo_unchecked_s=max(loss.rpo_unchecked_s for loss in losses),
        rpo_high_s=max(loss.rpo_high_s for loss in losses),
        acknowledged=sum(loss.acknowledged for loss in losses),
        lost=sum(loss.lost for loss in losses),
        indeterminate=sum(loss.indeterminate for loss in losses),
        gone=any(loss.gone for loss in losses),
    )
