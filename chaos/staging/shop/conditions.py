"""What faults change about a replica while it runs, and about those that start meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

START_POLL_S = 0.1


@dataclass(frozen=True)
class Conditions:
    """start_add_s: later ready. quota_per_s: above it, 429. The others: in the place of the configuration's."""

    start_add_s: float = 0.0
    quota_per_s: float | None = None
    workers: int | None = None
    call_timeout_s: float | None = None


class QuotaMeter:
    """So many requests a second, with a second's worth in reserve."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._at_s = 0.0

    def lets(self, rate_per_s: float | None) -> bool:
        """Whether one more is within the quota; None: there is none."""
        if rate_per_s is None:
            self._left = None
            return True
        now_s, most = asyncio.get_running_loop().time(), max(1.0, rate_per_s)
        left = most if self._left is None else min(most, self._left + (now_s - self._at_s) * rate_per_s)
        self._at_s = now_s
        self._left = left - 1.0 if left >= 1.0 else left
        return left >= 1.0
