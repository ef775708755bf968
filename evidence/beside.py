"""Prediction beside measurement: what the simulator said, what the drill showed, and whether it fits.

A drill has its defects switched on or off; a simulation draws them. So the prediction is taken from the
replications with exactly the drill's defects. It is the median and the 90 % range, p5 to p95.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from evidence.errors import JudgeError
from evidence.events import EventKind
from evidence.header import World
from evidence.measures import FunctionMeasure
from evidence.record import RunRecord

__all__ = ["Beside", "BesideRow", "beside_of_measures", "is_inside", "predicted_beside_measured", "quantile"]

_NUMBERS = (
    ("RTO", "rto_s", "s"),
    ("  detect", "detect_s", "s"),
    ("  decide", "decide_s", "s"),
    ("  act", "act_s", "s"),
    ("  stabilise", "stabilise_s", "s"),
    ("RPO", "rpo_s", "s"),
    ("failed share", "failed_share", "%"),
    ("revenue lost", "revenue_lost", ""),
)
_WRITES = ("writes missing", "lost_writes", "writes")
_RELEASE = (
    ("guardrail trips after", "trip_after_s", "s"),
    ("rollback takes", "rollback_duration_s", "s"),
    ("release ends after", "release_duration_s", "s"),
    ("reconciling takes", "reconcile_s", "s"),
    ("rows reconciled", "reconciled_rows", "rows"),
)
_LIKELY = 0.05


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One line: predicted median [p5, p95] over n replications, measured, and whether it lies inside.

    unit is "s", "%" (values are ratios), a currency, what is counted, or "names": then the texts hold names and the
    numbers are null. inside is null where one side has no value.
    """

    function: str
    measure: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    n: int
    measured: float | None
    measured_censored: bool
    predicted_text: str
    measured_text: str
    inside: bool | None


