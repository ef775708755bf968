"""What calendars and people did to the release: held it back, silenced alerts, answered pages, told customers, or late.

Over replications, from measures alone; a row for each thing that happened in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evidence.detection import finite
from evidence.events import Outcome
from evidence.measures import FunctionMeasure
from evidence.statistics import Estimate, quantile_with_interval, share_with_interval

__all__ = ["ProcessRow", "process"]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One thing that happened. `share` is of the replications `of`; p50 and p95 of those in which it has a size.

    Sizes are in `unit`: s, tickets, rows or analyses.
    """

    what: str
    of: str
    share: Estimate
    p50: Estimate | None
    p95: Estimate | None
    unit: str

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def process(measures: Sequence[FunctionMeasure]) -> list[ProcessRow]:
    """What happened to the release, then to each function; empty where nothing did."""
    functions: dict[str, list[FunctionMeasure]] = {}
    for row in measures:
        functions.setdefault(row.function, []).append(row)
    runs = next(iter(functions.values()), [])
    n = len(runs)
    rows = [
        *_outcome("release skipped: calendar closed", runs, Outcome.SKIPPED),
        *_outcome("release still waiting at the end", runs, Outcome.WAITING),
        *_sizes("calendar held the release for", "replications", [run.held_s for run in runs], n),
        *_sizes("sign-offs took", "replications", [run.approval_s for run in runs], n),
        *_sizes(
            "analyses inconclusive", "replications", [_float(run.inconclusive or None) for run in runs], n, "analyses"
        ),
        *_sizes("page acknowledged after", "replications", [run.acknowledged_s for run in runs], n),
        *_sizes("alert suppressed for", "replications", [run.suppressed_s for run in runs], n),
        *_sizes("reconciling took", "replications", [run.reconcile_s for run in runs], n),
        *_sizes("rows reconciled", "replications", [_float(run.reconciled_rows) for run in runs], n, "rows"),
    ]
    for name, own in functions.items():
        impacts = [run for run in own if run.impact_start_s is not None]
        noticed = [run.notified_s for run in impacts]
        rows += _sizes(f"first notice after impact on {name}", "impacts", noticed, len(impacts))
        tickets = [float(run.tickets) if run.tickets else None for run in own]
        rows += _sizes(f"tickets about {name}", "replications", tickets, n, "tickets")
    return rows


def _float(count: int | None) -> float | None:
    return None if count is None else float(count)


def _outcome(what: str, runs: Sequence[FunctionMeasure], outcome: Outcome) -> list[ProcessRow]:
    hits = sum(run.outcome == outcome for run in runs)
    if not hits:
        return []
    return [ProcessRow(what, "replications", share_with_interval(hits, len(runs)), None, None, "s")]


def _sizes(what: str, of: str, values: Sequence[float | None], n: int, unit: str = "s") -> list[ProcessRow]:
    sizes = [value for value in values if value is not None]
    if not sizes:
        return []
    p50, p95 = (quantile_with_interval(sizes, quantile) for quantile in (0.5, 0.95))
    return [ProcessRow(what, of, share_with_interval(len(sizes), n), p50, p95, unit)]
