"""Who answers a service's requests, by an HTTPRoute: written, accepted by the gateways, read back.

Weights are the route's own. Cohorts' rules and copies are a drill's: the rules without them are put aside on the object
itself in the same write, so that whoever finds the annotation can put them back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chaos.kubernetes import rules
from chaos.kubernetes.api import HTTP_ROUTE, Api, Object, Right
from chaos.kubernetes.models import Route
from chaos.kubernetes.rules import Rule, Traffic, Versions
from chaos.kubernetes.settling import condition, until

_RULES = "windtunnel/rules"
# By type: what a gateway must say of a route; it need not say the last one at all.
_MUST_BE = {"Accepted": "True", "ResolvedRefs": "True", "PartiallyInvalid": "False"}
_MAY_BE_UNSAID = {"PartiallyInvalid"}

__all__ = ["RouteOf"]


class RouteOf:
    """The HTTPRoute of one service. Calls block, and raise KubernetesError or NotSettled."""

    def __init__(self, api: Api, route: Route) -> None:
        self._api = api
        self._route = route

    @property
    def name(self) -> str:
        """For people."""
        return f"HTTPRoute {self._route.name}"

    def traffic(self, backends: Mapping[str, str]) -> Traffic:
        """What is in force; `backends` is each version's Service."""
        return _traffic(self._get(), self._versions(backends))

    def send(
        self,
        backends: Mapping[str, str],
        weights: Mapping[str, float],
        cohorts: Mapping[str, Mapping[str, float]],
        timeout_s: float,
    ) -> None:
        """Put shares in force; copies go on as they are."""
        versions = self._versions(backends)

        def wanted(body: Object) -> Traffic:
            found = rules.copied(_rules(body), versions) if _own(body) is not None else {}
            return Traffic(weights, cohorts, found)

        self._put(versions, wanted, timeout_s)

    def mirror(self, backends: Mapping[str, str], version: str, share: float, timeout_s: float) -> None:
        """Copy this share of the requests to the version; shares stay as they are."""
        versions = self._versions(backends)

        def wanted(body: Object) -> Traffic:
            found = _traffic(body, versions)
            return replace(found, copies={**found.copies, version: share})

        self._put(versions, wanted, timeout_s)

    def left(self, backends: Mapping[str, str]) -> tuple[str, ...]:
        """What else than weights is in force: a line each."""
        body = self._get()
        if _own(body) is None:
            return ()
        found = _traffic(body, self._versions(backends))
        lines = [f"{self.name} has a drill's rules"]
        lines += [f"{self.name}: cohort {cohort} has {dict(shares)}" for cohort, shares in found.cohorts.items()]
        lines += [f"{self.name}: {share:g} of the requests are copied to {to}" for to, share in found.copies.items()]
        return tuple(lines)

    def clear(self, backends: Mapping[str, str], timeout_s: float) -> None:
        """Its own rules, with the weights that are in force."""
        versions = self._versions(backends)
        if _own(self._get()) is not None:
            self._put(versions, lambda body: Traffic(_traffic(body, versions).weights), timeout_s)

    def rights(self) -> Iterator[Right]:
        """That all of this needs."""
        yield from (Right(verb, HTTP_ROUTE, self._route.name) for verb in ("get", "update"))

    def unfit(self, backends: Mapping[str, str]) -> Iterator[str]:
        """Why shares could not be put in force: a line each."""
        body = self._get()
        yield from rules.without_backend(_rules(body), self._versions(backends))
        refused = _refused(body) if self._route.confirm == "accepted" else None
        if refused is not None:
            yield f"{refused} (with gateways that write no status: confirm: spec)"

    def unroutable(self, backends: Mapping[str, str], cohorts: Collection[str]) -> str | None:
        """Why it cannot have rules for all of these cohorts. Raises KubernetesError when it matches on cohorts."""
        body, versions = self._get(), self._versions(backends)
        weights = _traffic(body, versions).weights
        wanted = rules.written(_rules(body), versions, Traffic(weights, dict.fromkeys(cohorts, weights)))
        beyond = rules.beyond_limits(wanted)
        return None if beyond is None else f"{self.name} would have {beyond}"

    def made_of(self) -> str:
        """The digest of all that it is besides weights."""
        spec = json.loads(json.dumps(self._get()["spec"]))
        for rule in spec.get("rules", []):
            for ref in rule.get("backendRefs", []):
                ref.pop("weight", None)
        return f"spec {hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]}"

    def _versions(self, backends: Mapping[str, str]) -> Versions:
        return Versions(self._route.name, backends, self._route.copies)

    def _get(self) -> Object:
        return self._api.get(HTTP_ROUTE, self._route.name)

    def _put(self, versions: Versions, wanted: Callable[[Object], Traffic], timeout_s: float) -> None:
        """Returns when it reads back, and the gateways have accepted it."""
        ordered: list[Traffic] = []

        def edit(body: Object) -> None:
            traffic = wanted(body)
            own = _own(body) or _rules(body)
            body["spec"]["rules"] = rules.written(own, versions, traffic)
            annotations = body["metadata"].setdefault("annotations", {})
            if traffic.plain:
                annotations.pop(_RULES, None)
            else:
                annotations[_RULES] = json.dumps(own)
            ordered.append(traffic)

        self._api.change(HTTP_ROUTE, self._route.name, edit)
        until(lambda: self._lacking(versions, ordered[-1]), timeout_s)

    def _lacking(self, versions: Versions, wanted: Traffic) -> str | None:
        body = self._get()
        found = _traffic(body, versions)
        if not found.same(wanted):
            return f"{self.name} has {found}, must have {wanted}"
        return _refused(body) if self._route.confirm == "accepted" else None


def _rules(body: Object) -> list[Rule]:
    return list(body["spec"].get("rules", []))


def _own(body: Object) -> list[Rule] | None:
    """The route's own rules where a drill has put them aside, with the weights of that moment."""
    kept = (body["metadata"].get("annotations") or {}).get(_RULES)
    return None if kept is None else list(json.loads(kept))


def _traffic(body: Object, versions: Versions) -> Traffic:
    return rules.read(_rules(body), versions, steered=_own(body) is not None)


def _refused(body: Object) -> str | None:
    """What its gateways say against the route as it is now; a gateway that has not seen it yet counts as against."""
    name = body["metadata"]["name"]
    parents = body.get("status", {}).get("parents", [])
    if not parents:
        return f"HTTPRoute {name}: no gateway has taken it up (status.parents is empty)"
    for parent in parents:
        for kind, status in _MUST_BE.items():
            said = condition(parent.get("conditions", []), kind)
            if not said and kind in _MAY_BE_UNSAID:
                continue
            if said.get("status") != status or not _seen(said, body):
                gateway = parent["parentRef"]["name"]
                return f"HTTPRoute {name}: {kind} by {gateway} is {said.get('status')} {said.get('message', '')}"
    return None


def _seen(said: dict[str, Any], body: Object) -> bool:
    return int(said.get("observedGeneration", 0)) >= int(body["metadata"]["generation"])
