"""The embedded staging behind the seam (adapter.py): a thin translation, nothing more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from chaos.errors import StagingError
from chaos.faults.base import FaultKind
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.faults.surface import Surface
from chaos.ledger import FinalRead, StoreTable, final_read
from chaos.load.raw import RawSamples
from chaos.realise import request_of
from chaos.safety.targets import LOOPBACK, AllowList
from chaos.staging.adapter import Hear, Request
from chaos.staging.config import STORE, Defect, ServiceConfig
from chaos.staging.data_verbs import Books, DataVerbs
from chaos.staging.embedded import Staging
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.facts import application_declared, application_facts
from chaos.staging.placing import zone_of
from chaos.staging.replicas import SPANS_FOLDER, Drained
from scenarios.models import Function, Scenario, Strategy

__all__ = ["EmbeddedAdapter"]

_FLAG_SOURCE = "flag source"


class EmbeddedAdapter:
    """Fulfils StagingAdapter on the embedded staging."""

    name = "embedded"

    def __init__(self, staging: Staging) -> None:
        self.staging = staging

    @classmethod
    def attach(cls, state_dir: Path) -> Self:
        """The staging in a state directory. Raises StagingNotUp."""
        return cls(Staging.attach(state_dir))

    @property
    def state_dir(self) -> Path:
        """The staging's own."""
        return self.staging.state_dir

    @property
    def allow(self) -> AllowList:
        """The loopback interface alone."""
        return LOOPBACK

    @property
    def surface(self) -> Surface:
        """Its proxies, router, processes and database."""
        return EmbeddedSurface(self.staging)

    @property
    def faults(self) -> Mapping[str, FaultKind]:
        """All that there are."""
        return FAULTS

    @property
    def data(self) -> DataVerbs:
        """The database's."""
        return self.staging.data

    @property
    def books(self) -> Books:
        """Orders and payments."""
        return self.staging.data

    def token(self) -> str:
        """Made when it was brought up."""
        return self.staging.token()

    def target_url(self) -> str:
        """The shop's front door, through Toxiproxy."""
        return self.staging.edge_url()

    def lacking(self, scenario: Scenario, strategy: Strategy | None) -> Sequence[str]:
        """Nothing: it was brought up for the scenario."""
        del scenario, strategy
        return ()

    def record_to(self, folder: Path, hear: Hear) -> None:
        """Nothing is done but what the timeline tells."""

    def settle(self) -> None:
        """Its verbs are carried out by the harness itself, and end with it."""

    def request(self, name: str, function: Function) -> Request:
        """By the function's path through the shop."""
        del name
        return request_of(function)

    def deploy(
        self, service: str, version: str, replicas: int, timeout_s: float, zones: Sequence[str] = ()
    ) -> Drained | None:
        """Processes, in Envoy's rotation."""
        return self.staging.deploy(service, version, replicas, timeout_s, zones)

    def redact(self, text: str) -> str:
        """It has no secret."""
        return text

    def standing(self, service: str) -> Mapping[str, Mapping[str, int]]:
        """As their processes run."""
        return self.staging.standing(service)

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Envoy's weights."""
        self.staging.route(service, weights, cohorts)

    def mirror(self, service: str, version: str, share: float) -> None:
        """Envoy's copies, which the shop rolls back."""
        self.staging.mirror(service, version, share)

    def flag(self, service: str, share: float, cohorts: Sequence[str]) -> int:
        """A file, which flagd watches, or the replicas' providers themselves."""
        return self.staging.flags.order(service, share, cohorts).order

    def flag_orders(self, service: str) -> Sequence[int]:
        """As their providers have it."""
        return self.staging.flags.orders(service)

    def procedure(self, service: str, old: str, new: str) -> None:
        """There is none; `chaos.unrealised` refuses the step."""
        raise StagingError(f"procedure of {service} from {new} to {old}: the embedded staging has none")

    def set_defects(self, service: str, version: str, defects: Sequence[Defect]) -> None:
        """In the version's replicas, running and to come."""
        self.staging.set_defects(service, version, defects)

    def observe(self) -> list[EnvoyStats]:
        """Envoy's counters, and what replicas answered with a flag on."""
        return self.staging.stats_all()

    def unversioned(self) -> frozenset[str]:
        """As it was brought up."""
        services = self.staging.config.services
        return frozenset(name for name, service in services.items() if len(service.versions) == 1)

    def answered(self, raw: RawSamples) -> None:
        """Envoy knows more."""

    def spans_folder(self) -> Path | None:
        """A file of spans and one of logs for each replica."""
        return self.staging.state_dir / SPANS_FOLDER

    def dead(self) -> list[str]:
        """Components that died."""
        return self.staging.dead()

    def stores(self) -> Sequence[str]:
        """The shop's one."""
        return (STORE,)

    def final_read(self, store: str, ids: Sequence[str], since: datetime) -> FinalRead:
        """From the database itself, not through Toxiproxy."""
        assert store == STORE, store
        column = self.staging.data.read_column(self._new_serves())
        # A version without its column reads nothing, and that is a difference of the schema: the rows are there.
        table = StoreTable() if column is None else StoreTable(read_column=column)
        read = final_read(self.staging.orders_dsn(), ids, table, since)
        # A row that is wrong is not what was acknowledged.
        return replace(read, found=read.found - {order.id for order in self.data.wrong_since(since)})

    def _new_serves(self) -> bool:
        """Whether the new version of the service that writes orders gets any request."""
        _, *new = self.staging.config.services["checkout"].versions
        shares = self.staging.routes("checkout")
        return any(shares.get(version, 0.0) > 0 for version in new)

    def differences(self) -> list[str]:
        """A schema that the old version cannot read."""
        readable = self.staging.data.read_column(by_new=False) is not None
        return [] if readable else [f"{STORE}: schema is contracted, must be one that the old version reads"]

    def facts(self) -> Mapping[str, str]:
        """Of processes, router, proxies and database."""
        source = self.staging.state().flag_source
        return {
            **application_facts(self.surface, self.staging.config),
            **{_in_zones(name): _standing(self.staging.standing(name)) for name in self._zoned()},
            _FLAG_SOURCE: f"{source}, dead" if source in self.staging.dead() else source,
            **self.staging.data.facts(),
        }

    def declared(self) -> Mapping[str, str]:
        """As its configuration has it."""
        return {
            **application_declared(self.surface, self.staging.config),
            **{_in_zones(name): _standing(_declared(self.staging.config.services[name])) for name in self._zoned()},
            _FLAG_SOURCE: self.staging.state().flag_source,
            **self.staging.data.declared(),
        }

    def _zoned(self) -> list[str]:
        """Services whose replicas stand in zones."""
        return [name for name, service in self.staging.config.services.items() if service.zones]


def _in_zones(service: str) -> str:
    return f"replicas {service} by zone"


def _declared(service: ServiceConfig) -> Mapping[str, Mapping[str, int]]:
    """The first version in the lowest places."""
    counts = Counter(zone_of(service.zones, place) for place in range(service.replicas))
    return {service.versions[0]: {zone: counts[zone] for zone in service.zones if counts[zone]}}


def _standing(found: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(
        f"{version} in {zone}: {count}" for version, zones in sorted(found.items()) for zone, count in zones.items()
    )
