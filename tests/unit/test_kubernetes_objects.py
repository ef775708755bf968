"""What a cluster's objects say, and what cannot be said of them: selectors, staging file, gate."""

from typing import Any

import pytest
from pydantic import ValidationError

from chaos.kubernetes.errors import KubernetesError, NotThisStaging
from chaos.kubernetes.gate import require_staging
from chaos.kubernetes.models import Kubernetes, ServiceTarget
from chaos.kubernetes.pods import running, selector_of


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
        (
            {"deployments": {"1": "a"}, "route": {"name": "r", "backends": {"1": "s"}, "copies": {"2": "s"}}},
            "copies.*must be of the service's versions",
        ),
        (
            {
                "rollout": {"name": "r", "container": "c", "images": {"1": "i"}, "strategy": "blue-green"},
                "route": {"name": "r"},
            },
            "route must be left out: a blue-green Rollout",
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
