"""The gate again and again while a drill runs: a name that moves elsewhere ends the drill.

A target that does not answer proves nothing, since the drill's own faults may cut it off; what ends the drill is a
target that answers as something else, resolves elsewhere, or no longer passes any other rule of the gate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from chaos.safety.errors import DrillStopped, MarkerUnreachable, TargetRefused

EVERY_S = 2.0
# Beyond what one look can take: two addresses, a few seconds each.
_JOIN_S = 10.0

__all__ = ["EVERY_S", "Recheck"]


class Recheck:
    """Looks every `every_s` seconds in a thread of its own, between entering and leaving.

    `look` is the gate itself and raises TargetRefused.
    """

    def __init__(self, look: Callable[[], object], every_s: float = EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._ended = threading.Event()
        self._refusal: str | None = None
        self._thread = threading.Thread(target=self._run, name="preflight", daemon=True)

    def require(self) -> None:
        """Raise DrillStopped once the target may no longer be touched."""
        if self._refusal is not None:
            raise DrillStopped("target-refused", f"the target no longer passes the gate: {self._refusal}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while self._refusal is None and not self._ended.wait(self._every_s):
            try:
                self._look()
            except MarkerUnreachable:
                continue
            except TargetRefused as refusal:
                self._refusal = str(refusal)
            except Exception as error:  # noqa: BLE001 - a gate that cannot be asked is shut
                self._refusal = f"the gate failed: {type(error).__name__}: {error}"
