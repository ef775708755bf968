"""The part of a staging file that `adapter: kubernetes` reads: which objects of a namespace are whose versions."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scenarios.base import Name, Part, Version

__all__ = ["Kubernetes", "PauseTarget", "RolloutTarget", "Route", "ServiceTarget"]

# As Kubernetes names objects (RFC 1123).
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]


class Route(Part):
    """The HTTPRoute whose weights decide how many requests a version gets."""

    name: ObjectName = Field(description="of the HTTPRoute (gateway.networking.k8s.io/v1)")
    backends: dict[Version, ObjectName] = Field(
        {}, description="the Service of each version, of Deployments; a Rollout names its own two"
    )
    copies: dict[Version, ObjectName] = Field(
        {}, description="the Service that takes copies for a version; what it writes must not stay"
    )
    confirm: Literal["accepted", "spec"] = Field(
        "accepted",
        description="in force when its gateways accept it (or, with gateways that say nothing, when it reads back)",
    )


class RolloutTarget(Part):
    """An Argo Rollout, which runs two versions at most: the stable one, and the canary or the preview."""

    name: ObjectName = Field(description="of the Rollout (argoproj.io/v1alpha1)")
    strategy: Literal["canary", "blue-green"] = Field("canary", description="that the Rollout itself has")
    container: ObjectName = Field(description="of its pods, whose image is the version's")
    images: dict[Version, Annotated[str, Field(min_length=1)]] = Field(min_length=1, description="by version")

    @model_validator(mode="after")
    def _images_tell_versions_apart(self) -> Self:
        if len(set(self.images.values())) < len(self.images):
            raise ValueError("images must differ: they tell the versions apart")
        return self


class PauseTarget(Part):
    """Which process of a pod stands still under the fault `pause`."""

    container: ObjectName = Field(description="of its pods; its image must have sh")
    process: Annotated[str, Field(pattern=r"^[!-~]{1,15}$")] = Field(
        description="its name, as /proc/PID/comm has it (at most 15 long); all that have it are stopped"
    )


class ServiceTarget(Part):
    """How one service of the scenario runs."""

    deployments: dict[Version, ObjectName] = Field({}, description="the Deployment of each version")
    rollout: RolloutTarget | None = Field(None, description="instead of Deployments")
    pause: PauseTarget | None = Field(None, description="what the fault pause stops; without, it is refused")
    route: Route | None = Field(None, description="its weights; without, the service runs one version at a time")

    def versions(self) -> set[str]:
        """That the file knows."""
        return set(self.deployments if self.rollout is None else self.rollout.images)

    @model_validator(mode="after")
    def _runs_one_way(self) -> Self:
        if bool(self.deployments) == (self.rollout is not None):
            raise ValueError("must have either deployments or rollout")
        if len(set(self.deployments.values())) < len(self.deployments):
            raise ValueError("deployments must differ: they tell the versions apart")
        if self.route is not None and self.deployments and set(self.route.backends) != set(self.deployments):
            raise ValueError(
                f"route.backends(={sorted(self.route.backends)}) must be of the versions of deployments "
                f"({sorted(self.deployments)})"
            )
        strangers = [] if self.route is None else sorted(set(self.route.copies) - self.versions())
        if strangers:
            raise ValueError(
                f"route.copies(={strangers}) must be of the service's versions ({sorted(self.versions())})"
            )
        if self.route is not None and self.rollout is not None and self.rollout.strategy == "blue-green":
            raise ValueError("route must be left out: a blue-green Rollout's active Service has all requests")
        if self.route is not None and self.rollout is not None and self.route.backends:
            raise ValueError("route.backends must be left out: the Rollout names its stable and its canary Service")
        return self


class Kubernetes(Part):
    """A namespace that is this staging, and says so by its annotation windtunnel/staging: the marker's token."""

    kubeconfig: str = Field("~/.kube/config", description="how to reach the cluster, from the folder of the file on")
    context: str | None = Field(None, description="of the kubeconfig; else its current one")
    namespace: ObjectName = Field(description="the only one that is touched")
    services: dict[Name, ServiceTarget] = Field(min_length=1, description="by service of the scenario")
