"""Means of a costly simulation from few of its replications, corrected cheap ones in number: a control variate.

Both simulations play the same replications (same defects, people, tools), so the cheap one's answer tells most of the
costly one's. The mean is that of the cheap one over all N replications plus the mean correction over the n that were
played by both: with coefficient b, mean(b x) + sum over strata of W (mean(y) - b mean(x)), the two-phase regression
estimator (Cochran, Sampling Techniques, 3rd edition, 12.6 and 5.10). Strata are the releases with and without a defect:
a correction of bad releases is known from bad releases only. How likely they are is known, so W is their probability
and the mean of the cheap one is taken stratum by stratum too (post-stratification, Cochran 5A.9): that more bad
releases were drawn than there should be is no error then.

Small samples: b is 1 below `REGRESSION_MIN` pairs, which makes the estimate unbiased however few there are (the
difference estimator); from there b is estimated, pooled within strata, and its bias is of order 1/n. The interval is
Student's t on Satterthwaite's degrees of freedom, of which a stratum of n pairs gives n - 1 (one less where b is
estimated). So few pairs make a wide interval, and never a certain one; a stratum with a single pair makes it infinite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evidence.errors import JudgeError
from evidence.measures import FunctionMeasure
from evidence.pairs import CANNOT_TELL, SAME
from evidence.statistics import CONFIDENCE, Estimate

__all__ = [
    "MEASURES",
    "Controlled",
    "ControlledDifference",
    "ControlledRow",
    "controlled",
    "corrected_mean",
    "statement_of",
]

REGRESSION_MIN = 12
"""Pairs from which the coefficient is estimated."""

MEASURES = ("failed_share", "rto_s", "revenue_lost", "release_duration_s")
"""Means that are corrected; a censored RTO counts at its bound. Shares such as attainment need replications."""


@dataclass(frozen=True, slots=True)
class ControlledRow:
    """A measure of a function under one strategy: `cheap` is the fluid mean alone, `estimate` the corrected one."""

    function: str
    strategy: str
    measure: str
    estimate: Estimate
    cheap: float
    coefficient: float


@dataclass(frozen=True, slots=True)
class ControlledDifference:
    """One strategy minus another, replication by replication.

    `estimate` has the 95 % interval of this pair alone. `joint` has that of 1 - 5 % / k, where k pairs are compared, so
    that all statements about one measure hold together at 95 %; the statement says no more than it.
    """

    function: str
    strategy: str
    other: str
    measure: str
    estimate: Estimate
    joint: Estimate
    statement: str


@dataclass(frozen=True, slots=True)
class Controlled:
    """All rows and differences, by function, measure and strategy in the order given; `currency` of revenue lost."""

    scenario: str
    replications: int
    paired: int
    rows: tuple[ControlledRow, ...]
    differences: tuple[ControlledDifference, ...]
    currency: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        return {
            "scenario": self.scenario,
            "fidelity": {"fluid": self.replications, "requests": self.paired},
            "rows": [_finite(asdict(each)) for each in self.rows],
            "differences": [_finite(asdict(each)) for each in self.differences],
        }


def corrected_mean(
    cheap: NDArray[np.float64],
    costly: Mapping[int, float],
    strata: Sequence[int],
    confidence: float = CONFIDENCE,
    shares: Mapping[int, float] | None = None,
) -> tuple[Estimate, float]:
    """The mean of the costly simulation, and the coefficient that was taken.

    `cheap` [N] holds the cheap answers by replication, `costly` some of the costly ones, `strata` [N] a number each.
    `shares` are the probabilities of the strata, None where they are not known: then it is chance how many replications
    are of each. Raises JudgeError when a stratum has no pair.
    """
    stratum, n_all = np.asarray(strata), len(cheap)
    pairs = {int(each): [number for number in costly if stratum[number] == each] for each in np.unique(stratum)}
    for each, numbers in pairs.items():
        if not numbers:
            raise JudgeError(f"stratum {each} of {n_all} replications must have at least 1 pair (got 0)")
    b, of_b = _coefficient(cheap, costly, list(pairs.values()))
    estimated = of_b is not None
    whole = b * cheap.astype(np.float64)
    value = shift = 0.0
    parts: list[tuple[float, float]] = []  # variance, degrees of freedom
    for each, numbers in pairs.items():
        corrections = np.array([costly[number] - b * cheap[number] for number in numbers])
        members = stratum == each
        share = float(members.mean()) if shares is None else shares[each]
        whole[members] += corrections.mean()
        value += share * float(whole[members].mean())
        shift += share * float(cheap[members].mean() - cheap[numbers].mean())
        count, df = len(numbers), len(numbers) - 1 - estimated
        parts.append((share**2 * (float(corrections.var(ddof=1)) if df > 0 else math.inf) / count, max(df, 1)))
        if shares is not None:
            parts.append(_of_mean(whole[members], share))
    if shares is None:
        parts.append(_of_mean(whole, 1.0))
    if of_b is not None:  # the coefficient's own error counts where the pairs are not like all
        parts.append((of_b * shift**2, max(1, len(costly) - len(pairs) - 1)))
    variance = sum(part for part, _ in parts)
    if not math.isfinite(variance):
        return Estimate(value, -math.inf, math.inf, len(costly)), b
    freedom = variance**2 / sum(part**2 / each for part, each in parts) if variance > 0 else 1.0
    half = float(special.stdtrit(freedom, 0.5 + confidence / 2.0)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, len(costly)), b


def _of_mean(values: NDArray[np.float64], factor: float) -> tuple[float, int]:
    """Variance of `factor` times their mean, and its degrees of freedom."""
    count = len(values)
    return factor**2 * float(values.var(ddof=1)) / count if count > 1 else math.inf, max(1, count - 1)


def _coefficient(
    cheap: NDArray[np.float64], costly: Mapping[int, float], strata: Sequence[Sequence[int]]
) -> tuple[float, float | None]:
    """Least squares within strata, and its variance, whatever that of each stratum's answers.

    1 and None for few pairs, or cheap answers that do not vary.
    """
    count, freedom = len(costly), len(costly) - len(strata) - 1
    if count < REGRESSION_MIN:
        return 1.0, None
    x, y = (
        np.concatenate([of[numbers] - of[numbers].mean() for numbers in strata])
        for of in (cheap, np.array([costly.get(number, 0.0) for number in range(len(cheap))]))
    )
    squares = float((x**2).sum())
    if squares <= 0.0:
        return 1.0, None
    b = float((x * y).sum()) / squares
    return b, float((x**2 * (y - b * x) ** 2).sum()) / squares**2 * count / freedom


def controlled(
    scenario: str,
    cheap: Mapping[str, Sequence[FunctionMeasure]],
    costly: Mapping[str, Sequence[FunctionMeasure]],
    bad_share: float,
) -> Controlled:
    """Compare strategies from their cheap measures and some costly ones, of the same replication numbers for each.

    `bad_share` is the probability that a release has a defect.

    Raises JudgeError when the strategies' replications differ, or when releases of a kind (with a defect, without) have
    no pair.
    """
    tables = {name: (_table(cheap[name]), _table(costly[name])) for name in cheap}
    (first_cheap, first_costly), *_ = tables.values()
    for name, (all_rows, some_rows) in tables.items():
        if list(all_rows) != list(first_cheap) or list(some_rows) != list(first_costly):
            raise JudgeError(f"strategy {name} must have the replications of {next(iter(tables))}")
    replications = sorted({number for _, number in first_cheap})
    rows: list[ControlledRow] = []
    differences: list[ControlledDifference] = []
    for function in dict.fromkeys(function for function, _ in first_cheap):
        strata = [int(bool(first_cheap[function, number].defects)) for number in replications]
        known_shares = {kind: share for kind, share in enumerate((1.0 - bad_share, bad_share)) if share > 0.0}
        # Where no release of a kind came up, nothing is known of it, and the others stand for all.
        shares = known_shares if set(known_shares) == set(strata) else None
        for measure in MEASURES:
            values = {name: _values(pair, function, measure) for name, pair in tables.items()}
            if any(value is None for value in values.values()):
                continue
            known = {name: value for name, value in values.items() if value is not None}
            for name, (x, y) in known.items():
                estimate, b = corrected_mean(x, y, strata, shares=shares)
                rows.append(ControlledRow(function, name, measure, estimate, float(x.mean()), b))
            names = list(known)
            confidence = 1.0 - (1.0 - CONFIDENCE) / max(1, len(names) * (len(names) - 1) // 2)
            for place, name in enumerate(names):
                for other in names[place + 1 :]:
                    pair = known[name], known[other]
                    alone, joint = (_difference(*pair, strata, c, shares) for c in (CONFIDENCE, confidence))
                    statement = statement_of(joint)
                    differences.append(ControlledDifference(function, name, other, measure, alone, joint, statement))
    paired = len({number for _, number in first_costly})
    currency = next((row.currency for row in first_cheap.values() if row.currency is not None), None)
    return Controlled(scenario, len(replications), paired, tuple(rows), tuple(differences), currency)


_Table = dict[tuple[str, int], FunctionMeasure]
_Values = tuple[NDArray[np.float64], dict[int, float]]


def _table(rows: Sequence[FunctionMeasure]) -> _Table:
    return {(row.function, row.replication): row for row in sorted(rows, key=lambda row: row.replication)}


def _values(pair: tuple[_Table, _Table], function: str, measure: str) -> _Values | None:
    """Cheap and costly values by replication; None when the measure is unknown in some."""
    cheap, costly = (
        {number: getattr(row, measure) for (name, number), row in table.items() if name == function} for table in pair
    )
    if None in cheap.values() or None in costly.values():
        return None
    return np.array([cheap[number] for number in sorted(cheap)], np.float64), costly


def _difference(
    ours: _Values, theirs: _Values, strata: Sequence[int], confidence: float, shares: Mapping[int, float] | None
) -> Estimate:
    estimate, _ = corrected_mean(
        ours[0] - theirs[0],
        {number: value - theirs[1][number] for number, value in ours[1].items()},
        strata,
        confidence,
        shares,
    )
    return estimate


def statement_of(estimate: Estimate) -> str:
    """Of all these measures, less is better. Without any width nothing differs in any replication."""
    if estimate.low == estimate.high == 0.0:
        return SAME
    if estimate.high < 0.0:
        return "better"
    return "worse" if estimate.low > 0.0 else CANNOT_TELL


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
