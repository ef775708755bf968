"""What can go wrong with load.

ChaosError
└── LoadError          anything about load
    ├── PlanRefused    the plan breaks a bound or is malformed; nothing was started
    ├── TargetRefused  the target is not plain HTTP on loopback; nothing was sent
    ├── RawUnreadable  the file of raw samples is not one, or is damaged before its end
    └── LoadFailed     the child did not start, died, or did not end in time
"""

from chaos.errors import ChaosError

__all__ = ["LoadError", "LoadFailed", "PlanRefused", "RawUnreadable", "TargetRefused"]


class LoadError(ChaosError):
    """Base of everything that load raises."""


class PlanRefused(LoadError):
    """The plan breaks a bound or is malformed; nothing was started."""


class TargetRefused(LoadError):
    """The target is not plain HTTP on a loopback address; nothing was sent."""


class RawUnreadable(LoadError):
    """A file of raw samples is of another kind, or damaged before its end."""


class LoadFailed(LoadError):
    """The load child did not start, died, or did not end in time."""
