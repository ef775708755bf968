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
from evidence.pairs import Difference, Pair, pairs_of, turned
from evidence.pareto import ParetoRow, pareto
from evidence.plain import finite
from evidence.release_summary import ReleaseSummary, summarise
from evidence.statements import Statement, statements
from evidence.statistics import Estimate, mean_with_interval, quantile_with_interval, share_with_interval
from evidence.strata import Chances, strata_of

__all__ = ["Comparison", "Difference", "StrategyRow", "compare"]


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
    """Rows by function, then by strategy (or variant) in the order given; and what is told of the whole release."""

    scenario: str
    rows: tuple[StrategyRow, ...]
    pairs: tuple[Pair, ...]
    release: dict[str, ReleaseSummary]
    pareto: tuple[ParetoRow, ...]
    statements: tuple[Statement, ...]

    def of(self, function: str) -> tuple[StrategyRow, ...]:
        """The rows of one function."""
        return tuple(row for row in self.rows if row.function == function)

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions in order."""
        return tuple(dict.fromkeys(row.function for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        return {
            "scenario": self.scenario,
            "rows": [finite(asdict(row)) for row in self.rows],
            "release": {name: each.to_json() for name, each in self.release.items()},
            "pairs": [pair.to_json() for pair in self.pairs],
            "pareto": [row.to_json() for row in self.pareto],
            "statements": [each.to_json() for each in self.statements],
        }


def compare(
    scenario: str,
    measures: Mapping[str, Sequence[FunctionMeasure]],
    chances: Mapping[str, Chances] | None = None,
) -> Comparison:
    """Compare strategies from their measures over the same replication numbers.

    `chances` are those of the defects that each strategy's replications draw; means are more precise for them.

    Raises JudgeError when there is no strategy, or when functions or replication numbers differ.
    """
    tables = {name: _by_function(rows) for name, rows in measures.items()}
    known = chances or {}
    if not tables:
        raise JudgeError("a comparison needs at least 1 strategy (got 0)")
    reference_name, reference = next(iter(tables.items()))
    for name, table in tables.items():
        if {f: list(rows) for f, rows in table.items()} != {f: list(rows) for f, rows in reference.items()}:
            raise JudgeError(f"strategies {reference_name} and {name} must have the same functions and replications")
    measures = {name: sorted(each, key=lambda row: row.replication) for name, each in measures.items()}
    pairs = pairs_of(measures, known)
    rows: list[StrategyRow] = []
    for function in reference:
        paired = {name: list(table[function].values()) for name, table in tables.items()}
        best = min(paired, key=lambda name: _badness(paired[name]))
        rows += [
            _row(function, name, paired[name], known.get(name, {}), name == best, _against(pairs, function, name, best))
            for name in paired
        ]
    release = {name: summarise(each, known.get(name, {})) for name, each in measures.items()}
    return Comparison(scenario, tuple(rows), tuple(pairs), release, pareto(release, pairs), statements(pairs))


def _against(pairs: Sequence[Pair], function: str, name: str, best: str) -> tuple[Difference, ...]:
    """What is told of a strategy against the best one; nothing of the best itself."""
    for pair in pairs:
        if pair.function == function and {pair.ours, pair.theirs} == {name, best}:
            return pair.differences if pair.ours == name else tuple(turned(each) for each in pair.differences)
    return ()


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
    chances: Chances,
    is_best: bool,
    differences: tuple[Difference, ...],
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
        failed_share=_mean(rows, "failed_share", chances),
        revenue_lost=_mean(rows, "revenue_lost", chances),
        currency=rows[0].currency,
        release_duration_s=_mean(rows, "release_duration_s", chances),
        rolled_back=_share(rows, lambda row: row.outcome == "rolled-back"),
        best=is_best,
        differences=differences,
    )


def _share(rows: Sequence[FunctionMeasure], hit: Callable[[FunctionMeasure], bool]) -> Estimate:
    return share_with_interval(sum(hit(row) for row in rows), len(rows))


def _mean(rows: Sequence[FunctionMeasure], measure: str, chances: Chances) -> Estimate | None:
    present = [value for row in rows if (value := getattr(row, measure)) is not None]
    # Of the replications that have a value it is not known how likely each kind is, unless all have one.
    strata = strata_of([row.defects for row in rows], chances) if len(present) == len(rows) else None
    return mean_with_interval(present, strata=strata) if present else None
