"""Who answers a service's requests: versions by weights and cohorts, the new one by its flag; and who gets copies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scenarios.models import Change
from simulator.compile import Compiled
from simulator.kernel import plane as kernel

__all__ = ["FlagState", "Routing", "are_shares"]


@dataclass(frozen=True)
class FlagState:
    """For which requests a replica takes the flag as on; `order` counts the orders of its service."""

    order: int = 0
    share: float = 0.0
    cohorts: frozenset[str] = frozenset()

    def on(self, cohort: str) -> float:
        """Share of a cohort's requests for which it is on."""
        return 1.0 if cohort in self.cohorts else self.share


class Routing:
    """The routes of one service in force; at first its first version answers all.

    `flags` holds what each replica of the new version takes its flag for; empty where it has none.
    """

    def __init__(self, plane: kernel.DataPlane, compiled: Compiled, service: str, replicas: int) -> None:
        self._plane = plane
        self._compiled = compiled
        self._station = compiled.station(service)
        self._versions = compiled.versions[service]
        self.weights: dict[str, float] = dict.fromkeys(self._versions, 0.0)
        self.weights[self._versions[0]] = 1.0
        self.cohorts: dict[str, dict[str, float]] = {}
        self.copied = 0.0
        self.flags = [FlagState()] * replicas if compiled.routed(service) != self._versions else []
        self._put()

    def route(self, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]]) -> None:
        """Put routes in force."""
        self.weights = dict(weights)
        self.cohorts = {cohort: dict(own) for cohort, own in cohorts.items()}
        self._put()

    def mirror(self, version: str, share: float) -> None:
        """Copy a share of the requests."""
        self.copied = share
        self._plane.set_mirror(self._station, self._versions.index(version), share)

    def follow(self, replica: int, flag: FlagState) -> None:
        """A replica learns of an order; one that it knows a later one of changes nothing."""
        if flag.order > self.flags[replica].order:
            self.flags[replica] = flag
            self._put()

    def serves(self, version: str) -> bool:
        """Whether any request comes to a version."""
        return self.weights[version] > 0 or any(own.get(version, 0.0) > 0 for own in self.cohorts.values())

    def reaches(self, version: str) -> bool:
        """Whether any request comes to a version, or a copy of one."""
        return self.serves(version) or (self.copied > 0 and version == self._versions[-1])

    def flagged(self) -> bool:
        """Whether the flag is on for any request."""
        return any(flag.share > 0 or flag.cohorts for flag in self.flags)

    def differences(self, change: Change, *, dark: bool) -> Iterator[str]:
        """From the baseline: all to the old version, or, `dark`, to the new one with its flag off; no copies."""
        service, serving = change.service, change.new if dark else change.old
        for version, weight in self.weights.items():
            wanted = 1.0 if version == serving else 0.0
            if weight != wanted:
                yield f"{service} {version}: weight {weight:g}, must be {wanted:g}"
        for cohort in self.cohorts:
            yield f"{service}: cohort {cohort} has a route of its own, must have none"
        if self.copied:
            yield f"{service}: {self.copied:g} of the requests are copied, must be 0"
        if self.flagged() and self.serves(change.new):
            yield f"{service}: the flag is on, must be off"

    def _put(self) -> None:
        if not self.cohorts and not self.flags:
            self._plane.set_weights(self._station, list(self.weights.values()))
            return
        for place, cohort in enumerate(self._compiled.cohorts):
            own = {**dict.fromkeys(self.weights, 0.0), **self.cohorts.get(cohort, self.weights)}
            shares = list(own.values())
            if self.flags:
                on = sum(flag.on(cohort) for flag in self.flags) / len(self.flags)
                shares = [*shares[:-1], shares[-1] * (1.0 - on), shares[-1] * on]
            self._plane.set_weights(self._station, shares, place)


def are_shares(weights: Mapping[str, float], versions: Sequence[str]) -> bool:
    """Whether they are shares of these versions."""
    shares: Collection[float] = weights.values()
    return set(weights) <= set(versions) and min(shares, default=-1.0) >= 0 and abs(sum(shares) - 1) <= 1e-9
