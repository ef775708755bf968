"""An order, as it is stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """One row."""

    id: str
    function: str
    cohort: str
    amount: float
    version: str
