"""What a cluster's objects say, and what cannot be said of them: routes, selectors, staging file, gate."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from chaos.errors import NotSettled
from chaos.kubernetes import routes
from chaos.kubernetes.errors import KubernetesError, NotThisStaging
from chaos.kubernetes.gate import require_staging
from chaos.kubernetes.models import Kubernetes, Route, ServiceTarget
from chaos.kubernetes.pods import running, selector_of

BACKENDS = {"2.3": "old", "2.4": "new"}


class OneRoute:
    """An API with one HTTPRoute; `gateways` act on it after each change."""

    def __init__(
        self, *rules: list[dict[str, Any]], gateways: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> None:
        refs = [{"backendRefs": rule} for rule in rules]
        self.body: dict[str, Any] = {"metadata": {"name": "shop", "generation": 1}, "spec": {"rules": refs}}
        self._gateways = gateways

    def get(self, kind: object, name: str) -> dict[str, Any]:
        return self.body

    def change(self, kind: object, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
        edit(self.body)
        self.body["metadata"]["generation"] += 1
        self._gateways(self.body)


def ref(name: str, weight: int | None = None) -> dict[str, Any]:
    return {"name": name} if weight is None else {"name": name, "weight": weight}


def shares_of(*rules: list[dict[str, Any]]) -> dict[str, float]:
    return routes.shares(OneRoute(*rules), Route(name="shop"), BACKENDS)  # type: ignore[arg-type]


def test_shares_are_weights_by_their_sum() -> None:
    assert shares_of([ref("old", 3), ref("new", 1)]) == {"2.3": 0.75, "2.4": 0.25}
    assert shares_of([ref("old"), ref("new", 0)]) == {"2.3": 1.0}
    assert shares_of([ref("old", 9), ref("new", 1)], [ref("assets")]) == {"2.3": 0.9, "2.4": 0.1}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (([ref("old", 3), ref("new", 1)], [ref("old", 1)]), "2 different weights"),
        (([ref("assets")],), "0 different weights for new, old"),
        (([ref("old", 3), ref("third", 1)],), "also sends to third"),
        (([ref("old", 0), ref("new", 0)],), "weights of a rule are all 0"),
    ],
)
def test_routes_that_cannot_be_told_are_refused(rules: tuple[list[dict[str, Any]], ...], why: str) -> None:
    with pytest.raises(KubernetesError, match=why):
        shares_of(*rules)


def set_to(api: OneRoute, share: float, confirm: str) -> None:
    route = Route.model_validate({"name": "shop", "confirm": confirm})
    wanted = {"2.3": 1.0 - share, "2.4": share}
    routes.set_shares(api, route, BACKENDS, wanted, 0.0)  # type: ignore[arg-type]


def test_shares_are_set_in_every_rule_and_read_back() -> None:
    api = OneRoute([ref("old"), ref("new", 0)], [ref("assets")], [ref("old", 7), ref("new", 0)])
    set_to(api, 0.125, "spec")
    first, assets, third = (rule["backendRefs"] for rule in api.body["spec"]["rules"])
    assert first == third == [ref("old", 8750), ref("new", 1250)]
    assert assets == [ref("assets")]


def test_version_without_a_backend_gets_no_weight() -> None:
    with pytest.raises(KubernetesError, match="no backendRef of Service new"):
        set_to(OneRoute([ref("old")]), 0.5, "spec")
    set_to(OneRoute([ref("old")]), 0.0, "spec")


def says(status: str, generation: int = 2) -> Callable[[dict[str, Any]], None]:
    conditions = [
        {"type": kind, "status": status, "message": "no such port", "observedGeneration": generation}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parents = [{"parentRef": {"name": "edge"}, "conditions": conditions}]
    return lambda body: body.update(status={"parents": parents})


@pytest.mark.parametrize(
    ("gateways", "why"),
    [
        (lambda _: None, "no gateway has taken it up"),
        (says("False"), "Accepted by edge is False no such port"),
        (says("True", generation=1), "Accepted by edge"),
    ],
)
def test_weights_are_in_force_when_the_gateways_have_accepted_them(
    gateways: Callable[[dict[str, Any]], None], why: str
) -> None:
    with pytest.raises(NotSettled, match=why):
        set_to(OneRoute([ref("old"), ref("new", 0)], gateways=gateways), 0.5, "accepted")


def test_accepted_weights_are_in_force() -> None:
    set_to(OneRoute([ref("old"), ref("new", 0)], gateways=says("True")), 0.5, "accepted")


def test_selectors_of_labels_only() -> None:
    owner = {"metadata": {"name": "shop"}, "spec": {"selector": {"matchLabels": {"app": "shop", "tier": "web"}}}}
    assert selector_of(owner) == "app=shop,tier=web"
    owner["spec"]["selector"]["matchExpressions"] = [{"key": "app", "operator": "Exists"}]  # type: ignore[assignment]
    with pytest.raises(KubernetesError, match="matchExpressions"):
        selector_of(owner)


def test_pods_that_end_do_not_run() -> None:
    def pod(name: str, phase: str, **more: str) -> dict[str, Any]:
        return {"metadata": {"name": name, **more}, "status": {"phase": phase}}

    pods = [pod("b", "Running"), pod("a", "Running"), pod("c", "Pending"), pod("d", "Running", deletionTimestamp="now")]
    assert [each["metadata"]["name"] for each in running(pods)] == ["a", "b"]


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ({}, "must have either deployments or rollout"),
        ({"deployments": {"1": "a", "2": "a"}}, "deployments must differ"),
        ({"deployments": {"1": "a"}, "route": {"name": "r", "backends": {"2": "s"}}}, "must be of the versions"),
        ({"rollout": {"name": "r", "container": "c", "images": {"1": "i", "2": "i"}}}, "images must differ"),
        (
            {
                "rollout": {"name": "r", "container": "c", "images": {"1": "i"}},
                "route": {"name": "r", "backends": {"1": "s"}},
            },
            "must be left out",
        ),
        ({"deployments": {"1": "Not_A_Name"}}, "should match pattern"),
    ],
)
def test_targets_that_cannot_be_are_refused(target: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        ServiceTarget.model_validate(target)


class OneNamespace:
    def __init__(self, server: str, annotations: dict[str, str]) -> None:
        self._server = server
        self._annotations = annotations

    def server(self) -> str:
        return self._server

    def annotations(self) -> dict[str, str]:
        return self._annotations


@pytest.mark.parametrize(
    ("server", "context", "namespace", "annotations", "why"),
    [
        ("https://10.0.0.1", "staging", "shop", {}, "has no annotation windtunnel/staging"),
        ("https://10.0.0.1", "staging", "shop", {"windtunnel/staging": "other"}, "marker of another staging"),
        ("https://10.0.0.1", "staging", "shop-prod", {"windtunnel/staging": "token-1"}, "namespace 'shop-prod' looks"),
        ("https://10.0.0.1", "live", "shop", {"windtunnel/staging": "token-1"}, "context 'live' looks"),
        ("https://api.production.example", None, "shop", {"windtunnel/staging": "token-1"}, "server 'api.production"),
    ],
)
def test_cluster_that_is_not_this_staging_is_refused(
    server: str, context: str | None, namespace: str, annotations: dict[str, str], why: str
) -> None:
    services = {"checkout": {"deployments": {"1": "a"}}}
    config = Kubernetes.model_validate({"context": context, "namespace": namespace, "services": services})
    with pytest.raises(NotThisStaging, match=why):
        require_staging(OneNamespace(server, annotations), config, "token-1")  # type: ignore[arg-type]


def test_marked_namespace_is_this_staging() -> None:
    config = Kubernetes.model_validate({"namespace": "shop", "services": {"checkout": {"deployments": {"1": "a"}}}})
    require_staging(OneNamespace("https://10.0.0.1", {"windtunnel/staging": "token-1"}), config, "token-1")  # type: ignore[arg-type]
