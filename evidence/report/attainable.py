"""What is attainable, as tables and as a first screen: times that hold, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evidence.attainable import LEVELS, Attainable, AttainableRow
from evidence.report.summary import Tile
from evidence.report.table import Table, replications, seconds
from evidence.statistics import Estimate

__all__ = ["attainable_tables", "attainable_tiles"]


def attainable_tables(found: Attainable) -> list[Table]:
    """By tier and function, then the strategies' costs."""
    return [_holding(found), _costs(found)]


def attainable_tiles(found: Attainable) -> list[Tile]:
    """Which strategies keep all objectives, and by tier the best that can be promised, at the lower level."""
    level = f"{LEVELS[0]:.0%}".replace("%", " %")
    kept = [name for name in found.costs if all(_mark(row) != "fail" for row in found.rows if row.strategy == name)]
    failing = [f"{name}: not" for name in found.costs if name not in kept]
    answer = f"{len(kept)} of {len(found.costs)}"
    tiles = [
        Tile(f"Strategies that keep every objective at {level}", answer, (*kept, *failing), "" if kept else "fail")
    ]
    for tier in dict.fromkeys(row.tier for row in found.rows):
        whole = next(row.function for row in found.rows if row.tier == tier)
        rows = [row for row in found.rows if (row.tier, row.function) == (tier, whole)]
        name = whole or f"tier {tier}"
        tiles.append(_promise(f"RTO of {name} at {level}", {row.strategy: row.rto_s[LEVELS[0]] for row in rows}))
        if rpos := {row.strategy: row.rpo_s[LEVELS[0]] for row in rows if row.rpo_s is not None}:
            tiles.append(_promise(f"RPO of {name} at {level}", rpos))
    return tiles


def _promise(question: str, estimates: Mapping[str, Estimate]) -> Tile:
    """The least that some strategy can promise, and what each can."""
    least = min(each.high for each in estimates.values())
    details = [f"{name}: {_promised(each)}" for name, each in estimates.items()]
    return Tile(question, seconds(least) if math.isfinite(least) else "no promise", tuple(details))


def _promised(estimate: Estimate) -> str:
    """No end: so many did not recover, or the replications are too few."""
    if math.isfinite(estimate.high):
        return seconds(estimate.high)
    return "not recovered" if not math.isfinite(estimate.value) else "not bounded"


def _holding(found: Attainable) -> Table:
    levels = [f"{level:.0%}".replace("%", " %") for level in LEVELS]
    n = next(iter(found.costs.values())).replications
    return Table(
        title="Attainable",
        headers=(
            "tier",
            "function",
            "strategy",
            *(f"RTO at {level}" for level in levels),
            "objective",
            *(f"RPO at {level}" for level in levels),
            "objective",
        ),
        rows=tuple(
            (
                f"{row.tier}",
                row.function or "(all of the tier)",
                row.strategy,
                *(_held(row.rto_s[level]) for level in LEVELS),
                seconds(row.rto_objective_s),
                *("-" if row.rpo_s is None else _held(row.rpo_s[level]) for level in LEVELS),
                seconds(row.rpo_objective_s) if row.rpo_s is not None else "-",
            )
            for row in found.rows
        ),
        align="lllrrrrrr",
        marks=tuple(_mark(row) for row in found.rows),
        note=f"{replications(n)}. Estimate [what can be promised: the upper end of its 95 % interval; - where so few "
        "replications do not bound it].",
        grouped=True,
    )


def _held(estimate: Estimate) -> str:
    promised = seconds(estimate.high) if math.isfinite(estimate.high) else "-"
    return f"{seconds(estimate.value)} [{promised}]"


def _mark(row: AttainableRow) -> str:
    """Whether the objectives hold at the lower level for certain."""
    if row.rto_objective_s is None:
        return ""
    rto = row.rto_s[LEVELS[0]].high <= row.rto_objective_s
    rpo = row.rpo_s is None or row.rpo_objective_s is None or row.rpo_s[LEVELS[0]].high <= row.rpo_objective_s
    return "pass" if rto and rpo else "fail"


def _costs(found: Attainable) -> Table:
    return Table(
        title="What it costs",
        headers=("strategy", "promoted release takes", "any release takes", "capacity"),
        rows=tuple(
            (
                name,
                "never promoted" if each.promoted_s is None else _mean(each.promoted_s, " s"),
                "-" if each.duration_s is None else _mean(each.duration_s, " s"),
                _mean(each.extra_replica_s, " replica-seconds"),
            )
            for name, each in found.costs.items()
        ),
        align="lrrr",
        note="Means [95 % intervals]. Capacity: above the usual number of replicas.",
    )


def _mean(estimate: Estimate, unit: str) -> str:
    ends = [f"{each:,.1f}" if math.isfinite(each) else "-" for each in (max(0.0, estimate.low), estimate.high)]
    return f"{estimate.value:,.1f}{unit} [{ends[0]}, {ends[1]}]"
