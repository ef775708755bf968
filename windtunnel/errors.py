"""What the front door itself refuses, as one tree.

WindtunnelError
└── UsageError      options that contradict each other, or a value that a command cannot use
"""

__all__ = ["UsageError", "WindtunnelError"]


class WindtunnelError(Exception):
    """Base of the front door's own errors."""


class UsageError(WindtunnelError):
    """The command was asked for something that it cannot do; the message says what and why."""
