"""What every adapter of a staging file has from the file itself, whoever puts the verbs onto the staging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chaos.envoy_reader import EnvoyReader
from chaos.load.answers import LoadAnswers
from chaos.load.raw import RawSamples
from chaos.prometheus import PrometheusReader
from chaos.safety.targets import AllowList
from chaos.staging.adapter import Request
from chaos.staging.data_verbs import Books
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.files.loading import Loaded
from scenarios.models import Function, Scenario, Strategy

__all__ = ["Described"]


class Described:
    """Base of such adapters: where the staging is, who it says that it is, and how its clients ask."""

    def __init__(self, loaded: Loaded, state_dir: Path) -> None:
        self._file = loaded.file
        self._state_dir = state_dir
        self._reader = _reader(loaded)

    @property
    def state_dir(self) -> Path:
        """The harness's own; the staging knows nothing of it."""
        return self._state_dir

    @property
    def allow(self) -> AllowList:
        """As the file lists it."""
        return self._file.allow.listed()

    @property
    def books(self) -> Books | None:
        """Only the store's own commands look into it, where there are any."""
        return None

    def observe(self) -> list[EnvoyStats]:
        """By whom the file names for it; without any, nothing is seen but what the clients see."""
        return [] if self._reader is None else self._reader.read()

    def lacking(self, scenario: Scenario, strategy: Strategy | None) -> Sequence[str]:
        """Nothing that could be known before it is tried."""
        del scenario, strategy
        return ()

    def unversioned(self) -> frozenset[str]:
        """They tell the versions of each."""
        return frozenset()

    def answered(self, raw: RawSamples) -> None:
        """Counted when the file has the load watch."""
        if isinstance(self._reader, LoadAnswers):
            self._reader.add(raw)

    def redact(self, text: str) -> str:
        """It knows no secret."""
        return text

    def token(self) -> str:
        """As the file has it."""
        return self._file.marker.token

    def target_url(self) -> str:
        """As the file has it."""
        return self._file.target

    def request(self, name: str, function: Function) -> Request:
        """By the function's name, whatever its path through the scenario's system."""
        del function
        found = self._file.requests[name]
        return Request(found.method, found.path, found.body, found.store, found.headers)


def _reader(loaded: Loaded) -> PrometheusReader | EnvoyReader | LoadAnswers | None:
    """Who tells how versions answer, by the part that the file has for it."""
    file = loaded.file
    if file.prometheus is not None:
        return file.prometheus.reader()
    if file.envoy is not None:
        return file.envoy.reader(file.allow.listed())
    return None if file.load is None else file.load.reader()
