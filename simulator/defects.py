"""When the defects of a new version show: from its first request on, later, growing, or under load only.

The data plane knows defects as shares and factors that hold now; this switches them as time goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

import simpy

from scenarios.models import Defect
from simulator.environment import SimulationEnvironment
from simulator.kernel import plane as kernel

__all__ = ["DefectSwitch", "at_strength"]

# A ramp rises in so many steps, each at the middle of the rise that it stands for.
_RAMP_STEPS = 100
# The offered rate is looked at so often, over so many of these spans.
_RATE_EVERY_S = 1.0
_RATE_SPANS = 5


def at_strength(defect: Defect, strength: float, cohort: int) -> kernel.Defect:
    """The defect as the data plane knows it, at a share of its full strength."""
    return kernel.Defect(
        error_ratio=defect.errors * strength,
        latency_factor=1.0 + (defect.latency.factor - 1.0) * strength,
        latency_add_s=defect.latency.add_s * strength,
        lost_write_ratio=defect.lost_writes * strength,
        cohort=cohort,
    )


class DefectSwitch:
    """The strengths, 0 to 1, of a version's defects. Those that are not timed have their full strength from the start.

    `offered` counts the requests that have come to the service so far; `apply` is called with every defect and its
    strength when one has changed.
    """

    def __init__(
        self,
        env: SimulationEnvironment,
        defects: Iterable[Defect],
        offered: Callable[[], int],
        apply: Callable[[list[tuple[Defect, float]]], None],
    ) -> None:
        self._env = env
        self._offered = offered
        self._apply = apply
        self._defects = list(defects)
        self._grown = [0.0 if defect.timed else 1.0 for defect in self._defects]
        self._loaded = [defect.above_rate_per_s is None for defect in self._defects]
        self._serves = False
        self._strengths: list[float] | None = None
        self._put()

    def serve(self) -> None:
        """The version gets traffic: the first time, the clocks of its timed defects start."""
        if self._serves:
            return
        self._serves = True
        for place, defect in enumerate(self._defects):
            if defect.timed:
                self._env.process(self._grow(place, defect))
            if defect.above_rate_per_s is not None:
                self._env.process(self._load(place, defect.above_rate_per_s))

    def _grow(self, place: int, defect: Defect) -> Generator[simpy.Event, Any, None]:
        if defect.after_s:
            yield self._env.timeout(defect.after_s)
        if defect.ramp_s:
            for step in range(_RAMP_STEPS):
                self._grown[place] = (step + 0.5) / _RAMP_STEPS
                self._put()
                yield self._env.timeout(defect.ramp_s / _RAMP_STEPS)
        self._grown[place] = 1.0
        self._put()

    def _load(self, place: int, above_per_s: float) -> Generator[simpy.Event, Any, None]:
        counts = deque([self._offered()], maxlen=_RATE_SPANS + 1)
        while True:
            yield self._env.timeout(_RATE_EVERY_S)
            counts.append(self._offered())
            loaded = (counts[-1] - counts[0]) / ((len(counts) - 1) * _RATE_EVERY_S) > above_per_s
            if loaded != self._loaded[place]:
                self._loaded[place] = loaded
                self._put()

    def _put(self) -> None:
        strengths = [grown if loaded else 0.0 for grown, loaded in zip(self._grown, self._loaded, strict=True)]
        if strengths != self._strengths:
            self._strengths = strengths
            self._apply(list(zip(self._defects, strengths, strict=True)))
