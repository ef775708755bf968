"""One line of `windtunnel verify`: a value that theory gives, the value observed, and the bounds that it must keep."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["STANDARD_ERRORS", "Agreement", "around", "exactly", "of_batches", "of_share"]

STANDARD_ERRORS = 4.0
"""Half the width of the bounds of an estimate, in its standard errors: outside by chance once in about 2,000 lines."""

_NOISE_MAX = 0.1


@dataclass(frozen=True, slots=True)
class Agreement:
    """`observed` against `theory`, in `unit` ("" for a plain number); it must lie in low..high, both included.

    `basis` says where the bounds come from, `note` what else there is to know.
    """

    case: str
    theory: float
    observed: float
    low: float
    high: float
    basis: str
    unit: str = ""
    note: str = ""

    @property
    def within(self) -> bool:
        """Whether it agrees; never for a value that is not a number."""
        return self.low <= self.observed <= self.high


def around(
    case: str, theory: float, observed: float, error: float, of: str, unit: str = "", note: str = ""
) -> Agreement:
    """Bounds of STANDARD_ERRORS standard errors around theory; `of` says what the standard error is taken from."""
    half = STANDARD_ERRORS * error
    basis = f"{STANDARD_ERRORS:g} standard errors of {of}"
    return Agreement(case, theory, observed, theory - half, theory + half, basis, unit, note)


def of_batches(case: str, theory: float, means: ArrayLike, unit: str = "", note: str = "") -> Agreement:
    """For batch means, float [batches]: waits follow each other, means of long batches hardly do."""
    values = np.asarray(means, np.float64)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    assert error < _NOISE_MAX * abs(theory), f"{case}: a standard error of {error:g} is too large to say anything"
    return around(case, theory, float(values.mean()), error, f"{len(values)} batch means", unit, note)


def of_share(case: str, theory: float, count: int, of: int, note: str = "") -> Agreement:
    """For `count` of `of` independent trials that each have the probability `theory`."""
    return around(case, theory, count / of, math.sqrt(theory * (1 - theory) / of), f"a share of {of:,}", note=note)


def exactly(case: str, theory: float, observed: float, note: str = "") -> Agreement:
    """For what has no error: counts that must be equal."""
    return Agreement(case, theory, observed, theory, theory, "equal, without tolerance", note=note)
