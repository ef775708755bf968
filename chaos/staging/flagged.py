"""The release's flag on a running staging: ordered, followed by each replica, and its answers counted apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos.errors import StagingError
from chaos.staging.config import StagingConfig
from chaos.staging.envoy_stats import EnvoyStats
from chaos.staging.flags import FlagFile, FlagState
from chaos.staging.remainder import Remainder
from chaos.staging.replicas import Replicas
from chaos.staging.shop.wire import FLAG_PATH
from chaos.staging.state import Replica
from rollout.versions import flag_on

__all__ = ["Flags"]


class Flags:
    """The flags of one staging. Counts that replicas told are kept here: those of dead ones stay counted."""

    def __init__(self, folder: Path, config: StagingConfig, replicas: Replicas) -> None:
        self._folder = folder
        self._config = config
        self._replicas = replicas
        self._told: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        self._rest: dict[tuple[str, str], EnvoyStats] = {}
        self._left: dict[tuple[str, str], Remainder] = {}

    def state(self, service: str) -> FlagState:
        """As it was ordered last."""
        return FlagFile(self._folder, service).read()

    def order(self, service: str, share: float, cohorts: Sequence[str]) -> FlagState:
        """Have it on for a share of the requests and for whole cohorts; replicas follow at their next look."""
        if self._config.flag_poll_s is None:
            raise StagingError(f"flag of {service}: the staging was brought up for a release without one")
        return FlagFile(self._folder, service).write(share, cohorts)

    def orders(self, service: str) -> list[int]:
        """The order that each running replica of the new versions has followed last, as its provider says.

        -1 for one that does not answer.
        """
        return [
            self._order_of(replica)
            for version in self._config.services[service].versions
            if self._config.has_flag(service, version)
            for replica in self._replicas.live(service, version)
        ]

    def apart(self, stats: Sequence[EnvoyStats]) -> list[EnvoyStats]:
        """Envoy's counters, those of answers with the flag on taken out and added as a version of their own.

        `look` comes before Envoy is asked: what a replica has counted, Envoy is about to.
        """
        found: list[EnvoyStats] = []
        for each in stats:
            key = (each.service, each.version)
            if key in self._told:
                on = self._sum(each)
                found += [self._without(each, on), on]
            else:
                found.append(each)
        return found

    def look(self) -> None:
        """Ask the replicas for their counts; one that does not answer is dead, or as good as: what it told stays."""
        for service, config in self._config.services.items():
            for version in config.versions:
                if not self._config.has_flag(service, version):
                    continue
                told = self._told.setdefault((service, version), {})
                for replica in self._replicas.live(service, version):
                    try:
                        told[replica.index] = self._document(replica)
                    except StagingError:
                        continue

    def _order_of(self, replica: Replica) -> int:
        try:
            return int(self._document(replica)["order"])
        except StagingError:
            return -1

    def _document(self, replica: Replica) -> dict[str, Any]:
        return dict(self._replicas.ask(replica, "GET", FLAG_PATH, None))

    def _sum(self, of: EnvoyStats) -> EnvoyStats:
        told = list(self._told[of.service, of.version].values())
        bins = len(of.histogram)
        counts = [sum(column) for column in zip(*(each["histogram"] for each in told), strict=True)]
        return replace(
            of,
            version=flag_on(of.version),
            requests=sum(each["requests"] for each in told),
            errors=sum(each["errors"] for each in told),
            cancelled=sum(each["cancelled"] for each in told),
            histogram=tuple(counts) or (0,) * bins,
        )

    def _without(self, whole: EnvoyStats, part: EnvoyStats) -> EnvoyStats:
        """What is left; counters never go back, though a request may be in one of the two counts a moment earlier."""
        key = (whole.service, whole.version)
        before = self._rest.get(key) or replace(whole, requests=0, errors=0, cancelled=0, histogram=())
        left = self._left.setdefault(key, Remainder())
        rest = replace(
            whole,
            requests=max(before.requests, whole.requests - part.requests),
            errors=max(before.errors, whole.errors - part.errors),
            cancelled=max(before.cancelled, whole.cancelled - part.cancelled),
            histogram=left.after(whole.histogram, part.histogram),
        )
        self._rest[key] = rest
        return rest
