"""What is attainable: for each tier and function, the RTO and RPO that hold at 95 % and 99 % of the releases.

The quantile over replications is an estimate; what can be promised is the upper end of its interval between order
statistics, which is infinite where the replications are too few to bound it (at 99 % below 368 of them). A tier holds
when all of its functions do: its RTO in a replication is the longest of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.measures import FunctionMeasure
from evidence.plain import finite
from evidence.release_summary import ReleaseSummary, by_replication
from evidence.statistics import Estimate, quantile_with_interval

__all__ = ["LEVELS", "Attainable", "AttainableRow", "attainable"]

LEVELS = (0.95, 0.99)


@dataclass(frozen=True, slots=True)
class AttainableRow:
    """Of one tier (function "") or function under one strategy: quantiles by level; objectives of a function.

    RPOs are None where nothing is written. Not recovered counts as infinite.
    """

    strategy: str
    tier: int
    function: str
    rto_s: dict[float, Estimate]
    rpo_s: dict[float, Estimate] | None
    rto_objective_s: float | None
    rpo_objective_s: float | None


@dataclass(frozen=True, slots=True)
class Attainable:
    """Rows by tier, function and strategy; what each strategy costs is in `costs`."""

    scenario: str
    rows: tuple[AttainableRow, ...]
    costs: dict[str, ReleaseSummary]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null, levels as text."""
        rows = [finite(asdict(row)) for row in self.rows]
        for row in rows:
            for name in ("rto_s", "rpo_s"):
                if row[name] is not None:
                    row[name] = {f"{level:g}": estimate for level, estimate in row[name].items()}
        costs = {
            name: finite(
                {
                    "promoted_s": None if each.promoted_s is None else asdict(each.promoted_s),
                    "release_duration_s": None if each.duration_s is None else asdict(each.duration_s),
                    "extra_replica_s": asdict(each.extra_replica_s),
                }
            )
            for name, each in self.costs.items()
        }
        return {"scenario": self.scenario, "rows": rows, "costs": costs}


def attainable(
    scenario: str, measures: Mapping[str, Sequence[FunctionMeasure]], costs: Mapping[str, ReleaseSummary]
) -> Attainable:
    """From the measures of each strategy (or variant) by its label, and what it costs."""
    rows: list[AttainableRow] = []
    first = next(iter(measures.values()))
    tiers = sorted({row.tier for row in first if row.tier is not None})
    for tier in tiers:
        functions = list(dict.fromkeys(row.function for row in first if row.tier == tier))
        scopes = [("", functions)] if len(functions) > 1 else []
        for function, members in [*scopes, *((name, [name]) for name in functions)]:
            for label, table in measures.items():
                mine = [row for row in table if row.function in members]
                rows.append(_row(label, tier, function, mine))
    return Attainable(scenario, tuple(rows), dict(costs))


def _row(label: str, tier: int, function: str, rows: Sequence[FunctionMeasure]) -> AttainableRow:
    replications = by_replication(rows)
    rto_s = [max(math.inf if row.rto_censored else row.rto_s for row in each) for each in replications]
    rpo_s = [max(known) for each in replications if (known := [r for row in each if (r := _rpo_s(row)) is not None])]
    return AttainableRow(
        strategy=label,
        tier=tier,
        function=function,
        rto_s=_quantiles(rto_s),
        rpo_s=_quantiles(rpo_s) if rpo_s else None,
        rto_objective_s=rows[0].rto_objective_s if function else None,
        rpo_objective_s=rows[0].rpo_objective_s if function else None,
    )


def _rpo_s(row: FunctionMeasure) -> float | None:
    """The worst that it can be, of a function that writes; infinite where its data has not come back by the end."""
    if not row.acknowledged_writes:
        return None
    if row.met_rpo is None:
        return math.inf
    return row.rpo_high_s if row.rpo_high_s is not None else row.rpo_s


def _quantiles(values: Sequence[float]) -> dict[float, Estimate]:
    return {level: quantile_with_interval(values, level) for level in LEVELS}
