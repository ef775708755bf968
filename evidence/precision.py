"""Stop when precise enough: what `--until` asks for, and whether the replications played so far reach it.

The precision asked for is half the width of the 95 % interval, absolute. One looks at a growing number of replications,
each time a fifth more, and stops at the first look that is precise enough. That the number of replications depends on
the data could spoil the interval: a run that happens to vary little stops too early (Chow and Robbins, "On the
asymptotic theory of fixed-width sequential confidence intervals for the mean", Annals of Mathematical Statistics 36,
1965, show that the loss vanishes as the width goes to 0; Frey, "Fixed-width sequential confidence intervals for a
proportion", The American Statistician 64, 2010, how much it is for shares). Three things hold it here, and
tests/model/test_precision_coverage.py shows that they do: no look before 200 replications; Clopper and Pearson's
interval for shares, which is never of no width; and no mean before every defect that is drawn has been met ten times,
releases that have any of them forty times, and so many have been taken back that each risk of the rollback was met ten
times among them (what 2 % of the rollbacks make thirty times as bad was held in 60 % before). Their variance is
deceptively small before, and the less of the harm they happened to show, the sooner one would stop. Tried on releases
of which 2 to 10 % lose a lognormal amount (400 repetitions, standard error 1.1 points): after ten bad ones intervals
cover in 89 to 96 %, after twenty in 91 to 97 %, after forty in 94 to 97 %, where a fixed n has 95 to 98 %. Which of
them look even must not decide it: one that waits until their skewness is small stops where the worst was not met, and
covers in 90 %. Where kinds of releases are not known, and of those without a defect, the skewness is all that tells
that a few values make the mean; n must be 50 times the square of what it is for single values (Cochran, Sampling
Techniques, 2.15, asks for 25 where n is fixed).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evidence.errors import JudgeError
from evidence.measures import FunctionMeasure
from evidence.pairs import FUNCTION_MEASURES, RELEASE_MEASURES, Measured, differences_of, values_of
from evidence.release_summary import taken_back
from evidence.statistics import (
    Estimate,
    mean_with_interval,
    quantile_with_interval,
    share_with_interval,
    skewness_of_mean,
)
from evidence.strata import Chances, Strata, strata_of

__all__ = ["DEFECT_MET", "FEWEST", "Precision", "looks", "precision_of", "seldom_risked"]

FEWEST = 200
"""Replications before the first look."""
GROWTH = 1.2
DEFECT_MET = 10
"""Replications with a defect, or a risk of the rollback, that is drawn, below which no mean is trusted."""
BAD_MET = 40
"""The same of those with any of them."""
SKEWNESS_WEIGHT = 50

_PATTERN = re.compile(
    r"(?P<difference>difference\s+(in\s+)?)?(?P<measure>[a-z0-9_]+)(\s+of\s+(?P<function>[a-z0-9-]+))?"
    r"\s*(\+-|\+/-|±)\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>%|ms|s|m|h|[A-Z]{3})?"
)
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHARES = ("rto_attainment", "rpo_attainment", "failed_share", "change_failed", "rolled_back", "rto_missed", "collapse")


def _named() -> dict[str, tuple[Measured, bool]]:
    """Measures by the name that the user gives, and whether they are of a function. Seconds need no suffix."""
    release = {each.name.removesuffix("_s"): (each, False) for each in RELEASE_MEASURES}
    return release | {each.name.removesuffix("_s"): (each, True) for each in FUNCTION_MEASURES}


@dataclass(frozen=True, slots=True)
class Precision:
    """Half the width of the interval of a measure, of one function or (None) of all that have it."""

    text: str
    measured: Measured
    of_function: bool
    function: str | None
    half_width: float
    unit: str
    difference: bool

    def reached(
        self,
        runs: Mapping[str, Sequence[FunctionMeasure]],
        chances: Mapping[str, Chances] | None = None,
        risks: Mapping[str, Chances] | None = None,
    ) -> bool:
        """Whether every run (of a difference: every pair) is so precise.

        `chances` are those of the defects that each draws, `risks` those of what may be wrong with its rollback.
        """
        known = chances or {}
        return self._trusted(runs, known, risks or {}) and self._narrow(self._widest(runs, known))

    def told(
        self,
        runs: Mapping[str, Sequence[FunctionMeasure]],
        chances: Mapping[str, Chances] | None = None,
        risks: Mapping[str, Chances] | None = None,
    ) -> str:
        """What was asked for, whether it was reached, and how wide half of the widest interval is."""
        known = chances or {}
        widest = self._widest(runs, known)
        if widest is None:
            return f"{self.text}: not reached, no run has data of it"
        trusted = self._trusted(runs, known, risks or {})
        how = "reached" if trusted and self._narrow(widest) else "not reached"
        width = f"+-{self._shown(widest)}" if math.isfinite(widest) else "too few replications bound it"
        few = " by values too few or too skewed to trust it" if not trusted and self._narrow(widest) else ""
        return f"{self.text}: {how}, {width}{few}"

    def _narrow(self, widest: float | None) -> bool:
        return widest is not None and widest <= self.half_width + 1e-12

    def _widest(self, runs: Mapping[str, Sequence[FunctionMeasure]], known: Mapping[str, Chances]) -> float | None:
        return max(self.half_widths(runs, known), default=None)

    def _trusted(
        self,
        runs: Mapping[str, Sequence[FunctionMeasure]],
        known: Mapping[str, Chances],
        risks: Mapping[str, Chances],
    ) -> bool:
        """Whether enough was met for an interval of this kind to be believed, however wide it is."""
        if self.measured.kind != "mean":
            return True
        if not all(_met(rows, known.get(name, {})) for name, rows in runs.items()):
            return False
        if any(seldom_risked(rows, risks.get(name, {})) for name, rows in runs.items()):
            return False
        return all(SKEWNESS_WEIGHT * skewness_of_mean(*each) ** 2 <= 1.0 for each in self._means(runs, known))

    def _shown(self, width: float) -> str:
        """As a percentage, time, amount or number, three digits rounded up: a miss must not look like a hit."""
        unit = "ms" if self.unit in _SECONDS and width < 1.0 else "s" if self.unit in _SECONDS else self.unit
        value = 100.0 * width if unit == "%" else width / _SECONDS.get(unit, 1.0)
        if value > 999.0:
            return f"{math.ceil(value):,}{unit}"
        digit = 10.0 ** (math.floor(math.log10(value)) - 2) if value > 0.0 else 1.0
        return f"{math.ceil(value / digit - 1e-9) * digit:.3g}{unit}"

    def half_widths(
        self, runs: Mapping[str, Sequence[FunctionMeasure]], chances: Mapping[str, Chances]
    ) -> Iterator[float]:
        """What has been reached, for every run or pair and function; nothing for those without data."""
        if self.difference:
            from evidence.pairs import pairs_of

            for pair in pairs_of(runs, chances):
                if self._concerns(pair.function):
                    found = [each for each in pair.differences if each.measure == self.measured.name]
                    yield from (_half(each.estimate) for each in found)
                    if not found and self.measured.kind == "quantile":
                        yield math.inf  # not yet: it needs more replications, where another measure has no data at all
            return
        for name, rows in runs.items():
            for function, estimate in self._estimates(rows, chances.get(name, {})):
                if self._concerns(function):
                    yield _half(estimate)

    def _means(
        self, runs: Mapping[str, Sequence[FunctionMeasure]], chances: Mapping[str, Chances]
    ) -> Iterator[tuple[NDArray[np.float64], Strata | None]]:
        """The values whose means are told, and their kinds: of every run or pair, and function."""
        if self.difference:
            for ours, theirs in combinations(runs, 2):
                known = chances.get(ours, {}) if chances.get(ours) == chances.get(theirs) else {}
                found = differences_of(self.measured, runs[ours], runs[theirs], by_function=self.of_function)
                yield from self._with_kinds(found, runs[ours], known)
            return
        for name, rows in runs.items():
            found = values_of(self.measured, rows, by_function=self.of_function)
            yield from self._with_kinds(found, rows, chances.get(name, {}))

    def _with_kinds(
        self, found: Iterator[tuple[str, NDArray[np.float64]]], rows: Sequence[FunctionMeasure], chances: Chances
    ) -> Iterator[tuple[NDArray[np.float64], Strata | None]]:
        drawn = _drawn(rows)
        for function, values in found:
            if len(values) and self._concerns(function):
                yield values, strata_of(drawn, chances) if len(values) == len(drawn) else None

    def _concerns(self, function: str) -> bool:
        if not self.of_function:
            return not function
        return bool(function) if self.function is None else function == self.function

    def _estimates(self, rows: Sequence[FunctionMeasure], chances: Chances) -> Iterator[tuple[str, Estimate]]:
        drawn = _drawn(rows)
        for function, values in values_of(self.measured, rows, by_function=self.of_function):
            if not len(values):
                continue
            if self.measured.kind == "share":
                yield function, share_with_interval(int(values.sum()), len(values))
            elif self.measured.kind == "quantile":
                censored = {row.replication for row in rows if row.function == function and row.rto_censored}
                known = [math.inf if place in censored else value for place, value in enumerate(values)]
                yield function, quantile_with_interval(known, self.measured.quantile)
            else:
                strata = strata_of(drawn, chances) if len(values) == len(drawn) else None
                yield function, mean_with_interval(values, strata=strata)


def _half(estimate: Estimate) -> float:
    if not math.isfinite(estimate.low) or not math.isfinite(estimate.high):
        return math.inf
    return (estimate.high - estimate.low) / 2.0


def _drawn(rows: Sequence[FunctionMeasure]) -> list[tuple[str, ...]]:
    """The defects of each replication."""
    return list({row.replication: row.defects for row in rows}.values())


def _met(rows: Sequence[FunctionMeasure], defects: Collection[str]) -> bool:
    drawn = _drawn(rows)
    often = all(sum(defect in each for each in drawn) >= DEFECT_MET for defect in defects)
    return often and (not defects or sum(any(name in defects for name in each) for each in drawn) >= BAD_MET)


def seldom_risked(rows: Sequence[FunctionMeasure], risks: Chances) -> list[str]:
    """Risks of the rollback that fewer than ten releases are expected to have met; none where none was taken back."""
    back = len({row.replication for row in rows if taken_back(row)})
    return [name for name, chance in risks.items() if 0.0 < chance * back < DEFECT_MET]


def looks(fewest: int, most: int) -> Iterator[int]:
    """Numbers of replications after which to look, the last is `most`."""
    n = fewest
    while n < most:
        yield n
        n = math.ceil(n * GROWTH)
    yield most


def precision_of(text: str, functions: Sequence[str], currency: str | None = None) -> Precision:
    """`[difference] MEASURE [of FUNCTION] +-WIDTH`; raises JudgeError for anything else.

    `currency` is that of the functions' revenue; without one no revenue can be lost.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise JudgeError(f"until(={text}) must be MEASURE [of FUNCTION] +-WIDTH, such as 'rto_attainment +-1%'")
    named = _named()
    name = match["measure"].removesuffix("_s")  # as the record's columns are called
    if name not in named:
        raise JudgeError(f"until(={text}): measure {match['measure']} must be one of {', '.join(named)}")
    measured, of_function = named[name]
    if match["function"] is not None and match["function"] not in functions:
        raise JudgeError(f"until(={text}): function {match['function']} must be one of {', '.join(functions)}")
    if match["function"] is not None and not of_function:
        raise JudgeError(f"until(={text}): {match['measure']} is of the whole release, and must have no function")
    width = _width(text, measured, float(match["number"]), match["unit"])
    if measured.name == "revenue_lost" and match["unit"] != currency:
        rule = "no function has a revenue" if currency is None else f"the width must be in {currency}"
        raise JudgeError(f"until(={text}): {rule}")
    unit = match["unit"] or ""
    unit = f" {unit}" if unit.isupper() else unit
    difference = match["difference"] is not None
    return Precision(text.strip(), measured, of_function, match["function"], width, unit, difference)


def _width(text: str, measured: Measured, number: float, unit: str | None) -> float:
    if measured.name in _SHARES:
        wanted, width = "a percentage, such as 1%", number / 100.0 if unit == "%" else None
    elif measured.name == "revenue_lost":
        wanted, width = "an amount of money, such as 100 EUR", number if unit and unit.isupper() else None
    elif measured.name == "lost_writes":
        wanted, width = "a number of writes, such as 5", number if unit is None else None
    elif measured.name == "extra_replica_s":
        wanted, width = "replica-seconds, such as 10s", number * _SECONDS[unit] if unit in _SECONDS else None
    else:
        wanted, width = "a time, such as 2s", number * _SECONDS[unit] if unit in _SECONDS else None
    if width is None or width <= 0:
        raise JudgeError(f"until(={text}): the width must be above 0, and {wanted}")
    return width
