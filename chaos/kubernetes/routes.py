"""Shares of requests by the weights of an HTTPRoute (Gateway API): set, accepted by the gateways, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chaos.kubernetes.api import HTTP_ROUTE, Api, Object
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import Route
from chaos.kubernetes.settling import condition, until

# Weights are whole numbers; shares are told apart in ten-thousandths everywhere in the harness.
_WHOLE = 10_000
_TOLERANCE = 0.5 / _WHOLE

__all__ = ["set_shares", "shares"]


def shares(api: Api, route: Route, backends: Mapping[str, str]) -> dict[str, float]:
    """The share of each version (sum 1), those with none left out; `backends` is each version's Service.

    Raises KubernetesError when rules disagree or send elsewhere: then nothing can be said about the service.
    """
    found = {tuple(_of_rule(refs, backends, route.name).items()) for refs in _rules(api.get(HTTP_ROUTE, route.name))}
    found.discard(())
    if len(found) != 1:
        raise KubernetesError(
            f"HTTPRoute {route.name}: {len(found)} different weights for {', '.join(sorted(backends.values()))} in its "
            "rules; must be 1"
        )
    return dict(found.pop())


def set_shares(
    api: Api, route: Route, backends: Mapping[str, str], wanted: Mapping[str, float], timeout_s: float
) -> None:
    """Put the shares in force in every rule that knows the versions. Raises KubernetesError, NotSettled."""

    def edit(body: Object) -> None:
        for refs in _rules(body):
            if not _of_rule(refs, backends, route.name):
                continue
            for version, service in backends.items():
                weight = round(wanted.get(version, 0.0) * _WHOLE)
                ref = next((each for each in refs if each["name"] == service), None)
                if ref is not None:
                    ref["weight"] = weight
                elif weight:
                    raise KubernetesError(f"HTTPRoute {route.name}: a rule has no backendRef of Service {service}")

    api.change(HTTP_ROUTE, route.name, edit)
    until(lambda: _lacking(api, route, backends, wanted), timeout_s)


def _rules(body: Object) -> Iterator[list[dict[str, Any]]]:
    for rule in body["spec"].get("rules", []):
        yield rule.get("backendRefs", [])


def _of_rule(refs: list[dict[str, Any]], backends: Mapping[str, str], name: str) -> dict[str, float]:
    """Shares by one rule; none for a rule that knows none of the versions."""
    ours = {service: version for version, service in backends.items()}
    weights = {ref["name"]: ref.get("weight", 1) for ref in refs}
    if not ours.keys() & weights.keys():
        return {}
    strangers = sorted(weights.keys() - ours.keys())
    if strangers:
        raise KubernetesError(f"HTTPRoute {name}: a rule also sends to {', '.join(strangers)}: shares cannot be told")
    total = sum(weights.values())
    if not total:
        raise KubernetesError(f"HTTPRoute {name}: the weights of a rule are all 0")
    return {ours[service]: weight / total for service, weight in sorted(weights.items()) if weight}


def _lacking(api: Api, route: Route, backends: Mapping[str, str], wanted: Mapping[str, float]) -> str | None:
    found = shares(api, route, backends)
    if any(abs(found.get(each, 0.0) - wanted.get(each, 0.0)) > _TOLERANCE for each in backends):
        return f"HTTPRoute {route.name} has {found}, must have {dict(wanted)}"
    return _refused(api.get(HTTP_ROUTE, route.name), route) if route.confirm == "accepted" else None


def _refused(body: Object, route: Route) -> str | None:
    """What its gateways say against the route as it is now; a gateway that has not seen it yet counts as against."""
    generation = body["metadata"]["generation"]
    parents = body.get("status", {}).get("parents", [])
    if not parents:
        return f"HTTPRoute {route.name}: no gateway has taken it up (status.parents is empty)"
    for parent in parents:
        for kind in ("Accepted", "ResolvedRefs"):
            said = condition(parent.get("conditions", []), kind)
            seen = said.get("observedGeneration", 0) >= generation
            if not seen or said.get("status") != "True":
                gateway = parent["parentRef"]["name"]
                return f"HTTPRoute {route.name}: {kind} by {gateway} is {said.get('status')} {said.get('message', '')}"
    return None
