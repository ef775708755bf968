"""Slow start: replicas that start meanwhile are ready so much later. Those that run go on.

The undo cuts short what a starting replica still has to wait. Confirmed by the setup that replicas start with: its
effect shows with the next one that starts, and one more than the release orders would change what is drilled. Not
modelled: a cold cache or a slow first minute of a replica that is ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.faults.conditions import ConditionFault
from scenarios.models import SlowStart

__all__ = ["SLOW_START"]


class SlowStartFault(ConditionFault):
    """The kind `slow_start`."""

    kind = "slow_start"
    confirmed = "the setup that replicas start with says it back; it shows with the next that starts"

    def keys(self, effect: SlowStart, replicas: int) -> Mapping[str, Any]:
        """The same for every replica."""
        del replicas
        return {"start_add_s": effect.add_s}


SLOW_START = SlowStartFault()
