"""What a drill, its safety and its undo need of a staging, whatever that is: the seam between them.

An adapter puts these verbs onto one staging. Each call blocks, has its own time limit, reads back what it changed, and
raises ChaosError (StagingError unless something narrower fits) when the staging refuses or does not answer. An adapter
holds no state that matters: the watchdog and `windtunnel undo` make another one from the state directory
(chaos.staging.adapters) when the first one's process is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from chaos.faults.base import FaultKind
from chaos.faults.surface import Surface
from chaos.ledger import FinalRead
from chaos.load.raw import RawSamples
from chaos.safety.targets import AllowList
from chaos.staging.config import Defect
from chaos.staging.data_verbs import Books, DataVerbs
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.replicas import Drained
from scenarios.models import Function, Scenario, Strategy

__all__ = ["Hear", "Request", "StagingAdapter"]


Hear = Callable[[str, Mapping[str, Any]], None]
"""Is told of a call that ended: the verb, and what became of it."""


@dataclass(frozen=True)
class Request:
    """How a client asks for a business function; `body` may hold placeholders (chaos.load.plan).

    store: the store that a request writes to; None when it writes nothing.
    """

    method: str
    path: str
    body: str | None = None
    store: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class StagingAdapter(Protocol):
    """One staging that is up, as a drill uses it."""

    @property
    def name(self) -> str:
        """For people: which kind of staging this is."""
        ...

    @property
    def state_dir(self) -> Path:
        """Where the journal, the locks and all that an undo needs are kept."""
        ...

    @property
    def allow(self) -> AllowList:
        """Where its target may be."""
        ...

    @property
    def surface(self) -> Surface:
        """What faults and the undo of the release are given."""
        ...

    @property
    def faults(self) -> Mapping[str, FaultKind]:
        """The faults that it can have, by the scenario language's kind."""
        ...

    @property
    def data(self) -> DataVerbs | None:
        """The verbs for its data; None when it has none."""
        ...

    @property
    def books(self) -> Books | None:
        """Its orders and payments, to be held against each other; None when they cannot be read."""
        ...

    def token(self) -> str:
        """The id that the staging's marker must show."""
        ...

    def target_url(self) -> str:
        """Where clients find it."""
        ...

    def lacking(self, scenario: Scenario, strategy: Strategy | None) -> Sequence[str]:
        """What keeps a drill of the scenario by this strategy from being carried out here, or undone: a line each.

        Looked at before anything is started, once the scenario fits the staging's description.
        """
        ...

    def record_to(self, folder: Path, hear: Hear) -> None:
        """From now on keep what was done, besides what the harness keeps, in a run's folder, and tell of it."""
        ...

    def settle(self) -> None:
        """End whatever a harness that is dead still has at work here; what an undo does first."""
        ...

    def request(self, name: str, function: Function) -> Request:
        """How its clients ask for a business function."""
        ...

    def deploy(
        self, service: str, version: str, replicas: int, timeout_s: float, zones: Sequence[str] = ()
    ) -> Drained | None:
        """Exactly so many ready replicas of the version, in these zones (none: in any), in rotation; 0 stops them all.

        Returns how those that were stopped were drained, where that is known.
        """
        ...

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Put the versions' shares (sum 1) in force, `cohorts` with their own."""
        ...

    def mirror(self, service: str, version: str, share: float) -> None:
        """Copy this share of the service's requests to a version; what a copy writes must not stay."""
        ...

    def flag(self, service: str, share: float, cohorts: Sequence[str]) -> int:
        """Order the new version's flag on for a share of its requests and for whole cohorts; (0, ()) turns it off.

        Returns the order's number; whether it is followed, `flag_orders` tells.
        """
        ...

    def flag_orders(self, service: str) -> Sequence[int]:
        """The order that each running replica with a flag has followed last; none where replicas cannot be asked."""
        ...

    def procedure(self, service: str, old: str, new: str) -> None:
        """The operator's own rollback, for the rollback step of this name."""
        ...

    def redact(self, text: str) -> str:
        """The text as it may be shown and kept: without what the staging calls secret."""
        ...

    def standing(self, service: str) -> Mapping[str, Mapping[str, int]]:
        """How many replicas of each version stand in each zone, as far as it has any."""
        ...

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """Switch what is wrong with a version; none heals it."""
        ...

    def observe(self) -> list[EnvoyStats]:
        """Counters of every version of every service, which only grow."""
        ...

    def unversioned(self) -> frozenset[str]:
        """The services of which `observe` tells one version only."""
        ...

    def answered(self, raw: RawSamples) -> None:
        """Told of all requests of the load as they end, for whom that is what `observe` counts."""
        ...

    def spans_folder(self) -> Path | None:
        """Where its services leave their spans and logs (chaos.tracing); None where they leave none."""
        ...

    def dead(self) -> list[str]:
        """Parts of the staging itself that should run and do not: with them, nothing is proven any more."""
        ...

    def stores(self) -> Sequence[str]:
        """Stores that `final_read` can look into."""
        ...

    def final_read(self, store: str, ids: Sequence[str], since: datetime) -> FinalRead:
        """Which of these writes are in a store, and what else was written there since."""
        ...

    def differences(self) -> list[str]:
        """What more than replicas and routes differs from what was declared, one line each."""
        ...

    def facts(self) -> Mapping[str, str]:
        """All that must be after a drill as it was before, by name: versions, routes, configuration, schema."""
        ...

    def declared(self) -> Mapping[str, str]:
        """The same facts as the staging was told to be; without any, nobody can tell drift."""
        ...
