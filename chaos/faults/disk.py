"""Disk: files that a service's processes write grow by no more than so much (RLIMIT_FSIZE): to them, the disk is full.

Counted from the largest file that a process has open, so that others may grow up to that. The host's disk is not
filled, and nobody else notices. A write beyond it fails as one too large (EFBIG) where a full disk says ENOSPC. What
else is not modelled: limits.py.
"""

from __future__ import annotations

from chaos.faults.limits import LimitFault
from scenarios.models import Disk

__all__ = ["DISK"]


class DiskFault(LimitFault):
    """The kind `disk`."""

    kind = "disk"
    resource = "disk"

    def left(self, effect: Disk) -> int:
        """In whole bytes."""
        return round(effect.left_bytes)


DISK = DiskFault()
