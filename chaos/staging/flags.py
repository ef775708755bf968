"""The release's flag of one service: a file in flagd's format, which the new version's replicas poll.

It holds two flags: the one that the shop asks for each request, and the number of the order that put it in force, by
which a replica's own provider tells whether it has followed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.errors import StagingError
from chaos.staging.paths import write_atomically

__all__ = ["ORDER", "RELEASED", "SHARE_TOTAL", "FlagFile", "FlagState"]

RELEASED = "released"
ORDER = "order"
# Steps in which flagd is told shares.
SHARE_TOTAL = 10_000


@dataclass(frozen=True)
class FlagState:
    """For which requests the flag is on; `order` counts the orders."""

    order: int = 0
    share: float = 0.0
    cohorts: tuple[str, ...] = ()

    @property
    def on(self) -> bool:
        """Whether it is on for any request."""
        return bool(self.share or self.cohorts)


class FlagFile:
    """The flag of one service in a staging's state directory."""

    def __init__(self, folder: Path, service: str) -> None:
        self.path = folder / f"flag-{service}.json"
        self._service = service

    def read(self) -> FlagState:
        """What was ordered last; nothing ever: off."""
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return FlagState()
        state = document["metadata"]
        return FlagState(state["order"], state["share"], tuple(filter(None, state["cohorts"].split(","))))

    def write(self, share: float, cohorts: Sequence[str]) -> FlagState:
        """Order it; returns the new state, which replicas will follow."""
        if not 0.0 <= share <= 1.0:
            raise StagingError(f"flag of {self._service}: share(={share}) must be in 0..1")
        state = FlagState(self.read().order + 1, share, tuple(sorted(cohorts)))
        write_atomically(self.path, json.dumps(_document(state)))
        return state


def _document(state: FlagState) -> dict[str, Any]:
    part = round(state.share * SHARE_TOTAL)
    drawn = {"fractional": [["on", part], ["off", SHARE_TOTAL - part]]}
    return {
        "metadata": {"order": state.order, "share": state.share, "cohorts": ",".join(state.cohorts)},
        "flags": {
            RELEASED: {
                "state": "ENABLED",
                "variants": {"on": True, "off": False},
                "defaultVariant": "off",
                "targeting": {"if": [{"in": [{"var": "cohort"}, list(state.cohorts)]}, "on", drawn]},
            },
            ORDER: {"state": "ENABLED", "variants": {"now": state.order}, "defaultVariant": "now"},
        },
    }
