"""SimPy on the wall clock: the environment that the controller runs on in a drill.

Timeouts wait for real; blocking work runs in a thread and wakes the loop through a queue. SimPy's own
`RealtimeEnvironment` does not fit: it sleeps until the next event whatever finishes meanwhile, and fails when late.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import simpy

__all__ = ["WallClockEnvironment"]

# The loop looks up at least this often, so that a signal's handler gets its turn while nothing else happens.
_LOOK_UP_S = 0.2


class WallClockEnvironment(simpy.Environment):
    """A SimPy environment whose time is the monotonic clock, in seconds since `start_monotonic_s`."""

    def __init__(self, start_monotonic_s: float | None = None) -> None:
        super().__init__()
        self._start_s = time.monotonic() if start_monotonic_s is None else start_monotonic_s
        self._threads: list[threading.Thread] = []
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def wall_s(self) -> float:
        """Seconds since the start by the clock; `now` is the time of the event being processed."""
        return time.monotonic() - self._start_s

    def call_soon(self, call: Callable[[], object]) -> None:
        """Have the loop make a call; safe from any thread and from signal handlers."""
        self._calls.put(call)

    def in_thread(self, work: Callable[..., Any], *args: Any) -> simpy.Event:
        """Run blocking work in a thread; the event fires with its result, or fails with its exception.

        The work must have timeouts of its own: a thread cannot be stopped from outside.
        """
        done = self.event()

        def run() -> None:
            try:
                result = work(*args)
            except Exception as error:  # noqa: BLE001 - handed to the loop, which raises it in whoever waits
                self.call_soon(partial(done.fail, error))
            else:
                self.call_soon(partial(done.succeed, result))

        thread = threading.Thread(target=run, name=getattr(work, "__name__", "work"), daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()
        return done

    def idle(self, within_s: float) -> bool:
        """Whether all blocking work has come to its end, or does within so many seconds."""
        until_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def make_calls_left(self) -> None:
        """Make the calls that came in after the loop had ended; what waits for their events does not go on."""
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            call()

    def step(self) -> None:
        """Process the next event, at its time; until then make the calls that come in from threads."""
        while True:
            wait_s = self.peek() - self.wall_s()
            if wait_s <= 0:
                super().step()
                return
            try:
                call = self._calls.get(timeout=min(wait_s, _LOOK_UP_S))
            except queue.Empty:
                continue
            # `now` still is the time of the last event; the call belongs to this moment.
            moment = self.timeout(max(0.0, self.wall_s() - self.now))
            assert moment.callbacks is not None
            moment.callbacks.append(partial(_make, call))


def _make(call: Callable[[], object], _: simpy.Event) -> None:
    call()
