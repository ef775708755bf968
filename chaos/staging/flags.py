"""The release's flag of one service: a file in flagd's format, which flagd or the new version's replicas watch.

It holds two flags: the one that the shop asks for each request, and the number of the order that put it in force, by
which a replica's own provider tells whether it has followed. Both are named for the service: flagd has the flags of all
files in one set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.errors import StagingError
from chaos.staging.paths import write_atomically

__all__ = ["SHARE_TOTAL", "FlagFile", "FlagState", "order_of", "released"]

# Steps in which flagd is told shares.
SHARE_TOTAL = 10_000


def released(service: str) -> str:
    """The flag that the service's new version asks for each request."""
    return f"{service}-released"


def order_of(service: str) -> str:
    """The flag whose value is the number of the order in force."""
    return f"{service}-order"


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
        write_atomically(self.path, json.dumps(_document(self._service, state)))
        return state


def _document(service: str, state: FlagState) -> dict[str, Any]:
    part = round(state.share * SHARE_TOTAL)
    drawn = {"fractional": [["on", part], ["off", SHARE_TOTAL - part]]}
    return {
        "metadata": {"order": state.order, "share": state.share, "cohorts": ",".join(state.cohorts)},
        "flags": {
            released(service): {
                "state": "ENABLED",
                "variants": {"on": True, "off": False},
                "defaultVariant": "off",
                "targeting": {"if": [{"in": [{"var": "cohort"}, list(state.cohorts)]}, "on", drawn]},
            },
            order_of(service): {"state": "ENABLED", "variants": {"now": state.order}, "defaultVariant": "now"},
        },
    }
