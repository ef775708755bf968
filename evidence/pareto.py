"""Risk against time and capacity: which of the compared runs nothing else is at least as good as in everything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.pairs import SAME, Difference, Pair, turned
from evidence.plain import finite
from evidence.release_summary import ReleaseSummary

__all__ = ["ParetoRow", "pareto"]


@dataclass(frozen=True, slots=True)
class ParetoRow:
    """`values` by objective: those of risk, then time and capacity. Less of each is better.

    Infinite where a run has none (a release that is never promoted takes for ever).

    Dominated by those that are better beyond doubt in one objective at least, and in every other one too or the same in
    every replication. Perhaps by those of whose other objectives the estimates say so, where the data cannot tell.
    """

    name: str
    values: dict[str, float]
    dominated_by: tuple[str, ...]
    perhaps_by: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def pareto(summaries: Mapping[str, ReleaseSummary], pairs: Sequence[Pair]) -> tuple[ParetoRow, ...]:
    """A row a run, in their order. `pairs` are all pairs of them, those of the release among them."""
    told = {(pair.ours, pair.theirs): pair.differences for pair in pairs if not pair.function}
    told |= {(b, a): tuple(turned(each) for each in differences) for (a, b), differences in told.items()}
    values = {name: _values(each) for name, each in summaries.items()}
    rows = []
    for name in summaries:
        better = [o for o in summaries if o != name and _is_ahead(values[o], values[name], told[o, name])]
        sure = [other for other in better if _surely(values[other], values[name], told[other, name])]
        perhaps = tuple(other for other in better if other not in sure)
        rows.append(ParetoRow(name, values[name], tuple(sure), perhaps))
    return tuple(rows)


def _values(summary: ReleaseSummary) -> dict[str, float]:
    revenue = {} if summary.revenue_lost is None else {"revenue_lost": summary.revenue_lost.value}
    writes = {} if summary.lost_writes is None else {"lost_writes": summary.lost_writes.value}
    return {
        "rto_missed": summary.rto_missed.value,
        "failed_share": summary.failed_share.value,
        **revenue,
        **writes,
        "promoted_s": math.inf if summary.promoted_s is None else summary.promoted_s.value,
        "extra_replica_s": summary.extra_replica_s.value,
    }


def _is_ahead(ours: Mapping[str, float], theirs: Mapping[str, float], differences: Sequence[Difference]) -> bool:
    """By the estimates in nothing behind, and in something better beyond doubt."""
    if any(ours[name] > theirs[name] for name in ours if name in theirs):
        return False
    return any(each.statement == "better" for each in differences if each.measure in ours)


def _surely(ours: Mapping[str, float], theirs: Mapping[str, float], differences: Sequence[Difference]) -> bool:
    """Whether the data tell it of every objective; one that is infinite for both is the same."""
    told = {each.measure for each in differences if each.statement in ("better", SAME)}
    return all(name in told or math.isinf(theirs[name]) for name in ours if name in theirs)
