"""A service that is an Argo Rollout of strategy canary: it keeps the replicas of the stable version and of the canary.

The harness decides the steps, so the Rollout's own are put aside, on the object itself in the same write: whoever finds
them there can put them back, without a journal and without this process. What stands for them is one setCanaryScale,
one setWeight and a pause. A new version is a new image; `abort` and the old image end it, `promoteFull` completes it.

Argo starts at the first step whenever steps change. Where it sets the weights itself (`trafficRouting` names a router),
the canary's share is 0 for that moment; where the HTTPRoute is ours, it stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from chaos.kubernetes.api import ROLLOUT, Api, Object, Right
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import ServiceTarget
from chaos.kubernetes.rollout_base import RolloutBase, Seen, container_of, refuse_invalid, replicas_lacking
from chaos.kubernetes.routes import RouteOf
from chaos.kubernetes.settling import until

_STEPS = "windtunnel/steps"
_PAUSED_AT = 2
_PERCENT = 100
_WHOLE = 1.0 - 1e-4
# Keys of trafficRouting that name no router.
_NO_ROUTERS = {"managedRoutes", "maxTrafficWeight"}

__all__ = ["Rollouts"]


class Rollouts(RolloutBase):
    """Fulfils Workload."""

    strategy = "canary"

    def __init__(self, api: Api, service: str, target: ServiceTarget) -> None:
        super().__init__(api, service, target)
        self._route = None if target.route is None else RouteOf(api, target.route)

    def deploy(self, version: str, replicas: int, timeout_s: float) -> None:
        """Start, scale, abort or promote, as the version and the number of its replicas have it."""
        self._known(version)
        seen = self._see()
        if version == seen.stable and (replicas or not seen.under_way):
            self._api.patch(ROLLOUT, self._rollout.name, {"spec": {"replicas": replicas}})
        elif version == seen.stable:
            self._promote(timeout_s)
        elif replicas:
            if version != seen.desired and seen.under_way:
                raise KubernetesError(f"{seen.name}: {seen.desired} is under way; a third version cannot be deployed")
            weight = self._weight(seen) if version == seen.desired else 0
            self._steer(version, replicas, weight)
        elif version == seen.desired:
            self._abort(timeout_s)
        until(lambda: self._lacking(version, replicas), timeout_s + (0 if replicas else seen.delay_s))

    def routes(self) -> dict[str, float]:
        """By the HTTPRoute if it is ours, else as Argo says that its router has it."""
        seen = self._see()
        if not seen.under_way:
            return {seen.stable: 1.0}  # both Services lead there
        if not self._routed_by_argo(seen):
            return dict(self._own_route(seen).traffic(self._backends(seen)).weights)
        share = self._weight(seen) / _PERCENT
        return {each: part for each, part in ((seen.stable, 1.0 - share), (seen.desired, share)) if part}

    def route(
        self, weights: Mapping[str, float], timeout_s: float, cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Set the canary's weight, in whole percents where Argo keeps it; cohorts only by an HTTPRoute of ours."""
        seen = self._see()
        strangers = sorted(each for each, share in weights.items() if share and each not in {seen.stable, seen.desired})
        if strangers:
            raise KubernetesError(f"{seen.name}: runs {seen.stable} and {seen.desired}; no weight for {strangers}")
        if not self._routed_by_argo(seen):
            self._own_route(seen).send(self._backends(seen), _of(seen, weights), cohorts or {}, timeout_s)
            return
        if cohorts:
            raise KubernetesError(f"{seen.name}: cohorts(={sorted(cohorts)}): must be weights alone where Argo routes")
        if not seen.under_way:
            return
        share = weights.get(seen.desired, 0.0) * _PERCENT
        weight = round(share)
        if abs(share - weight) > _PERCENT * (1.0 - _WHOLE):
            raise KubernetesError(f"{seen.name}: weight(={share:g} %) must be a whole percent")
        self._steer(seen.desired, seen.count(seen.desired, "spec", "replicas"), weight)
        until(partial(self._weight_lacking, weight), timeout_s)

    def mirror(self, version: str, share: float, timeout_s: float) -> None:
        """By an HTTPRoute of ours; one that ends with the canary needs no canary."""
        seen = self._see()
        if self._routed_by_argo(seen):
            raise KubernetesError(f"{seen.name}: copies to {version}: cannot be had where Argo routes")
        self._own_route(seen).mirror(self._backends(seen), version, share, timeout_s)

    def left(self) -> tuple[str, ...]:
        """A rollout under way, and steps and rules that are not its own."""
        seen = self._see()
        found = [f"{seen.name} is on the way to {seen.desired}"] if seen.under_way else []
        if _STEPS in _annotations(seen.body):
            found.append(f"{seen.name} has a drill's steps")
        return (*found, *self._route_left(seen))

    def clear(self, timeout_s: float) -> None:
        """To the version that has the requests, the canary's if it has them all, and its own steps."""
        seen = self._see()
        if self._route_left(seen):
            self._own_route(seen).clear(self._backends(seen), timeout_s)
        if seen.under_way:
            whole = self.routes().get(seen.desired, 0.0) >= _WHOLE
            (self._promote if whole else self._abort)(timeout_s)
        elif _STEPS in _annotations(seen.body):
            self._api.change(ROLLOUT, self._rollout.name, _restore_steps)

    def rights(self) -> Iterator[Right]:
        """With those on the HTTPRoute."""
        yield from super().rights()
        if self._route is not None:
            yield from self._route.rights()

    def unfit(self, versions: Collection[str]) -> Iterator[str]:
        """Also an HTTPRoute that cannot send to both Services."""
        yield from super().unfit(versions)
        seen = self._see()
        if self._routed_by_argo(seen):
            return
        route = self._own_route(seen)
        yield from route.unfit(self._backends(seen))
        shares = route.traffic(self._backends(seen)).weights
        if shares != {seen.stable: 1.0}:
            # At rest that one leads to the stable version; as soon as there is a canary it does not.
            yield f"{route.name}: {seen.strategy['canaryService']} has a share of the requests, must have weight 0"

    def unroutable(self, cohorts: Collection[str]) -> str | None:
        """By an HTTPRoute of ours."""
        seen = self._see()
        if self._routed_by_argo(seen):
            return f"{seen.name}: must be weights alone where Argo routes"
        return self._own_route(seen).unroutable(self._backends(seen), cohorts)

    def facts(self) -> dict[str, str]:
        """With those of an HTTPRoute of ours."""
        seen = self._see()
        route = None if self._routed_by_argo(seen) else self._own_route(seen)
        return self._facts(seen) | ({} if route is None else {route.name: route.made_of()})

    # -- look ---------------------------------------------------------------------------------------------------

    def _unfit(self, strategy: dict[str, Any]) -> str | None:
        missing = [key for key in ("trafficRouting", "stableService", "canaryService") if strategy.get(key) is None]
        if missing:
            return f"must have {', '.join(missing)}"
        if strategy.get("dynamicStableScale"):
            return "dynamicStableScale(=true) must be false: a rollback needs the replicas"
        return None

    def _routed_by_argo(self, seen: Seen) -> bool:
        return bool(seen.strategy["trafficRouting"].keys() - _NO_ROUTERS)

    def _route_left(self, seen: Seen) -> tuple[str, ...]:
        return () if self._route is None or self._routed_by_argo(seen) else self._route.left(self._backends(seen))

    def _own_route(self, seen: Seen) -> RouteOf:
        if self._route is None:
            raise KubernetesError(
                f"{seen.name}: must have a router in trafficRouting, or {self._service} a route in the staging file"
            )
        return self._route

    def _backends(self, seen: Seen) -> dict[str, str]:
        """By version; of a Rollout at rest the canary's Service is nobody's."""
        canary = seen.desired if seen.under_way else ""
        return {seen.stable: seen.strategy["stableService"], canary: seen.strategy["canaryService"]}

    def _weight(self, seen: Seen) -> int:
        """Of the canary, in percent, as Argo has it in its status."""
        weights = seen.status.get("canary", {}).get("weights") or {}
        return int(weights.get("canary", {}).get("weight", 0))

    # -- change -------------------------------------------------------------------------------------------------

    def _steer(self, version: str, replicas: int, weight: int) -> None:
        """The version's image, and steps for so many replicas and that weight; the Rollout's own are put aside.

        Raises NotSettled for a rollout that somebody has aborted: new steps would make it go on.
        """
        refuse_invalid(self._see())

        def edit(body: Object) -> None:
            canary = body["spec"]["strategy"]["canary"]
            kept = body["metadata"].setdefault("annotations", {})
            kept.setdefault(_STEPS, json.dumps(canary.get("steps")))
            canary["steps"] = [{"setCanaryScale": {"replicas": replicas}}, {"setWeight": weight}, {"pause": {}}]
            container_of(body, self._rollout.container)["image"] = self._rollout.images[version]

        self._api.change(ROLLOUT, self._rollout.name, edit)

    def _abort(self, timeout_s: float) -> None:
        """All requests to the stable version first, then its image again: nothing of the canary is left."""
        seen = self._see()
        if not self._routed_by_argo(seen):
            self.route({seen.stable: 1.0}, timeout_s)
        self._api.patch(ROLLOUT, self._rollout.name, {"status": {"abort": True}}, part="status")
        until(lambda: None if self._weight(self._see()) == 0 else f"{seen.name}: weight after abort", timeout_s)

        def edit(body: Object) -> None:
            container_of(body, self._rollout.container)["image"] = self._rollout.images[seen.stable]
            _restore_steps(body)

        self._api.change(ROLLOUT, self._rollout.name, edit)
        until(lambda: self._unhealthy(seen.stable), timeout_s + seen.delay_s)

    def _promote(self, timeout_s: float) -> None:
        """The canary becomes the stable version, with as many replicas as it has."""
        seen = self._see()
        replicas = seen.count(seen.desired, "spec", "replicas")
        self._api.patch(ROLLOUT, self._rollout.name, {"spec": {"replicas": replicas}})
        self._api.patch(ROLLOUT, self._rollout.name, {"status": {"promoteFull": True}}, part="status")
        until(lambda: self._unhealthy(seen.desired), timeout_s + seen.delay_s)
        self._api.change(ROLLOUT, self._rollout.name, _restore_steps)
        if not self._routed_by_argo(seen):
            self.route({seen.desired: 1.0}, timeout_s)

    def _unhealthy(self, version: str) -> str | None:
        """What keeps the Rollout from being at rest with this version."""
        seen = self._see()
        if seen.under_way or seen.stable != version:
            return f"{seen.name}: is on the way from {seen.stable} to {seen.desired}, must be at {version}"
        for each in seen.sets.keys() - {version}:
            if seen.count(each, "spec", "replicas") or seen.count(each, "status", "replicas"):
                return f"{seen.name}: replicas of {each} have not ended yet"
        phase = seen.status.get("phase")
        return None if phase == "Healthy" else f"{seen.name}: {phase} {seen.status.get('message', '')}"

    def _lacking(self, version: str, replicas: int) -> str | None:
        seen = self._see()
        lacking = replicas_lacking(seen, version, replicas)
        if lacking is None and replicas and seen.under_way and version == seen.desired and not _paused(seen):
            return f"{seen.name}: {seen.status.get('phase')}, not yet at the pause"
        return lacking

    def _weight_lacking(self, weight: int) -> str | None:
        seen = self._see()
        refuse_invalid(seen)
        found = self._weight(seen)
        if found != weight or not _paused(seen):
            return f"{seen.name}: canary's weight is {found} ({seen.status.get('phase')}), must be {weight}"
        if (seen.status.get("canary", {}).get("weights") or {}).get("verified") is False:
            return f"{seen.name}: its router has not confirmed the weight"
        return None


def _of(seen: Seen, weights: Mapping[str, float]) -> dict[str, float]:
    """At rest the canary's Service gets none."""
    return dict(weights) if seen.under_way else {seen.stable: 1.0}


def _annotations(body: Object) -> dict[str, str]:
    return dict(body["metadata"].get("annotations") or {})


def _restore_steps(body: Object) -> None:
    kept = (body["metadata"].get("annotations") or {}).pop(_STEPS, None)
    if kept is None:
        return
    canary, steps = body["spec"]["strategy"]["canary"], json.loads(kept)
    if steps is None:
        canary.pop("steps", None)
    else:
        canary["steps"] = steps


def _paused(seen: Seen) -> bool:
    return seen.status.get("currentStepIndex") == _PAUSED_AT and bool(seen.status.get("pauseConditions"))
