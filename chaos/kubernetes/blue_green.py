"""A service that is an Argo Rollout of strategy blueGreen: one version has all requests, by the active Service.

A new version is a new image; Argo starts it whole beside the other one and pauses. To route is to promote it: Argo
moves the active Service's selector, and ends the old replicas after `scaleDownDelaySeconds`, by itself. Until then the
way back is the old image and its promotion, without a pod that would have to start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chaos.kubernetes.api import ROLLOUT, Object
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.rollout_base import RolloutBase, Seen, container_of, refuse_invalid, replicas_lacking
from chaos.kubernetes.settling import until

_MUST_BE_ABSENT = ("autoPromotionSeconds", "previewReplicaCount", "scaleDownDelayRevisionLimit")
_WHOLE = 1.0 - 1e-4

__all__ = ["BlueGreen"]


class BlueGreen(RolloutBase):
    """Fulfils Workload."""

    strategy = "blueGreen"

    def deploy(self, version: str, replicas: int, timeout_s: float) -> None:
        """Start a version beside the active one, drop it again, or wait until Argo has ended it."""
        self._known(version)
        seen = self._see()
        active = _active(seen)
        if version == active:
            self._api.patch(ROLLOUT, self._rollout.name, {"spec": {"replicas": replicas}})
        elif replicas:
            whole = seen.body["spec"].get("replicas", 1)
            if seen.desired not in (active, version):
                raise KubernetesError(f"{seen.name}: {seen.desired} is under way; a third version cannot be deployed")
            if replicas != whole:
                raise KubernetesError(
                    f"{seen.name}: replicas(={replicas}) of {version} must be {whole}, as of {active}"
                )
            self._order(version)
        elif version == seen.desired:
            self._order(active)
        until(lambda: self._lacking(version, replicas), timeout_s + (0 if replicas else seen.delay_s))

    def routes(self) -> dict[str, float]:
        """By the active Service's selector."""
        return {_active(self._see()): 1.0}

    def route(
        self, weights: Mapping[str, float], timeout_s: float, cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Promote the version that is to have all requests, or go back to it."""
        seen = self._see()
        whole = [version for version, share in weights.items() if share >= _WHOLE]
        if not whole or cohorts:
            raise KubernetesError(
                f"{seen.name}: weights(={dict(weights)}), cohorts(={sorted(cohorts or {})}): must be all for a version"
            )
        (version,) = whole
        if version != _active(seen):
            if not seen.count(version, "status", "availableReplicas"):
                raise KubernetesError(f"{seen.name}: {version} has no replicas that could answer")
            refuse_invalid(seen)
            if version != seen.desired:
                self._order(version)
        until(lambda: self._inactive(version), timeout_s)

    def mirror(self, version: str, share: float, timeout_s: float) -> None:
        """Not without an HTTPRoute."""
        del timeout_s
        raise KubernetesError(f"{self._service}: copies to {version}: share(={share:g}): a blue-green Rollout has none")

    def left(self) -> tuple[str, ...]:
        """A version that waits for its promotion."""
        seen = self._see()
        return () if seen.desired == _active(seen) else (f"{seen.name} is on the way to {seen.desired}",)

    def clear(self, timeout_s: float) -> None:
        """The active version's image."""
        seen = self._see()
        active = _active(seen)
        if seen.desired == active:
            return
        self._order(active)
        until(lambda: self._lacking(active, self._see().count(active, "spec", "replicas")), timeout_s)

    def facts(self) -> dict[str, str]:
        """Nothing besides those of every Rollout."""
        return self._facts(self._see())

    def unroutable(self, cohorts: Collection[str]) -> str | None:
        """It has one route for all."""
        return f"cohorts(={sorted(cohorts)}): a blue-green Rollout has none"

    def _unfit(self, strategy: dict[str, Any]) -> str | None:
        if strategy.get("autoPromotionEnabled", True):
            return "autoPromotionEnabled must be false: when requests move is the drill's to decide"
        given = [key for key in _MUST_BE_ABSENT if strategy.get(key) is not None]
        return f"{', '.join(given)} must be left out" if given else None

    def _order(self, version: str) -> None:
        def edit(body: Object) -> None:
            container_of(body, self._rollout.container)["image"] = self._rollout.images[version]

        self._api.change(ROLLOUT, self._rollout.name, edit)

    def _lacking(self, version: str, replicas: int) -> str | None:
        seen = self._see()
        lacking = replicas_lacking(seen, version, replicas)
        if lacking is None and replicas and version not in (_active(seen), _paused_for(seen)):
            return f"{seen.name}: {seen.status.get('phase')}, must wait for its promotion to {version}"
        return lacking

    def _inactive(self, version: str) -> str | None:
        """Promotes the version as soon as Argo pauses for that."""
        seen = self._see()
        refuse_invalid(seen)
        active = _active(seen)
        if active == version:
            return None
        if version == _paused_for(seen):
            self._api.patch(ROLLOUT, self._rollout.name, {"status": {"pauseConditions": None}}, part="status")
        return f"{seen.name}: {active} is active, must be {version}"


def _active(seen: Seen) -> str:
    selector = seen.status.get("blueGreen", {}).get("activeSelector", "")
    if selector not in seen.versions:
        raise KubernetesError(f"{seen.name}: no version is active yet (status.blueGreen.activeSelector={selector!r})")
    return seen.versions[selector]


def _paused_for(seen: Seen) -> str | None:
    """The version that Argo has up and does not promote by itself."""
    reasons = {each.get("reason") for each in seen.status.get("pauseConditions") or []}
    return seen.desired if "BlueGreenPause" in reasons else None
