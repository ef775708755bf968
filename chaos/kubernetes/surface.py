"""What the undo of a release, and the faults of pods, do to a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chaos.kubernetes import signals
from chaos.kubernetes.api import Api, Object
from chaos.kubernetes.blue_green import BlueGreen
from chaos.kubernetes.deployments import Deployments
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import Kubernetes, ServiceTarget
from chaos.kubernetes.rollouts import Rollouts
from chaos.kubernetes.workload import Workload

# As the rung of a release's undo has it, which deploys several times.
_DEPLOY_TIMEOUT_S = 60.0
_ROUTE_TIMEOUT_S = 30.0

__all__ = ["KubernetesSurface"]


class KubernetesSurface:
    """The part of chaos.faults.surface.Surface that releases use, and pods for the faults of this adapter."""

    # A release's undo waits for pods to start, be it on machines that are started for them.
    patience = 4.0

    def __init__(self, token: str, api: Api, config: Kubernetes) -> None:
        self.api = api
        self._token = token
        self.pauses = {name: target.pause for name, target in config.services.items() if target.pause is not None}
        self._workloads = {name: _workload(api, name, target) for name, target in config.services.items()}

    @property
    def services(self) -> tuple[str, ...]:
        """Those of the staging file."""
        return tuple(self._workloads)

    def workload(self, service: str) -> Workload:
        """What runs it. Raises KubernetesError for a service that the staging file does not have."""
        if service not in self._workloads:
            raise KubernetesError(f"service(={service}) must be one of the staging file's: {sorted(self._workloads)}")
        return self._workloads[service]

    def token(self) -> str:
        """The staging file's."""
        return self._token

    def ordered(self, service: str) -> Mapping[str, int]:
        """By the objects' specs."""
        return self.workload(service).ordered()

    def ready(self, service: str) -> Mapping[str, int]:
        """By the objects' statuses."""
        return self.workload(service).ready()

    def deploy(self, service: str, version: str, replicas: int, timeout_s: float = _DEPLOY_TIMEOUT_S) -> None:
        """Returns when the cluster says that it is done."""
        self.workload(service).deploy(version, replicas, timeout_s)

    def routes(self, service: str) -> Mapping[str, float]:
        """By the HTTPRoute, or as Argo Rollouts has it."""
        return self.workload(service).routes()

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Returns when it reads back, and gateways have accepted it."""
        self.workload(service).route(weights, _ROUTE_TIMEOUT_S, cohorts)

    def mirror(self, service: str, version: str, share: float) -> None:
        """Returns when it reads back, and gateways have accepted it."""
        self.workload(service).mirror(version, share, _ROUTE_TIMEOUT_S)

    def steering(self, service: str) -> tuple[str, ...]:
        """A rollout under way, a drill's steps, cohorts' rules and copies."""
        return self.workload(service).left()

    def clear_steering(self, service: str) -> None:
        """Abort or complete a rollout under way; give Rollout and HTTPRoute their own steps and rules back."""
        self.workload(service).clear(_DEPLOY_TIMEOUT_S)

    def defects(self, service: str) -> tuple[str, ...]:
        """None: what is wrong with a version is in its image."""
        del service
        return ()

    def clear_defects(self, service: str) -> None:
        """Nothing to do."""

    def pods(self, service: str, version: str) -> list[Object]:
        """Those of a version that run."""
        return self.workload(service).pods(version)

    def all_pods(self, service: str) -> list[Object]:
        """Those of every version that is ordered or ready."""
        workload = self.workload(service)
        return [pod for version in {**workload.ordered(), **workload.ready()} for pod in workload.pods(version)]

    def standing(self, pod: str, container: str, process: str) -> signals.Standing:
        """The processes of that name in the container."""
        return signals.standing(self.api, pod, container, process)

    def signal(self, pod: str, container: str, process: str, signal: Literal["STOP", "CONT"]) -> None:
        """To every process of that name."""
        signals.send(self.api, pod, container, process, signal)


def _workload(api: Api, service: str, target: ServiceTarget) -> Workload:
    if target.rollout is None:
        return Deployments(api, service, target)
    kind = BlueGreen if target.rollout.strategy == "blue-green" else Rollouts
    return kind(api, service, target)
