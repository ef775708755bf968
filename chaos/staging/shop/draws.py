"""Random draws of one replica: service times and defects, from its own seeded stream."""

from __future__ import annotations

import random
from dataclasses import dataclass

from chaos.staging.config import Defect, ServiceTime


def stream(seed: int, service: str, version: str, replica: int) -> random.Random:
    """The replica's stream. What is drawn when still depends on the order of arrivals: no run replays exactly."""
    return random.Random(f"{seed}/{service}/{version}/{replica}")


def service_time_s(time: ServiceTime, chance: random.Random) -> float:
    """One draw, in seconds."""
    if time.kind == "constant":
        return time.p0
    if time.kind == "exponential":
        return chance.expovariate(1.0 / time.p0) if time.p0 > 0 else 0.0
    if time.kind == "lognormal":
        return chance.lognormvariate(time.p0, time.p1)
    return chance.uniform(time.p0, time.p1)


@dataclass(frozen=True)
class Suffered:
    """What the version's defects do to one request."""

    error: bool
    latency_factor: float
    latency_add_s: float
    lost_write: bool
    wrong_row: bool


def suffer(defects: tuple[Defect, ...], cohort: str, chance: random.Random, *, flag_on: bool = False) -> Suffered:
    """All defects that touch the request's cohort, together: ratios independent, factors multiplied, delays added.

    Those of the release's flag touch it where that is on.
    """
    error = lost = wrong = False
    factor, add_s = 1.0, 0.0
    for defect in defects:
        if defect.cohort not in (None, cohort) or (defect.flag and not flag_on):
            continue
        error = chance.random() < defect.errors_ratio or error
        lost = chance.random() < defect.lost_writes_ratio or lost
        wrong = chance.random() < defect.wrong_rows_ratio or wrong
        factor *= defect.latency_factor
        add_s += defect.latency_add_s
    return Suffered(error, factor, add_s, lost, wrong)
