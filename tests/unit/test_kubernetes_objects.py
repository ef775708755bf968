"""What a cluster's objects say, and what cannot be said of them: selectors, staging file, gate."""

from typing import Any

import pytest
from pydantic import ValidationError

from chaos.kubernetes.errors import KubernetesError, NotThisStaging
from chaos.kubernetes.gate import require_staging
from chaos.kubernetes.models import Kubernetes, ServiceTarget
from chaos.kubernetes.pods import owned, running, selector_of


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


def test_objects_are_told_apart_by_their_owner_where_labels_do_not() -> None:
    def made(uid: str, *owners: str) -> dict[str, Any]:
        return {"metadata": {"uid": uid, "ownerReferences": [{"uid": owner} for owner in owners]}}

    orphan = {"metadata": {"uid": "d"}}
    assert owned([made("a", "old"), made("b", "new"), made("c", "audit", "old"), orphan], [made("old")]) == [
        made("a", "old"),
        made("c", "audit", "old"),
    ]


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


MARKED = {"windtunnel/staging": "token-1"}


class OneNamespace:
    def __init__(self, server: str, annotations: dict[str, str], context: str, cluster: str) -> None:
        self.context = context
        self.cluster = cluster
        self._server = server
        self._annotations = annotations

    def server(self) -> str:
        return self._server

    def annotations(self) -> dict[str, str]:
        return self._annotations


@pytest.mark.parametrize(
    ("server", "context", "cluster", "namespace", "annotations", "why"),
    [
        ("https://10.0.0.1", "staging", "eu", "shop", {}, "has no annotation windtunnel/staging"),
        ("https://10.0.0.1", "staging", "eu", "shop", {"windtunnel/staging": "other"}, "marker of another staging"),
        ("https://10.0.0.1", "staging", "eu", "shop-prod", MARKED, "namespace 'shop-prod' looks"),
        ("https://10.0.0.1", "live", "eu", "shop", MARKED, "context 'live' looks"),
        ("https://10.0.0.1", "staging", "eu-prod", "shop", MARKED, "cluster 'eu-prod' looks"),
        ("https://api.production.example", "staging", "eu", "shop", MARKED, "server 'api.production"),
    ],
)
def test_cluster_that_is_not_this_staging_is_refused(
    server: str, context: str, cluster: str, namespace: str, annotations: dict[str, str], why: str
) -> None:
    config = Kubernetes.model_validate({"namespace": namespace, "services": {"checkout": {"deployments": {"1": "a"}}}})
    with pytest.raises(NotThisStaging, match=why):
        require_staging(OneNamespace(server, annotations, context, cluster), config, "token-1")  # type: ignore[arg-type]


def test_marked_namespace_is_this_staging() -> None:
    config = Kubernetes.model_validate({"namespace": "shop", "services": {"checkout": {"deployments": {"1": "a"}}}})
    require_staging(OneNamespace("https://10.0.0.1", MARKED, "staging", "eu"), config, "token-1")  # type: ignore[arg-type]
