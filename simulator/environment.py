"""SimPy's clock over the data plane: traffic is advanced to each control event just before it happens."""

from __future__ import annotations

from typing import Any

import simpy

from simulator.kernel.plane import DataPlane

__all__ = ["Happened", "SimulationEnvironment"]


class Happened(simpy.Event):
    """An event that is over when it is made: whoever yields it goes on at once, without a turn of the event loop.

    Guardrails observe several times a second and it takes them no time; this way it costs them little.
    """

    def __init__(self, env: simpy.Environment, value: Any) -> None:
        self.env, self._ok, self._value = env, True, value
        self.callbacks = None  # type: ignore[assignment]  # SimPy's mark of an event that has been processed


class SimulationEnvironment(simpy.Environment):
    """Virtual time, in seconds since the start of the load.

    A control event at time t finds the data plane as it is just before the data plane's own events of t, and what it
    changes holds for them. Several control events at one time share one advance.
    """

    def __init__(self, plane: DataPlane) -> None:
        super().__init__()
        self.plane = plane
        self._reached_s = plane.now_s

    def step(self) -> None:
        """Advance the traffic to the next control event, then process that."""
        due_s = self.peek()
        if self._reached_s < due_s < simpy.core.Infinity:
            self.plane.run(due_s)
            self._reached_s = due_s
        super().step()

    def finish(self, until_s: float) -> None:
        """Advance the traffic alone: no control event happens any more."""
        self.plane.run(until_s)
        self._reached_s = until_s
