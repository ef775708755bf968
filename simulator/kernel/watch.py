"""The loop, watched: how many jobs there are at every step of the clock, at hardly any cost.

A call from Python costs several microseconds, as much as a hundred events. So the loop is left and entered again
between two looks in compiled code.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from numba import config, float64, int64, njit, typeof, types
from numpy.typing import NDArray

from simulator.kernel import loop
from simulator.kernel.loop import ExitReason
from simulator.layout import State, empty_state

__all__ = ["Looks", "Reached"]

_UNTIL, _BUDGET, _NEVER = int(ExitReason.UNTIL), int(ExitReason.BUDGET), 2**62
_SIGNATURE = types.UniTuple(int64, 2)(typeof(empty_state()), float64, float64, float64, int64[::1], int64)


class Reached(Exception):
    """There are as many jobs as a watched loop was to go on to. It stands at that look, and can go on."""


class Looks:
    """The jobs in the system at each of the first `looks` multiples of `step_s`, before what happens then.

    Jobs are those waiting, in work, or at work for somebody who no longer waits. From a look that has `enough` of them
    on it goes no further (see Reached).
    """

    def __init__(self, step_s: float, looks: int, enough: float = math.inf) -> None:
        self._step_s, self._enough, self._taken = step_s, enough, 0
        self._jobs = np.zeros(looks, np.int64)

    @property
    def jobs(self) -> NDArray[np.int64]:
        """At each look that has been taken."""
        return self._jobs[: self._taken]

    def run(self, state: State, until_s: float, *, full: bool) -> int:
        """Advance to `until_s`, by the full kernel or the lean one; an ExitReason. Raises Reached."""
        run = _watched(mechanics=full)
        reason, self._taken = run(state, until_s, self._step_s, self._enough, self._jobs, self._taken)
        if reason == _BUDGET:
            raise Reached
        return reason


@functools.cache
def _watched(*, mechanics: bool) -> Callable[[State, float, float, float, NDArray[np.int64], int], tuple[int, int]]:
    """Compiled when it is first asked for; takes and returns the place of the next look."""
    run = loop.kernel(mechanics=mechanics)

    def run_watched(
        s: State, until_s: float, step_s: float, enough: float, jobs: NDArray[np.int64], look: int
    ) -> tuple[int, int]:
        while look < len(jobs) and look * step_s <= until_s:
            reason, _ = run(s, look * step_s, _NEVER)
            if reason != _UNTIL:
                return reason, look
            jobs[look] = len(s.jobs) - s.clock[0]["free_n"]
            look += 1
            if jobs[look - 1] >= enough:
                return _BUDGET, look
        reason, _ = run(s, until_s, _NEVER)
        return reason, look

    return run_watched if config.DISABLE_JIT else njit(_SIGNATURE)(run_watched)
