"""The verbs for data on the embedded staging: it has none, and says so (chaos.unrealised refuses them up front)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from rollout.errors import WorldError

__all__ = ["NoData"]


class NoData:
    """Fulfils `rollout.world.Data`: each verb fails with WorldError, and bad data never shows."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env

    def migrate(self, phase: str) -> simpy.Process:
        """Refused."""
        return self._refused(f"{phase} of a migration")

    def restore(self) -> simpy.Event:
        """Refused."""
        return self._refused("restore")

    def fail_over(self) -> simpy.Event:
        """Refused."""
        return self._refused("fail-over")

    def reconcile(self) -> simpy.Event:
        """Refused."""
        return self._refused("reconcile")

    def symptom(self) -> simpy.Event:
        """Never fires."""
        return self._env.event()

    def dirty(self) -> bool:
        """There is no bad data."""
        return False

    def _refused(self, what: str) -> simpy.Process:
        def refuse() -> Generator[simpy.Event, Any, None]:
            yield self._env.timeout(0)
            raise WorldError(f"{what}: the embedded staging cannot do it")

        return self._env.process(refuse())
