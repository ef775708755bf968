"""What an Argo Rollout of either strategy is to the harness: versions are images, replicas those of its ReplicaSets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from chaos.errors import NotSettled
from chaos.kubernetes.api import POD, REPLICA_SET, ROLLOUT, Api, Object, Right
from chaos.kubernetes.autoscalers import autoscaled, autoscalers
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import ServiceTarget
from chaos.kubernetes.pods import made_of, owned, running, selector_of
from chaos.kubernetes.settling import condition

_HASH = "rollouts-pod-template-hash"
# As Argo Rollouts has them where they are left out.
_DELAYS_S = {"scaleDownDelaySeconds": 30, "abortScaleDownDelaySeconds": 30}
# An undo waits for the replicas of two versions to end; its rung has four minutes.
_DELAY_MOST_S = 60

__all__ = ["RolloutBase", "Seen", "container_of", "refuse_invalid", "replicas_lacking"]


@dataclass(frozen=True)
class Seen:
    """The Rollout at one moment. `sets`: its ReplicaSets by version, those with the same image together.

    versions: by the hash of a ReplicaSet; desired: of the spec.
    """

    body: Object
    strategy: dict[str, Any]
    desired: str
    sets: dict[str, list[Object]]
    versions: dict[str, str]

    @property
    def name(self) -> str:
        """For people."""
        return f"Rollout {self.body['metadata']['name']}"

    @property
    def status(self) -> dict[str, Any]:
        """As its controller has written it."""
        return dict(self.body.get("status", {}))

    @property
    def stable(self) -> str:
        """The version that its controller goes back to."""
        return self.versions[self.status["stableRS"]]

    @property
    def under_way(self) -> bool:
        """Whether it is between two versions."""
        return self.desired != self.stable

    @property
    def delay_s(self) -> int:
        """For how long Argo Rollouts may keep replicas that it is about to end."""
        return max(int(self.strategy.get(key, default)) for key, default in _DELAYS_S.items())

    @property
    def order_unseen(self) -> bool:
        """Whether its controller has yet to see the newest spec."""
        return bool(self.status.get("observedGeneration") != str(self.body["metadata"]["generation"]))

    def count(self, version: str, where: str, key: str) -> int:
        """Of a version's ReplicaSets, such as ("spec", "replicas")."""
        return sum(each.get(where, {}).get(key, 0) for each in self.sets.get(version, []))

    def counts(self, version: str) -> dict[str, int]:
        """Replicas of a version: all the same once it is settled."""
        return {
            "ordered": self.count(version, "spec", "replicas"),
            "running": self.count(version, "status", "replicas"),
            "available": self.count(version, "status", "availableReplicas"),
        }


