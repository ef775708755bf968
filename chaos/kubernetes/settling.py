"""Waiting for a cluster to do what was ordered: controllers work on their own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaos.errors import NotSettled

_POLL_S = 0.2

__all__ = ["condition", "until"]


def until(lacking: Callable[[], str | None], timeout_s: float) -> None:
    """Until nothing is lacking. Raises NotSettled with what still was at the end."""
    deadline_s = time.monotonic() + timeout_s
    while (lack := lacking()) is not None:
        if time.monotonic() >= deadline_s:
            raise NotSettled(f"{lack}; waited {timeout_s:g} s")
        time.sleep(_POLL_S)


def condition(conditions: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The condition of this type; an empty one where there is none."""
    return next((each for each in conditions if each["type"] == kind), {})
