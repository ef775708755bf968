"""Differences between compared runs, replication by replication: they met the same draws, so most of the noise cancels.

Every figure that a comparison shows has its difference here, for every pair. With several pairs each interval is at
1 - 0.05 / pairs (Bonferroni), so that all statements about one measure hold together at 95 %, the choice of the best
included: with two runs that is the plain 95 % interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.events import Outcome
from evidence.measures import FunctionMeasure
from evidence.plain import finite
from evidence.release_summary import by_replication, change_failed
from evidence.statistics import CONFIDENCE, Estimate, paired_mean_difference, paired_share_difference
from evidence.strata import Chances, Strata, strata_of

__all__ = [
    "CANNOT_TELL",
    "FUNCTION_MEASURES",
    "RELEASE_MEASURES",
    "SAME",
    "Difference",
    "Measured",
    "Pair",
    "differences_of",
    "pairs_of",
    "turned",
]

CANNOT_TELL = "the data cannot tell"
SAME = "the same in every replication"
_TURNED = {"better": "worse", "worse": "better", "higher": "lower", "lower": "higher"}

_RESAMPLES = 2000
_CHUNK = 100
_QUANTILE_VALUES_MIN = 10
"""Values that must be expected beyond a quantile: below, its bootstrap says too little."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of one replication, NaN where it has none; `higher_is_better` None: neither is.

    `kind` is what is compared over replications: the share of ones, the mean, or a quantile.
    """

    name: str
    of: Callable[[Sequence[FunctionMeasure]], float | None]
    kind: str = "mean"
    higher_is_better: bool | None = False
    quantile: float = 0.0


def _one(name: str) -> Callable[[Sequence[FunctionMeasure]], float | None]:
    return lambda rows: getattr(rows[0], name)


def _restricted_rto_s(rows: Sequence[FunctionMeasure]) -> float:
    """A censored RTO at its bound: the horizon of the run restricts all alike."""
    return rows[0].rto_s


def _total(name: str) -> Callable[[Sequence[FunctionMeasure]], float | None]:
    def total(rows: Sequence[FunctionMeasure]) -> float | None:
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        return float(sum(values)) if values else None

    return total


def _lost_writes(rows: Sequence[FunctionMeasure]) -> float | None:
    return sum(row.lost_writes for row in rows) if any(row.acknowledged_writes for row in rows) else None


FUNCTION_MEASURES = (
    Measured("rto_attainment", lambda rows: rows[0].met_rto is True, "share", higher_is_better=True),
    Measured(
        "rpo_attainment",
        lambda rows: (rows[0].met_rpo is True) if rows[0].acknowledged_writes else None,
        "share",
        higher_is_better=True,
    ),
    Measured("rto_s", _restricted_rto_s),
    Measured("rto_p50_s", _restricted_rto_s, "quantile", quantile=0.50),
    Measured("rto_p95_s", _restricted_rto_s, "quantile", quantile=0.95),
    Measured("failed_share", _one("failed_share")),
    Measured("revenue_lost", _one("revenue_lost")),
    Measured("lost_writes", _lost_writes),
)
"""Of one function: a replication is its row."""

RELEASE_MEASURES = (
    Measured("change_failed", change_failed, "share"),
    Measured("rolled_back", lambda rows: rows[0].outcome == Outcome.ROLLED_BACK, "share", higher_is_better=None),
    Measured("rto_missed", lambda rows: any(row.met_rto is False for row in rows), "share"),
    Measured("collapse", lambda rows: any(row.collapsed for row in rows), "share"),
    Measured("failed_share", lambda rows: sum(r.failed for r in rows) / max(1, sum(r.requests for r in rows))),
    Measured("revenue_lost", _total("revenue_lost")),
    Measured("lost_writes", _lost_writes),
    Measured("release_duration_s", _one("release_duration_s"), higher_is_better=None),
    Measured("promoted_s", lambda rows: rows[0].release_duration_s if rows[0].outcome == Outcome.PROMOTED else None),
    Measured("extra_replica_s", _one("extra_replica_s")),
)
"""Of the whole release: a replication is its rows, one a function. A release that is taken back early is shorter for
it, so only the duration of promoted ones is better when it is less."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A run minus another, pair by pair, and what that allows to say: `SAME` where no replication differs."""

    measure: str
    estimate: Estimate
    statement: str


@dataclass(frozen=True, slots=True)
class Pair:
    """All differences ours - theirs of a function, or with function "" of the release."""

    function: str
    ours: str
    theirs: str
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def turned(difference: Difference) -> Difference:
    """Theirs - ours."""
    was = difference.estimate
    estimate = Estimate(-was.value, -was.high, -was.low, was.n)
    statement = _TURNED.get(difference.statement, difference.statement)
    return Difference(difference.measure, estimate, statement)


def pairs_of(
    measures: Mapping[str, Sequence[FunctionMeasure]], chances: Mapping[str, Chances] | None = None
) -> list[Pair]:
    """Every pair of runs, in their order: of each function, then of the release. Replications must be the same.

    `chances` of each run make means more precise where both runs have the same.
    """
    known = chances or {}
    if len(measures) < 2:
        return []
    first = next(iter(measures.values()))
    found: list[Pair] = []
    for function in dict.fromkeys(row.function for row in first):
        mine = {name: [[row] for row in rows if row.function == function] for name, rows in measures.items()}
        found += _pairs(function, mine, FUNCTION_MEASURES, known)
    whole = {name: by_replication(rows) for name, rows in measures.items()}
    return [*found, *_pairs("", whole, RELEASE_MEASURES, known)]


