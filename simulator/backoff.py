"""How long a container waits before it is started again.

As the kubelet does it: the first restart is immediate, then 10 s, doubling up to 5 min; after 10 minutes without a
crash the count starts anew (Kubernetes documentation, Pod lifecycle: How Pods handle problems with containers).
"""

from __future__ import annotations

__all__ = ["RestartBackoff"]

_FIRST_S = 10.0
_MAX_S = 300.0
_FORGOTTEN_AFTER_S = 2 * _MAX_S


class RestartBackoff:
    """The waits of one replica."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def next_s(self, ran_s: float) -> float:
        """The wait before the next start of a replica that has died after running for `ran_s`."""
        if ran_s >= _FORGOTTEN_AFTER_S:
            self._next_s = 0.0
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, _MAX_S) if wait_s else _FIRST_S
        return wait_s