@dataclass(frozen=True, slots=True)
class Beside:
    """All lines, and which replications the prediction rests on."""

    scenario: str
    strategy: str
    defects: tuple[str, ...]
    replications: int
    of_replications: int
    same_scenario: bool
    resolution_s: float
    rows: tuple[BesideRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; infinite numbers as null."""
        found = asdict(self)
        for row in found["rows"]:
            row["measure"] = row["measure"].strip()
            for key in ("predicted", "low", "high", "measured"):
                if row[key] is not None and not math.isfinite(row[key]):
                    row[key] = None
        return found


def predicted_beside_measured(simulation: RunRecord, drill: RunRecord) -> Beside:
    """Prediction and measurement of one scenario and strategy.

    Raises JudgeError when the records are not a simulation and a drill of the same scenario and strategy,
    when the drill's release never started, or when no replication has the drill's defects.
    """
    ours, theirs = simulation.header, drill.header
    if ours.world is not World.SIMULATION or theirs.world is not World.STAGING:
        raise JudgeError(
            f"records must be a simulation and a staging run, are {ours.world.value} and {theirs.world.value}"
        )
    for what, a, b in (
        ("scenario", ours.scenario.name, theirs.scenario.name),
        ("strategy", ours.strategy, theirs.strategy),
    ):
        if a != b:
            raise JudgeError(f"{what} of the simulation is {a!r}, of the drill {b!r}: must be the same")
    if not any(event.kind == EventKind.RELEASE_START for event in drill.events()):
        raise JudgeError("the drill's release never started, so nothing was measured: its own report says why")
    return beside_of_measures(
        simulation.measures(),
        drill.measures(),
        scenario=ours.scenario.name,
        strategy=ours.strategy,
        same_scenario=ours.scenario.digest == theirs.scenario.digest,
        resolution_s=theirs.resolution_s,
    )


def beside_of_measures(
    predicted: Sequence[FunctionMeasure],
    measured: Sequence[FunctionMeasure],
    *,
    scenario: str,
    strategy: str,
    same_scenario: bool = True,
    resolution_s: float = 0.0,
) -> Beside:
    """The same from measures; `measured` holds one row a function."""
    if not measured:
        raise JudgeError("the drill has no measures: it must be assessed first")
    defects = measured[0].defects
    alike = [row for row in predicted if set(row.defects) == set(defects)]
    if not alike:
        shown = ", ".join(defects) or "no defect"
        raise JudgeError(f"no replication of the simulation has the drill's defects ({shown})")
    rows: list[BesideRow] = []
    for actual in measured:
        mine = [row for row in alike if row.function == actual.function]
        rows += [_number(mine, actual, *names, resolution_s) for names in _NUMBERS if _applies(names[1], mine, actual)]
        if any(row.lost_writes for row in (*mine, actual)):
            rows.append(_number(mine, actual, *_WRITES, resolution_s))
        rows.append(_names("cohorts hit", actual.function, [r.cohorts_hit for r in mine], actual.cohorts_hit))
    rows += _release(alike, measured, resolution_s)
    rows += _blast_radius(alike, measured)
    return Beside(
        scenario=scenario,
        strategy=strategy,
        defects=defects,
        replications=len({row.replication for row in alike}),
        of_replications=len({row.replication for row in predicted}),
        same_scenario=same_scenario,
        resolution_s=resolution_s,
        rows=tuple(rows),
    )


def _applies(name: str, predicted: Sequence[FunctionMeasure], measured: FunctionMeasure) -> bool:
    """Whether either side has a value; a function that writes nothing has no RPO to show."""
    return any(getattr(row, name) is not None for row in (*predicted, measured))


def _number(
    predicted: Sequence[FunctionMeasure],
    measured: FunctionMeasure,
    label: str,
    name: str,
    unit: str,
    resolution_s: float,
) -> BesideRow:
    censored = name == "rto_s" and measured.rto_censored
    values = [
        math.inf if name == "rto_s" and row.rto_censored else getattr(row, name)
        for row in predicted
        if getattr(row, name) is not None
    ]
    low, middle, high = (quantile(values, q) for q in (0.05, 0.50, 0.95))
    actual = getattr(measured, name)
    return BesideRow(
        function=measured.function,
        measure=label,
        unit=(measured.currency or "") if name == "revenue_lost" else unit,
        predicted=middle,
        low=low,
        high=high,
        n=len(values),
        measured=actual,
        measured_censored=censored,
        predicted_text="",
        measured_text="",
        inside=is_inside(low, high, actual, censored=censored, slack=resolution_s if unit == "s" else 0.0),
    )


def quantile(values: Sequence[float], q: float) -> float | None:
    """The value that a share q of them does not exceed; infinite ones may be among them. None without values."""
    if not values:
        return None
    return float(np.quantile(np.asarray(values, dtype=np.float64), q, method="inverted_cdf"))


def is_inside(
    low: float | None, high: float | None, actual: float | None, *, censored: bool, slack: float
) -> bool | None:
    """Within p5 to p95, a resolution of slack for what is measured on a grid; for "> X", whether it can be."""
    if low is None or high is None or actual is None:
        return None
    above = censored or actual >= low - slack
    return above and actual <= high + slack


def _release(
    predicted: Sequence[FunctionMeasure], measured: Sequence[FunctionMeasure], resolution_s: float
) -> list[BesideRow]:
    """Times of the release itself: the same in every function's row, so one function stands for all."""
    actual = measured[0]
    mine = [row for row in predicted if row.function == actual.function]
    rows = [_number(mine, actual, *names, resolution_s) for names in _RELEASE if _applies(names[1], mine, actual)]
    return [replace(row, function="") for row in rows]


def _blast_radius(predicted: Sequence[FunctionMeasure], measured: Sequence[FunctionMeasure]) -> list[BesideRow]:
    numbers = sorted({row.replication for row in predicted})
    breached: dict[int, set[str]] = {number: set() for number in numbers}
    unhealthy: dict[int, set[str]] = {number: set() for number in numbers}
    for row in predicted:
        if row.episodes:
            breached[row.replication].add(row.function)
        unhealthy[row.replication].update(row.services_unhealthy or ())
    hit = {row.function for row in measured if row.episodes}
    rows = [_names("functions breached", "", list(breached.values()), hit)]
    if all(row.services_unhealthy is not None for row in (*predicted, *measured)):
        sick = {name for row in measured for name in row.services_unhealthy or ()}
        rows.append(_names("services unhealthy", "", list(unhealthy.values()), sick))
    return rows


def _names(
    measure: str, function: str, predicted: Sequence[set[str] | tuple[str, ...]], measured: set[str] | tuple[str, ...]
) -> BesideRow:
    """Inside: whatever was hit was hit in 5 % of the replications, whatever nearly all of them hit was hit."""
    n = len(predicted)
    every = sorted(set().union(*predicted))
    shares = {name: sum(name in each for each in predicted) / n for name in every}
    likely = all(shares.get(name, 0.0) >= _LIKELY for name in measured)
    complete = all(name in measured for name, share in shares.items() if share > 1.0 - _LIKELY)
    return BesideRow(
        function=function,
        measure=measure,
        unit="names",
        predicted=None,
        low=None,
        high=None,
        n=n,
        measured=None,
        measured_censored=False,
        predicted_text=", ".join(f"{name} ({share * 100:.0f} %)" for name, share in shares.items()) or "none",
        measured_text=", ".join(sorted(measured)) or "none",
        inside=likely and complete,
    )
