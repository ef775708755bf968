"""Memory: a service's processes get no more than so much above what they have (RLIMIT_AS).

An allocation beyond it fails, which a process may survive or not; it is not killed for it. Not modelled: the OOM
killer; a host that swaps. What else: limits.py.
"""

from __future__ import annotations

from chaos.faults.limits import LimitFault
from scenarios.models import Memory

__all__ = ["MEMORY"]


class MemoryFault(LimitFault):
    """The kind `memory`."""

    kind = "memory"
    resource = "memory"

    def left(self, effect: Memory) -> int:
        """In whole bytes."""
        return round(effect.left_bytes)


MEMORY = MemoryFault()
