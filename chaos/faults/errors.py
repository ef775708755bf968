"""What a fault can refuse or fail at.

ChaosError
  FaultError
    FaultRefused        it cannot be applied here: unknown link or version, or one is in force
    already FaultNotConfirmed   it was applied, but is not in force when read back
"""

from __future__ import annotations

from chaos.errors import ChaosError


class FaultError(ChaosError):
    """Base class of everything that chaos.faults raises."""


class FaultRefused(FaultError):
    """The fault cannot be applied to this staging; nothing was changed."""


class FaultNotConfirmed(FaultError):
    """The fault was applied, and is not in force when read back."""
