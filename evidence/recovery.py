"""How functions recover, over a simulation's replications: the distributions of RTO and RPO, and the parts of the RTO.

Quantiles are over all replications, those without an impact (0 s) included: so they say what a release has to expect.
Parts are means over the replications with an impact whose parts are known; they add up to their mean RTO.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.measures import FunctionMeasure
from evidence.plain import finite
from evidence.statistics import Estimate, mean_with_interval, quantile_with_interval, share_with_interval
from evidence.strata import Chances, strata_of

__all__ = ["QUANTILES", "Recovery", "recoveries"]

QUANTILES = (0.50, 0.75, 0.90, 0.95, 0.99)
PARTS = ("detect_s", "decide_s", "act_s", "stabilise_s")


@dataclass(frozen=True, slots=True)
class Recovery:
    """One function under one strategy. Times in seconds; an RTO or RPO that is not known (not recovered) is infinite.

    `impact` is the share of replications in which it was hurt; `rto_s` and `rpo_s` are by QUANTILES, `rpo_s` None
    without a store that it writes to; `parts_s` by PARTS, None where none is known.
    """

    function: str
    impact: Estimate
    rto_s: tuple[Estimate, ...]
    rto_max_s: float
    parts_s: tuple[Estimate | None, ...]
    rpo_s: tuple[Estimate, ...] | None
    rpo_max_s: float | None
    lost_writes: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        document: dict[str, Any] = finite(asdict(self))
        document["quantiles"] = list(QUANTILES)
        document["parts_s"] = dict(zip(PARTS, document["parts_s"], strict=True))
        return document


def recoveries(measures: Sequence[FunctionMeasure], chances: Chances | None = None) -> list[Recovery]:
    """One for each function of the measures, in their order; `chances` are those of the defects that were drawn."""
    known = chances or {}
    return [_recovery([row for row in measures if row.function == name], name, known) for name in _functions(measures)]


def _functions(measures: Sequence[FunctionMeasure]) -> list[str]:
    return list(dict.fromkeys(row.function for row in measures))


def _recovery(rows: Sequence[FunctionMeasure], name: str, chances: Chances) -> Recovery:
    hurt = [row for row in rows if row.impact_start_s is not None]
    rto_s = [math.inf if row.rto_censored else row.rto_s for row in rows]
    writing = [row for row in rows if row.acknowledged_writes and row.rpo_s is not None]
    strata = strata_of([row.defects for row in rows], chances) if len(writing) == len(rows) else None
    # Data of which nobody could tell at the end what is left of it has not come back.
    rpo_s = [math.inf if row.met_rpo is None else row.rpo_s for row in writing if row.rpo_s is not None]
    return Recovery(
        function=name,
        impact=share_with_interval(len(hurt), len(rows)),
        rto_s=tuple(quantile_with_interval(rto_s, quantile) for quantile in QUANTILES),
        rto_max_s=max(rto_s),
        parts_s=tuple(_mean(hurt, part) for part in PARTS),
        rpo_s=tuple(quantile_with_interval(rpo_s, quantile) for quantile in QUANTILES) if rpo_s else None,
        rpo_max_s=max(rpo_s) if rpo_s else None,
        lost_writes=mean_with_interval([row.lost_writes for row in writing], strata=strata) if writing else None,
    )


def _mean(hurt: Sequence[FunctionMeasure], part: str) -> Estimate | None:
    # A row knows all of its parts or none: then something else than a guardrail ended its impact.
    known = [row for row in hurt if row.detect_s is not None and not row.rto_censored]
    return mean_with_interval([getattr(row, part) or 0.0 for row in known]) if known else None
