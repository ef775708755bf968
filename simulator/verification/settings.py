"""What a user sets of a verification."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`seed` of every stream; `repetitions` of the intervals' coverage, ten rounds of random kills to each."""

    seed: int = 1
    repetitions: int = 1000
