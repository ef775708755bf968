"""A first run compiles kernels, which takes longer than all else that it does: it is told."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

__all__ = ["when_compiling"]

_log = logging.getLogger(__name__)


@contextmanager
def when_compiling(then: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Tell, and call `then`, when something inside is compiled and not loaded from disk: once, before it is."""
    with event.install_listener("numba:compile", _First(then)):
        yield


class _First(event.Listener):
    def __init__(self, then: Callable[[], None]) -> None:
        self._then: Callable[[], None] | None = then

    def on_start(self, _: event.Event) -> None:
        if self._then is not None:
            then, self._then = self._then, None
            _log.info("compiling kernels, which are kept for the next time")
            then()

    def on_end(self, _: event.Event) -> None:
        pass
