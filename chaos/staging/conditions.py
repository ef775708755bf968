"""Conditions of a service's replicas (shop/conditions.py), ordered by key: in the setup file and at each that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos.errors import StagingError
from chaos.staging.paths import write_atomically
from chaos.staging.replicas import SETUP_FILE, Replicas
from chaos.staging.shop.wire import CONDITIONS_PATH
from chaos.staging.state import StateFile

__all__ = ["ServiceConditions"]


class ServiceConditions:
    """Of one staging. Every change is read back from each replica."""

    def __init__(self, file: StateFile, replicas: Replicas) -> None:
        self._file = file
        self._replicas = replicas

    def of(self, service: str) -> dict[str, Any]:
        """Those in force, by key; raises StagingError unless all replicas that run say the same."""
        ordered = self._ordered(service)
        for replica in self._replicas.live(service):
            told = self._replicas.ask(replica, "GET", CONDITIONS_PATH, None)
            if told != ordered:
                raise StagingError(f"conditions of {service} #{replica.index}: read back {told}, ordered {ordered}")
        return ordered

    def ordered(self, service: str) -> dict[str, Any]:
        """Those that a replica would start with."""
        self._replicas.live(service)  # raises for a service that there is not
        return self._ordered(service)

    def change(self, service: str, values: Mapping[str, Any]) -> None:
        """Order these; None takes a key away."""
        with self._file.locked():
            setup = json.loads(self._path.read_text(encoding="utf-8"))
            now = {**setup.get("conditions", {}).get(service, {}), **values}
            wanted = {key: value for key, value in now.items() if value is not None}
            setup.setdefault("conditions", {})[service] = wanted
            write_atomically(self._path, json.dumps(setup))
        for replica in self._replicas.live(service):
            told = self._replicas.ask(replica, "PUT", CONDITIONS_PATH, wanted)
            if told != wanted:
                raise StagingError(f"conditions of {service} #{replica.index}: read back {told}, ordered {wanted}")

    @property
    def _path(self) -> Path:
        return self._file.folder / SETUP_FILE

    def _ordered(self, service: str) -> dict[str, Any]:
        setup = json.loads(self._path.read_text(encoding="utf-8"))
        found: dict[str, Any] = setup.get("conditions", {}).get(service, {})
        return found
