"""A service whose versions are Deployments of their own, side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from chaos.errors import NotSettled
from chaos.kubernetes.api import DEPLOYMENT, POD, REPLICA_SET, Api, Object, Right
from chaos.kubernetes.autoscalers import autoscaled, autoscalers
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import ServiceTarget
from chaos.kubernetes.pods import made_of, owned, running, selector_of
from chaos.kubernetes.routes import RouteOf
from chaos.kubernetes.settling import condition, until

__all__ = ["Deployments"]


class Deployments:
    """Fulfils Workload. What a version's pods are made of is the Deployment's own: only its replicas are changed."""

    def __init__(self, api: Api, service: str, target: ServiceTarget) -> None:
        self._api = api
        self._service = service
        self._names = target.deployments
        self._route = None if target.route is None else RouteOf(api, target.route)
        self._backends = {} if target.route is None else target.route.backends

    def ordered(self) -> dict[str, int]:
        """Of each Deployment's spec."""
        found = {version: self._get(version)["spec"].get("replicas", 1) for version in self._names}
        return {version: replicas for version, replicas in found.items() if replicas}

    def ready(self) -> dict[str, int]:
        """Of each Deployment's status."""
        found = {version: self._get(version).get("status", {}).get("readyReplicas", 0) for version in self._names}
        return {version: replicas for version, replicas in found.items() if replicas}

    def deploy(self, version: str, replicas: int, timeout_s: float) -> None:
        """Scale the version's Deployment; returns when its status says that all are available, and no more."""
        name = self._named(version)
        self._api.patch(DEPLOYMENT, name, {"spec": {"replicas": replicas}})
        until(lambda: self._lacking(version, replicas), timeout_s)

    def routes(self) -> dict[str, float]:
        """By the HTTPRoute; without one, all requests go to the only version that is ordered."""
        if self._route is not None:
            return dict(self._route.traffic(self._backends).weights)
        ordered = self.ordered()
        if len(ordered) > 1:
            raise KubernetesError(f"{self._service}: runs {sorted(ordered)} without a route: shares cannot be told")
        return dict.fromkeys(ordered, 1.0)

    def route(
        self, weights: Mapping[str, float], timeout_s: float, cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """By the HTTPRoute."""
        for version in weights:
            self._named(version)
        self._own_route().send(self._backends, weights, cohorts or {}, timeout_s)

    def mirror(self, version: str, share: float, timeout_s: float) -> None:
        """By the HTTPRoute."""
        self._named(version)
        self._own_route().mirror(self._backends, version, share, timeout_s)

    def left(self) -> tuple[str, ...]:
        """On the HTTPRoute: of Deployments nothing is changed but replicas."""
        return () if self._route is None else self._route.left(self._backends)

    def clear(self, timeout_s: float) -> None:
        """The HTTPRoute's own rules."""
        if self._route is not None:
            self._route.clear(self._backends, timeout_s)

    def rights(self) -> Iterator[Right]:
        """On each Deployment, and on the HTTPRoute."""
        for name in self._names.values():
            yield from (Right(verb, DEPLOYMENT, name) for verb in ("get", "patch"))
        yield from (Right("list", kind) for kind in (REPLICA_SET, POD))
        if self._route is not None:
            yield from self._route.rights()

    def unfit(self, versions: Collection[str]) -> Iterator[str]:
        """An autoscaler, or an HTTPRoute that cannot send to each of them."""
        for version in versions:
            yield from autoscaled(self._api, DEPLOYMENT, self._named(version))
        if self._route is not None:
            yield from self._route.unfit({version: self._backends[version] for version in versions})

    def unroutable(self, cohorts: Collection[str]) -> str | None:
        """By the HTTPRoute."""
        return self._own_route().unroutable(self._backends, cohorts)

    def facts(self) -> dict[str, str]:
        """Of each Deployment, its autoscalers, and the HTTPRoute."""
        found = dict[str, str]()
        for version, name in self._names.items():
            found |= {f"Deployment {name}": made_of(self._get(version))} | autoscalers(self._api, DEPLOYMENT, name)
        return found if self._route is None else {**found, self._route.name: self._route.made_of()}

    def pods(self, version: str) -> list[Object]:
        """Of the Deployment's own ReplicaSets."""
        body = self._get(version)
        selector = selector_of(body)
        return running(owned(self._api.pods(selector), owned(self._api.all(REPLICA_SET, selector), [body])))

    def _named(self, version: str) -> str:
        if version not in self._names:
            raise KubernetesError(f"{self._service}: version(={version}) must be one of {sorted(self._names)}")
        return self._names[version]

    def _own_route(self) -> RouteOf:
        if self._route is None:
            raise KubernetesError(f"{self._service}: has no route in the staging file: shares cannot be set")
        return self._route

    def _get(self, version: str) -> Object:
        return self._api.get(DEPLOYMENT, self._named(version))

    def _lacking(self, version: str, replicas: int) -> str | None:
        """Raises NotSettled at once when the Deployment's own progress deadline has passed."""
        body = self._get(version)
        status, what = body.get("status", {}), f"Deployment {body['metadata']['name']}"
        if status.get("observedGeneration", 0) < body["metadata"]["generation"]:
            return f"{what}: its controller has not seen the order yet"
        progress = condition(status.get("conditions", []), "Progressing")
        if progress.get("reason") == "ProgressDeadlineExceeded":
            raise NotSettled(f"{what}: {progress.get('message', 'its progress deadline has passed')}")
        found = {key: status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
        if any(count != replicas for count in found.values()):
            return f"{what}: {found}, each must be {replicas}"
        available = condition(status.get("conditions", []), "Available")
        if replicas and available.get("status") != "True":
            return f"{what}: Available is {available.get('status')} {available.get('message', '')}"
        return None