class RolloutBase:
    """The part of Workload that is alike. `strategy` is the key in the Rollout's `spec.strategy`."""

    strategy: str

    def __init__(self, api: Api, service: str, target: ServiceTarget) -> None:
        assert target.rollout is not None
        self._api = api
        self._service = service
        self._rollout = target.rollout

    def ordered(self) -> dict[str, int]:
        """Of each ReplicaSet's spec."""
        seen = self._see()
        found = {version: seen.count(version, "spec", "replicas") for version in seen.sets}
        return {version: replicas for version, replicas in found.items() if replicas}

    def ready(self) -> dict[str, int]:
        """Of each ReplicaSet's status."""
        seen = self._see()
        found = {version: seen.count(version, "status", "readyReplicas") for version in seen.sets}
        return {version: replicas for version, replicas in found.items() if replicas}

    def pods(self, version: str) -> list[Object]:
        """By the hash of the version's ReplicaSets."""
        seen = self._see()
        found = []
        for each in seen.sets.get(version, []):
            key = each["metadata"]["labels"][_HASH]
            found += self._api.pods(f"{selector_of(seen.body)},{_HASH}={key}")
        return running(found)

    def rights(self) -> Iterator[Right]:
        """On the Rollout, and to see what it owns."""
        yield from (Right(verb, ROLLOUT, self._rollout.name) for verb in ("get", "patch", "update"))
        yield Right("patch", ROLLOUT, self._rollout.name, "status")
        yield from (Right("list", kind) for kind in (REPLICA_SET, POD))

    def unfit(self, versions: Collection[str]) -> Iterator[str]:
        """A Rollout that does not follow orders, or an autoscaler's."""
        for version in versions:
            self._known(version)
        seen = self._see()
        phase = seen.status.get("phase")
        if seen.body["spec"].get("paused"):
            yield f"{seen.name}: spec.paused is true: it would not follow"
        elif phase != "Healthy" and not seen.under_way:
            yield f"{seen.name}: is {phase}, must be Healthy: {seen.status.get('message', '')}"
        yield from autoscaled(self._api, ROLLOUT, self._rollout.name)

    def _facts(self, seen: Seen) -> dict[str, str]:
        """Of the Rollout and its autoscalers."""
        return {seen.name: made_of(seen.body)} | autoscalers(self._api, ROLLOUT, self._rollout.name)

    def _unfit(self, strategy: dict[str, Any]) -> str | None:
        """Why the harness cannot steer a Rollout of this strategy."""
        raise NotImplementedError

    def _see(self) -> Seen:
        """Raises KubernetesError for a Rollout that the harness cannot steer."""
        body = self._api.get(ROLLOUT, self._rollout.name)
        strategy = self._strategy_of(body)
        sets, versions = dict[str, list[Object]](), dict[str, str]()
        for each in owned(self._api.all(REPLICA_SET, selector_of(body)), [body]):
            version = self._version(each)
            sets.setdefault(version, []).append(each)
            versions[each["metadata"]["labels"][_HASH]] = version
        stable = body.get("status", {}).get("stableRS", "")
        if stable not in versions:
            raise KubernetesError(
                f"Rollout {self._rollout.name}: has no stable version yet (status.stableRS={stable!r})"
            )
        return Seen(body, strategy, self._version(body), sets, versions)

    def _strategy_of(self, body: Object) -> dict[str, Any]:
        spec, name = body["spec"], self._rollout.name
        strategy = spec.get("strategy", {}).get(self.strategy)
        if strategy is None or "template" not in spec:
            raise KubernetesError(f"Rollout {name}: must have a template and strategy.{self.strategy}")
        problem = self._unfit(strategy)
        for key, default in _DELAYS_S.items():
            if int(strategy.get(key, default)) > _DELAY_MOST_S:
                problem = problem or f"{key}(={strategy[key]}) must be at most {_DELAY_MOST_S}: a drill waits for it"
        if problem is not None:
            raise KubernetesError(f"Rollout {name}: strategy.{self.strategy}: {problem}")
        return dict(strategy)

    def _known(self, version: str) -> None:
        if version not in self._rollout.images:
            raise KubernetesError(f"{self._service}: version(={version}) must be one of {sorted(self._rollout.images)}")

    def _version(self, owner: Object) -> str:
        """By the image; an image that the staging file does not know stands for itself."""
        image = container_of(owner, self._rollout.container)["image"]
        return next((version for version, each in self._rollout.images.items() if each == image), image)


def container_of(owner: Object, name: str) -> dict[str, Any]:
    """The container of this name in what a Rollout's or ReplicaSet's pods are made of."""
    for each in owner["spec"]["template"]["spec"]["containers"]:
        if each["name"] == name:
            found: dict[str, Any] = each
            return found
    raise KubernetesError(f"{owner['metadata']['name']}: its pods have no container {name}")


def replicas_lacking(seen: Seen, version: str, replicas: int) -> str | None:
    """What an order of so many replicas still waits for. Raises NotSettled."""
    refuse_invalid(seen)
    if seen.order_unseen:
        return f"{seen.name}: its controller has not seen the order yet"
    found = seen.counts(version)
    if any(count != replicas for count in found.values()):
        return f"{seen.name}: {version} has {found}, each must be {replicas}"
    return None


def refuse_invalid(seen: Seen) -> None:
    """What no waiting will mend. Raises NotSettled."""
    invalid = condition(seen.status.get("conditions", []), "InvalidSpec")
    if invalid.get("status") == "True":
        raise NotSettled(f"{seen.name}: {invalid.get('message')}")
    if seen.status.get("abort") and seen.under_way:
        raise NotSettled(f"{seen.name}: was aborted: {seen.status.get('message', '')}")
