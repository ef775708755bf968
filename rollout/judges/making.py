"""From a guardrail of the scenario to a judge of one replication."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from evidence.histogram import count_up_to
from rollout.judges.base import Judge
from rollout.judges.burn_rate import BurnRateJudge
from rollout.judges.metrics import metric_of
from rollout.judges.threshold import Threshold
from scenarios.models import Change, Guardrail, Sequential

__all__ = ["judge_of"]


def judge_of(guardrail: Guardrail, change: Change, edges_s: NDArray[np.float64]) -> Judge:
    """A new judge, which has looked at nothing yet, over histograms with these edges."""
    version = {"new": change.new, "old": change.old}.get(guardrail.version)
    if guardrail.above is not None:
        metric = metric_of(guardrail, edges_s)
        return Threshold(metric, guardrail.above, version, guardrail.window_s, guardrail.minimum)
    burn = guardrail.burn_rate
    if burn is not None:
        return BurnRateJudge(burn.objective, burn.above, version, burn.windows_s, guardrail.minimum)
    if guardrail.sequential is not None:
        return _sequential(guardrail, guardrail.sequential, version, change, edges_s)
    return _mann_whitney(guardrail, change, edges_s)


def _mann_whitney(guardrail: Guardrail, change: Change, edges_s: NDArray[np.float64]) -> Judge:
    # scipy takes its time to import; who has no use for it does not wait.
    from rollout.judges.mann_whitney import MannWhitneyJudge

    rules = guardrail.mann_whitney
    assert rules is not None
    # The interval does not depend on the resolution here: it is `every`, or a default of the judge's own.
    interval_s = guardrail.interval_s(0.0)
    lookback = None if rules.lookback_s is None else round(rules.lookback_s / interval_s)
    return MannWhitneyJudge(
        metric_of(guardrail, edges_s),
        (change.new, change.old),
        confidence=rules.confidence,
        tolerance=rules.tolerance,
        allowed_increase=rules.allowed_increase,
        points=rules.points,
        minimum=guardrail.minimum,
        lookback=lookback,
    )


def _sequential(
    guardrail: Guardrail, test: Sequential, version: str | None, change: Change, edges_s: NDArray[np.float64]
) -> Judge:
    from rollout.judges.outcomes import errors, slow
    from rollout.judges.sequential import AgainstLimit, AgainstOld, SequentialJudge

    if test.above is None:
        return SequentialJudge(AgainstOld(), errors, (change.new, change.old), test.alpha, guardrail.minimum)
    if guardrail.quantile is None:
        share, count = test.above.value, errors
    else:
        # A quantile q is above the limit exactly when more than 1 - q of the answers are.
        share, count = 1.0 - guardrail.quantile, partial(slow, count_up_to(edges_s, test.above.value))
    return SequentialJudge(AgainstLimit(share), count, (version,), test.alpha, guardrail.minimum)
