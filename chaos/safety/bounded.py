"""Every step of an undo has a time limit, also when the library under it has none.

A thread cannot be killed, so a step that hangs is abandoned in a daemon thread and the ladder
goes on to the next rung; the rungs are idempotent, so a late finish of the abandoned one does no
harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from chaos.safety.errors import SafetyError

T = TypeVar("T")

__all__ = ["StepTimeout", "run_bounded"]


class StepTimeout(SafetyError):
    """A step did not end within its time."""


def run_bounded(step: Callable[[], T], timeout_s: float, name: str) -> T:
    """The step's result or its exception; StepTimeout when it takes longer than `timeout_s`."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(step())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise StepTimeout(f"{name} did not end within {timeout_s:g} s")
    if errors:
        raise errors[0]
    return results[0]