def values_of(
    measured: Measured, rows: Sequence[FunctionMeasure], *, by_function: bool
) -> Iterator[tuple[str, Values]]:
    """Values over the replications that have one, of each function in turn, or with function "" of the release."""
    if not by_function:
        found = _values(measured, by_replication(rows))
        yield "", found[~np.isnan(found)]
        return
    for function in dict.fromkeys(row.function for row in rows):
        found = _values(measured, [[row] for row in rows if row.function == function])
        yield function, found[~np.isnan(found)]


def differences_of(
    measured: Measured, ours: Sequence[FunctionMeasure], theirs: Sequence[FunctionMeasure], *, by_function: bool
) -> Iterator[tuple[str, Values]]:
    """Ours - theirs over the replications of which both have a value, by function as `values_of`."""
    if not by_function:
        yield "", _between(measured, by_replication(ours), by_replication(theirs))
        return
    for function in dict.fromkeys(row.function for row in ours):
        mine, yours = ([[row] for row in rows if row.function == function] for rows in (ours, theirs))
        yield function, _between(measured, mine, yours)


def _between(
    measured: Measured, ours: Sequence[Sequence[FunctionMeasure]], theirs: Sequence[Sequence[FunctionMeasure]]
) -> Values:
    found = _values(measured, ours) - _values(measured, theirs)
    return found[~np.isnan(found)]


def _pairs(
    function: str,
    runs: Mapping[str, Sequence[Sequence[FunctionMeasure]]],
    measured: Sequence[Measured],
    chances: Mapping[str, Chances],
) -> list[Pair]:
    names = list(combinations(runs, 2))
    strata = {(ours, theirs): _strata(runs[ours], chances.get(ours), chances.get(theirs)) for ours, theirs in names}
    confidence = 1.0 - (1.0 - CONFIDENCE) / len(names)
    found: dict[tuple[str, str], list[Difference]] = {pair: [] for pair in names}
    for each in measured:
        values = {name: _values(each, replications) for name, replications in runs.items()}
        resampled = _resampled(each, values) if each.kind == "quantile" else {}
        for ours, theirs in names:
            a, b = values[ours], values[theirs]
            both = ~(np.isnan(a) | np.isnan(b))
            if each.kind == "quantile":
                if ours not in resampled:
                    continue
                estimate = _quantile_difference(each, a, b, resampled[ours] - resampled[theirs], confidence)
            elif not both.any():
                continue
            else:
                # Of those that have a value it is not known how likely each kind is.
                kinds = strata[ours, theirs] if both.all() else None
                estimate = _difference_of(each, a[both], b[both], confidence, kinds)
            statement = SAME if np.array_equal(a, b, equal_nan=True) else _statement(each, estimate)
            found[ours, theirs].append(Difference(each.name, estimate, statement))
    return [Pair(function, *pair, tuple(differences)) for pair, differences in found.items()]


def _values(measured: Measured, replications: Sequence[Sequence[FunctionMeasure]]) -> Values:
    found = [measured.of(rows) for rows in replications]
    return np.array([np.nan if value is None else float(value) for value in found])


def _strata(
    replications: Sequence[Sequence[FunctionMeasure]], ours: Chances | None, theirs: Chances | None
) -> Strata | None:
    """Nothing where the two runs draw different defects: a replication is of two kinds then."""
    return strata_of([rows[0].defects for rows in replications], ours) if ours and ours == theirs else None


def _difference_of(
    measured: Measured, ours: Values, theirs: Values, confidence: float, strata: Strata | None
) -> Estimate:
    if measured.kind == "share":
        return paired_share_difference(ours == 1.0, theirs == 1.0, confidence)
    return paired_mean_difference(ours, theirs, confidence, strata)


def _quantile(values: Values, quantile: float) -> Values:
    return np.asarray(np.quantile(values, quantile, axis=-1, method="inverted_cdf"), dtype=np.float64)


def _resampled(measured: Measured, values: Mapping[str, Values]) -> dict[str, Values]:
    """The quantile of each run in the same resamples of the replications; nothing where they are too few for it.

    Percentile bootstrap (Efron 1979). Its draws are fixed: the same measures give the same intervals.
    """
    n = len(next(iter(values.values())))
    if n * min(measured.quantile, 1.0 - measured.quantile) < _QUANTILE_VALUES_MIN:
        return {}
    rng = np.random.default_rng(0)
    parts: dict[str, list[Values]] = {name: [] for name in values}
    for _ in range(_RESAMPLES // _CHUNK):
        drawn = rng.integers(0, n, (_CHUNK, n))
        for name, each in values.items():
            parts[name].append(_quantile(each[drawn], measured.quantile))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _quantile_difference(
    measured: Measured, ours: Values, theirs: Values, drawn: Values, confidence: float
) -> Estimate:
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    value = float(_quantile(ours, measured.quantile) - _quantile(theirs, measured.quantile))
    return Estimate(value, float(low), float(high), len(ours))


def _statement(measured: Measured, estimate: Estimate) -> str:
    if estimate.low <= 0.0 <= estimate.high:
        return CANNOT_TELL
    higher = estimate.low > 0.0
    if measured.higher_is_better is None:
        return "higher" if higher else "lower"
    return "better" if higher == measured.higher_is_better else "worse"
