"""What is wrong with a version for several reasons at a time: its defects, the rows that it reads, its schema."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.environment import SimulationEnvironment
from simulator.kernel.plane import Defect

__all__ = ["Effects"]


class Effects:
    """Adds up effects on the data plane; each reason owns its own, and none overwrites another's."""

    def __init__(self, env: SimulationEnvironment) -> None:
        self._env = env
        self._by_reason: dict[tuple[int, int], dict[str, tuple[Defect, ...]]] = {}

    def put(self, station: int, version: int, reason: str, effects: Iterable[Defect]) -> None:
        """Make these the effects that `reason` has on a version from now on; none: the reason is gone."""
        reasons = self._by_reason.setdefault((station, version), {})
        reasons[reason] = tuple(effects)
        self._env.plane.set_defects(station, version, [each for of_one in reasons.values() for each in of_one])
