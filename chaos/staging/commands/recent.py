"""One answer of a slow status command serves all who ask at the same time, but never across a change.

Reading back a release asks for what is ordered, ready, routed, one after the other; each would run the command anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaos.staging.commands.answers import ServiceStatus

__all__ = ["RecentStatus"]

# As old as this, an answer is asked for anew.
_AGE_S = 1.0


class RecentStatus:
    """The last answers, by service."""

    def __init__(self, ask: Callable[[str], ServiceStatus]) -> None:
        self._ask = ask
        self._mutex = threading.Lock()
        self._changes = 0
        self._kept: dict[str, tuple[float, int, ServiceStatus]] = {}

    def of(self, service: str) -> ServiceStatus:
        """The service's status, at most a second old and with no change since it was asked for."""
        with self._mutex:
            changes = self._changes
            until_s, at_change, status = self._kept.get(service, (0.0, -1, None))
        if status is not None and at_change == changes and time.monotonic() < until_s:
            return status
        status = self._ask(service)
        with self._mutex:
            self._kept[service] = (time.monotonic() + _AGE_S, changes, status)
        return status

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around whatever changes something: no answer from before it, or from meanwhile, is given after it."""
        self._count()
        try:
            yield
        finally:
            self._count()

    def _count(self) -> None:
        with self._mutex:
            self._changes += 1
