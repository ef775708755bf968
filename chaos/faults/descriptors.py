"""Descriptors: a service's processes open no more files and connections than so many above those they have.

By RLIMIT_NOFILE: what is open stays open, and a connection more is refused or never taken. Descriptors that are given
back may be used again. What else is not modelled: limits.py.
"""

from __future__ import annotations

from chaos.faults.limits import LimitFault
from scenarios.models import Descriptors

__all__ = ["DESCRIPTORS"]


class DescriptorsFault(LimitFault):
    """The kind `descriptors`."""

    kind = "descriptors"
    resource = "descriptors"

    def left(self, effect: Descriptors) -> int:
        """As many."""
        return effect.left


DESCRIPTORS = DescriptorsFault()
