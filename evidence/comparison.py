"""Strategies side by side: the same replications, hence the same arrivals and defects, under each.

Every strategy is compared with the best one of the function by paired differences, and the statement says
no more than the intervals do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evidence.errors import JudgeError
from evidence.measures import FunctionMeasure
from evidence.plain import finite
from evidence.statistics import (
    Estimate,
    mean_with_interval,
    paired_mean_difference,
    paired_share_difference,
    quantile_with_interval,
    share_with_interval,
)

__all__ = ["Comparison", "Difference", "StrategyRow", "compare"]

_HIGHER_IS_BETTER = {"rto_attainment": True, "failed_share": False, "rto_s": False, "revenue_lost": False}


@dataclass(frozen=True, slots=True)
class Difference:
    """A strategy minus the best one, pair by pair, and what that allows to say."""

    measure: str
    estimate: Estimate
    statement: str


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """One function under one strategy. Shares are means over replications; censored RTOs count as inf."""

    function: str
    strategy: str
    replications: int
    rto_objective_s: float | None
    rto_attainment: Estimate
    rpo_attainment: Estimate | None
    rto_p50_s: Estimate
    rto_p95_s: Estimate
    rto_censored: int
    failed_share: Estimate | None
    revenue_lost: Estimate | None
    currency: str | None
    release_duration_s: Estimate | None
    rolled_back: Estimate
    best: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows by function, then by strategy in the order given."""

    scenario: str
    rows: tuple[StrategyRow, ...]

    def of(self, function: str) -> tuple[StrategyRow, ...]:
        """The rows of one function."""
        return tuple(row for row in self.rows if row.function == function)

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions in order."""
        return tuple(dict.fromkeys(row.function for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        return {"scenario": self.scenario, "rows": [finite(asdict(row)) for row in self.rows]}


def compare(scenario: str, measures: Mapping[str, Sequence[FunctionMeasure]]) -> Comparison:
    """Compare strategies from their measures over the same replication numbers.

    Raises JudgeError when there is no strategy, or when functions or replication numbers differ.
    """
    tables = {name: _by_function(rows) for name, rows in measures.items()}
    if not tables:
        raise JudgeError("a comparison needs at least 1 strategy (got 0)")
    reference_name, reference = next(iter(tables.items()))
    for name, table in tables.items():
        if {f: list(rows) for f, rows in table.items()} != {f: list(rows) for f, rows in reference.items()}:
            raise JudgeError(f"strategies {reference_name} and {name} must have the same functions and replications")
    rows: list[StrategyRow] = []
    for function in reference:
        paired = {name: list(table[function].values()) for name, table in tables.items()}
        best = min(paired, key=lambda name: _badness(paired[name]))
        rows += [_row(function, name, paired[name], paired[best], name == best) for name in paired]
    return Comparison(scenario, tuple(rows))


def _by_function(rows: Sequence[FunctionMeasure]) -> dict[str, dict[int, FunctionMeasure]]:
    table: dict[str, dict[int, FunctionMeasure]] = {}
    for row in rows:
        table.setdefault(row.function, {})[row.replication] = row
    return {name: dict(sorted(by_number.items())) for name, by_number in table.items()}


def _badness(rows: Sequence[FunctionMeasure]) -> tuple[float, float]:
    """Best is who meets the RTO most often; among equals, who fails the smallest share of requests."""
    missed = sum(row.met_rto is not True for row in rows)
    return missed / len(rows), float(np.mean([row.failed_share or 0.0 for row in rows]))


def _row(
    function: str,
    strategy: str,
    rows: Sequence[FunctionMeasure],
    best: Sequence[FunctionMeasure],
    is_best: bool,
) -> StrategyRow:
    rto_s = [math.inf if row.rto_censored else row.rto_s for row in rows]
    writing = [row for row in rows if row.acknowledged_writes]
    return StrategyRow(
        function=function,
        strategy=strategy,
        replications=len(rows),
        rto_objective_s=rows[0].rto_objective_s,
        rto_attainment=_share(rows, lambda row: row.met_rto is True),
        rpo_attainment=_share(writing, lambda row: row.met_rpo is True) if writing else None,
        rto_p50_s=quantile_with_interval(rto_s, 0.50),
        rto_p95_s=quantile_with_interval(rto_s, 0.95),
        rto_censored=sum(row.rto_censored for row in rows),
        failed_share=_mean([row.failed_share for row in rows]),
        revenue_lost=_mean([row.revenue_lost for row in rows]),
        currency=rows[0].currency,
        release_duration_s=_mean([row.release_duration_s for row in rows]),
        rolled_back=_share(rows, lambda row: row.outcome == "rolled-back"),
        best=is_best,
        differences=() if is_best else _differences(rows, best),
    )


def _share(rows: Sequence[FunctionMeasure], hit: Callable[[FunctionMeasure], bool]) -> Estimate:
    return share_with_interval(sum(hit(row) for row in rows), len(rows))


def _mean(values: Sequence[float | None]) -> Estimate | None:
    present = [value for value in values if value is not None]
    return mean_with_interval(present) if present else None


def _differences(rows: Sequence[FunctionMeasure], best: Sequence[FunctionMeasure]) -> tuple[Difference, ...]:
    """RTO differences take a censored RTO at its bound: the horizon of the run restricts both alike."""
    found = [
        _difference(
            "rto_attainment",
            paired_share_difference([row.met_rto is True for row in rows], [row.met_rto is True for row in best]),
        )
    ]
    for measure in ("rto_s", "failed_share", "revenue_lost"):
        pairs = [(getattr(ours, measure), getattr(theirs, measure)) for ours, theirs in zip(rows, best, strict=True)]
        present = [pair for pair in pairs if None not in pair]
        if present:
            ours_values, best_values = zip(*present, strict=True)
            found.append(_difference(measure, paired_mean_difference(ours_values, best_values)))
    return tuple(found)


def _difference(measure: str, estimate: Estimate) -> Difference:
    if estimate.low > 0.0:
        statement = "better" if _HIGHER_IS_BETTER[measure] else "worse"
    elif estimate.high < 0.0:
        statement = "worse" if _HIGHER_IS_BETTER[measure] else "better"
    else:
        statement = "the data cannot tell"
    return Difference(measure, estimate, statement)
