"""How functions recover, as tables: distributions of RTO and RPO, and the parts of the RTO."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evidence.recovery import QUANTILES, Recovery
from evidence.report.table import Table, percent, seconds
from evidence.statistics import Estimate

__all__ = ["recovery_table"]


def recovery_table(found: Sequence[Recovery]) -> Table:
    """Two rows a function: its RTO with its parts, and its RPO where it writes."""
    rows = []
    for each in found:
        parts = tuple("-" if part is None else seconds(part.value) for part in each.parts_s)
        rows.append((each.function, "RTO", _hurt(each.impact), *_quantiles(each.rto_s, each.rto_max_s), *parts))
        if each.rpo_s is not None:
            rows.append(("", "RPO", _lost(each), *_quantiles(each.rpo_s, each.rpo_max_s or 0.0), "", "", "", ""))
    quantiles = tuple(f"p{quantile * 100:g}" for quantile in QUANTILES)
    return Table(
        title="Recovery",
        headers=("function", "of", "hurt", *quantiles, "worst", "detect", "decide", "act", "stabilise"),
        rows=tuple(rows),
        align="lll" + "r" * (len(QUANTILES) + 5),
        note="Hurt: share of replications; of the RPO, the mean of acknowledged writes lost. Quantiles: over all of "
        "them, the unhurt included. Parts: means over those hurt and recovered in which the impact was detected.",
        grouped=True,
    )


def _hurt(share: Estimate) -> str:
    return f"{percent(share.value)} [{share.low * 100:.3g}, {share.high * 100:.3g}]"


def _lost(each: Recovery) -> str:
    if each.lost_writes is None:
        return "-"
    at_least = "at least " if math.isinf(each.rpo_max_s or 0.0) else ""
    return f"{at_least}{each.lost_writes.value:.4g} lost"


def _quantiles(values: Sequence[Estimate], worst: float) -> tuple[str, ...]:
    return tuple(seconds(value) for value in (*(each.value for each in values), worst))
