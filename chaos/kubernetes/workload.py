"""What the adapter needs of what runs a service: Deployments (deployments.py), or a Rollout (rollouts.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from chaos.kubernetes.api import Object, Right

__all__ = ["Workload"]


class Workload(Protocol):
    """One service. Calls block, and raise KubernetesError or NotSettled."""

    def ordered(self) -> dict[str, int]:
        """Replicas by version as ordered, versions with none left out."""
        ...

    def ready(self) -> dict[str, int]:
        """Replicas by version that are ready, versions with none left out."""
        ...

    def deploy(self, version: str, replicas: int, timeout_s: float) -> None:
        """Exactly that many ready replicas of the version."""
        ...

    def routes(self) -> dict[str, float]:
        """Share of the requests by version, versions with none left out."""
        ...

    def route(
        self, weights: Mapping[str, float], timeout_s: float, cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Put the shares in force, `cohorts` with their own; copies go on."""
        ...

    def mirror(self, version: str, share: float, timeout_s: float) -> None:
        """Copy this share of the requests to the version."""
        ...

    def left(self) -> tuple[str, ...]:
        """What of a release is on the objects themselves, besides replicas and shares: one line each."""
        ...

    def clear(self, timeout_s: float) -> None:
        """Nothing of that."""
        ...

    def rights(self) -> Iterator[Right]:
        """That the account needs for all of this."""
        ...

    def unfit(self, versions: Collection[str]) -> Iterator[str]:
        """Why no release of these versions can begin: a line each, besides `left`."""
        ...

    def unroutable(self, cohorts: Collection[str]) -> str | None:
        """Why these cohorts cannot all have shares of their own at the same time."""
        ...

    def facts(self) -> dict[str, str]:
        """What its objects are made of, besides replicas and shares, and who else orders replicas: by object."""
        ...

    def pods(self, version: str) -> list[Object]:
        """Those of the version that run and are not about to end."""
        ...
