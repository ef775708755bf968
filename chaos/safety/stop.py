"""Stop conditions: when one fires, the drill ends in order and everything is undone.

Signals are converted here and nowhere else: SIGINT, SIGTERM and the SIGHUP of a closed terminal set a flag that the
drill polls. An exception raised from a handler could land between an undo written and its fault applied.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from chaos.safety.errors import DrillStopped, NoDrill, SafetyError
from chaos.safety.locks import DRILL_LOCK, held
from chaos.staging.paths import write_atomically

ABORT_FILE = "abort"

__all__ = ["ABORT_FILE", "Abort", "StopConditions", "abort_asked", "abort_on_signals", "ask_to_abort"]


class Abort:
    """Set once, by a signal or by code; the first reason stays."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason = ""

    def set(self, reason: str) -> None:
        """Ask for an orderly stop."""
        if not self._event.is_set():
            self._reason = reason
            self._event.set()

    @property
    def reason(self) -> str | None:
        """Why to stop, or None."""
        return self._reason if self._event.is_set() else None

    def wait(self, timeout_s: float) -> bool:
        """Sleep at most `timeout_s`; True as soon as a stop is asked for."""
        return self._event.wait(timeout_s)


def ask_to_abort(state_dir: Path, reason: str) -> None:
    """Have the drill on the staging in `state_dir` end in order.

    Raises NoDrill when none runs there, SafetyError when it is not ours to end.
    """
    try:
        if not held(state_dir, DRILL_LOCK):
            raise NoDrill(f"staging {state_dir}: no drill runs here that could be aborted")
        # Readable by the drill's user, who may be another than whoever ends it.
        write_atomically(state_dir / ABORT_FILE, f"{reason}\n", mode=0o644)
    except OSError as error:
        raise SafetyError(f"staging {state_dir}: its drill cannot be aborted: {error.strerror}") from error


def abort_asked(abort_file: Path) -> str | None:
    """The reason in an abort file, None without one. One that cannot be read asks as well."""
    try:
        return abort_file.read_text(encoding="utf-8", errors="replace").strip() or "no reason was given"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"the reason cannot be read: {error.strerror}"


@contextmanager
def abort_on_signals(abort: Abort) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP (unless it is ignored, as by nohup) into `abort` while inside.

    For the main thread only.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        abort.set(signal.Signals(number).name)

    stopping = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        stopping.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in stopping}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class StopConditions:
    """What ends a drill early. Times in seconds since the run's start.

    `watchdog_lost` says why the watchdog is no longer there, or None; `down_allowed_s` is the
    longest that any business function may be down in one go; `failures_allowed` maps functions to how
    many of their requests may fail; `lever` gives the reason of a safety lever that is on.
    """

    deadline_s: float
    down_allowed_s: float
    abort_file: Path
    watchdog_lost: Callable[[], str | None]
    lever: Callable[[], str | None] = lambda: None
    failures_allowed: Mapping[str, float] = field(default_factory=dict)
    abort: Abort = field(default_factory=Abort)

    def check(self, now_s: float, down_for_s: Mapping[str, float], failed: Mapping[str, int]) -> None:
        """Raise DrillStopped for the first condition that holds.

        `down_for_s` maps each business function to how long it has been down until now (0 when up), `failed` to
        how many of its requests have failed.
        """
        self._check_people()
        lost = self.watchdog_lost()
        if lost is not None:
            raise DrillStopped("watchdog-lost", f"the watchdog is lost ({lost}); no fault may stand without it")
        for function, down_s in down_for_s.items():
            if down_s > self.down_allowed_s:
                raise DrillStopped(
                    "down-too-long",
                    f"{function} has been down for {down_s:.1f} s > {self.down_allowed_s:g} s allowed",
                )
        for function, allowed in self.failures_allowed.items():
            if failed.get(function, 0) > allowed:
                raise DrillStopped(
                    "error-budget",
                    f"{function} has {failed[function]} failed requests > {allowed:g} of its error budget",
                )
        if now_s > self.deadline_s:
            raise DrillStopped("deadline", f"{now_s:.1f} s > {self.deadline_s:g} s, the drill's deadline")

    def _check_people(self) -> None:
        """Whether somebody asks for an end: by a key, a signal, `windtunnel abort` or the lever."""
        if self.abort.reason is not None:
            raise DrillStopped("abort", f"stop asked for: {self.abort.reason}")
        asked = abort_asked(self.abort_file)
        if asked is not None:
            raise DrillStopped("abort", f"stop asked for: {asked} (the file {self.abort_file})")
        pulled = self.lever()
        if pulled is not None:
            raise DrillStopped("lever", f"the safety lever is on: {pulled}")
