"""Zones that go out: every replica in one dies, and nothing starts there until it is back."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from chaos.errors import StagingError
from chaos.staging import processes
from chaos.staging.placing import zone_of
from chaos.staging.replicas import Replicas
from chaos.staging.state import Replica, StateFile

__all__ = ["Zones"]

_KILLED_WITHIN_S = 5.0
_STARTED_WITHIN_S = 30.0


class Zones:
    """Of one staging. Third parties and the database stand in none."""

    def __init__(self, file: StateFile, replicas: Replicas) -> None:
        self._file = file
        self._replicas = replicas

    def names(self) -> list[str]:
        """Of all services that have some."""
        services = self._file.read().config.services.values()
        return list(dict.fromkeys(zone for service in services for zone in service.zones))

    def out(self) -> Sequence[str]:
        """Those that are out."""
        return self._file.read().zones_out

    def running(self, zone: str) -> list[Replica]:
        """What runs in a zone, of whatever service and version."""
        state = self._file.read()
        return [
            replica
            for replica in state.replicas
            if zone_of(state.config.services[replica.service].zones, replica.place) == zone
            and processes.alive(replica.process)
        ]

    def misplaced(self) -> list[str]:
        """`service version` whose replicas are not in the places that they would have if they all started now."""
        return [
            f"{service} {version}" for service, version in self._ordered() if self._replicas.misplaced(service, version)
        ]

    def lose(self, zone: str) -> None:
        """From now on nothing starts there; then all that runs there is killed."""
        with self._file.locked():  # who starts a replica looks within the lock whether its zone is out
            self._file.change(zones_out=tuple(sorted({*self._file.read().zones_out, zone})))
            victims = [replica.process for replica in self.running(zone)]
        left = processes.stop(victims, ladder=((signal.SIGKILL, _KILLED_WITHIN_S),))
        if left:
            raise StagingError(f"zone {zone}: {left} still run after SIGKILL")

    def replace_lost(self) -> None:
        """What was ordered and does not run is started, where no zone is out."""
        for service, version in self._ordered():
            self._replicas.restore(service, version, _STARTED_WITHIN_S)

    def regain(self, zone: str) -> None:
        """Replicas stand there again: what does not run is started, what stands elsewhere moves back."""
        with self._file.locked():
            self._file.change(zones_out=tuple(name for name in self._file.read().zones_out if name != zone))
        for service, version in self._ordered():
            self._replicas.settle(service, version, _STARTED_WITHIN_S)

    def _ordered(self) -> list[tuple[str, str]]:
        """Services and versions that were ever ordered."""
        return [(service, version) for service, versions in self._file.read().ordered.items() for version in versions]
