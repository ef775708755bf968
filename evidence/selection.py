"""Which few replications of a large run keep their whole timeline: the best, the median and the worst."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.measures import FunctionMeasure

__all__ = ["kept_replications"]


def kept_replications(measures: Sequence[FunctionMeasure]) -> tuple[int, ...]:
    """Replication numbers, ascending and distinct, ranked by the longest RTO over functions, then by failures.

    A censored RTO ranks above every other of its length or shorter. Empty without measures.
    """
    badness: dict[int, tuple[float, bool, int]] = {}
    for row in measures:
        rto_s, censored, failed = badness.get(row.replication, (0.0, False, 0))
        badness[row.replication] = (
            max(rto_s, row.rto_s),
            censored or row.rto_censored,
            failed + row.failed,
        )
    ranked = sorted(badness, key=lambda number: (badness[number], number))
    if not ranked:
        return ()
    return tuple(sorted({ranked[0], ranked[len(ranked) // 2], ranked[-1]}))
