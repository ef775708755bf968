"""A replayed incident: what was published of it, beside what the simulator predicts.

The prediction is taken over all replications, since a replay states what happened. Its range is p5 to p95. The failed
share is of the requests that were meant to be sent between impact and recovery, as in the scenario's `published`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.beside import is_inside, quantile
from evidence.measures import FunctionMeasure
from scenarios.models import Published

__all__ = ["PublishedRow", "published_beside_predicted"]

# Label, attribute of Published, attribute of FunctionMeasure, unit.
_MEASURES = (
    ("RTO", "rto_s", "rto_s", "s"),
    ("RPO", "rpo_s", "rpo_s", "s"),
    ("failed share during impact", "failed_share", "impact_failed_share", "%"),
)
_MINUTE_S = 60.0
_PERCENT = 0.01
_ALMOST = 1e-9


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published figure; unit is "s" or "%" (values are ratios). Predicted values are null without replications."""

    function: str
    measure: str
    unit: str
    published: float
    predicted: float | None
    low: float | None
    high: float | None
    n: int
    inside: bool | None
    source: str
    not_reproduced: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        row = asdict(self)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def published_beside_predicted(
    published: Mapping[str, Published], measures: Sequence[FunctionMeasure], resolution_s: float
) -> list[PublishedRow]:
    """A row for every figure that was published, in the order of the functions. Measures are those of a simulation."""
    rows = []
    for function, outcome in published.items():
        mine = [row for row in measures if row.function == function]
        for label, name, ours, unit in _MEASURES:
            told: float | None = getattr(outcome, name)
            if told is None:
                continue
            values = [
                math.inf if ours == "rto_s" and row.rto_censored else getattr(row, ours)
                for row in mine
                if getattr(row, ours) is not None
            ]
            low, middle, high = (quantile(values, q) for q in (0.05, 0.50, 0.95))
            inside = is_inside(low, high, told, censored=False, slack=_slack(told, unit, resolution_s))
            rows.append(
                PublishedRow(
                    function,
                    label,
                    unit,
                    told,
                    middle,
                    low,
                    high,
                    len(values),
                    inside,
                    outcome.source,
                    outcome.not_reproduced,
                )
            )
    return rows


def _slack(told: float, unit: str, resolution_s: float) -> float:
    """How far from the prediction a figure may be for its rounding alone: half of the last place that it is given to.

    Whole minutes and whole percents are taken for rounded; nothing lost, and everything else, for exact.
    """
    place, least = (_MINUTE_S, resolution_s) if unit == "s" else (_PERCENT, 0.0)
    places = told / place
    return max(least, place / 2) if told > 0 and abs(places - round(places)) < _ALMOST else least
