"""What would keep a drill from ending well is told before it begins, and nothing is changed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes import client
from ruamel.yaml import YAML

from chaos.kubernetes.api import DEPLOYMENT, HTTP_ROUTE, ROLLOUT, Api, Kind, Object
from chaos.kubernetes.errors import KubernetesError
from chaos.proof import Proof
from chaos.realise import NotRealisable
from chaos.staging.adapters import open_staging
from chaos.staging.files.fitting import require_baseline
from chaos.staging.files.loading import load_staging
from scenarios.loading import load_text
from tests.cluster.shop_objects import CANARY, STABLE, image
from tests.cluster.stagings import RELEASE, canary, deployments_service, rollout_service, staging_file, windtunnel

pytestmark = pytest.mark.cluster

GATEWAY = "http://127.0.0.1:9"  # nobody asks it before the cluster was looked at
CORE, APPS, ROUTES = "", "apps", "gateway.networking.k8s.io"
READING = [
    (CORE, ["namespaces"], ["get"]),
    (CORE, ["pods"], ["list"]),
    (APPS, ["deployments", "replicasets"], ["get", "list"]),
    (ROUTES, ["httproutes"], ["get"]),
]


def refused(file: Path, folder: Path, error: type[Exception], why: str, release: str | None = None) -> None:
    """The example's release, before anything of it starts."""
    scenario = load_text(release or RELEASE.read_text(), "release.yaml")
    with pytest.raises(error, match=why):
        require_baseline(scenario, scenario.release.strategy, open_staging(load_staging(file), folder / "state"))


def trial(api: Api, kind: Kind, name: str, edit: Callable[[Object], None], look: Callable[[], None]) -> None:
    """Look at an object while it is edited."""
    own = copy.deepcopy(api.get(kind, name)["spec"])
    api.change(kind, name, lambda body: edit(body["spec"]))
    try:
        look()
    finally:
        api.change(kind, name, lambda body: body.update(spec=own))


@pytest.fixture
def rollout(api: Api, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The staging file of one with three replicas."""
    monkeypatch.setenv("SHOP_KUBECONFIG", str(kubeconfig))
    return staging_file(tmp_path, api, GATEWAY, rollout_service(api, confirm="spec"))


@pytest.fixture
def deployments(api: Api, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_KUBECONFIG", str(kubeconfig))
    return staging_file(tmp_path, api, GATEWAY, deployments_service(api))


def canary_has_a_share(spec: Object) -> None:
    for rule in spec["rules"][:2]:
        rule["backendRefs"][1]["weight"] = 1


def test_rollout_that_would_not_follow_is_refused(api: Api, rollout: Path, tmp_path: Path) -> None:
    def refuses(why: str, error: type[Exception] = NotRealisable) -> Callable[[], None]:
        return lambda: refused(rollout, tmp_path, error, why)

    trial(api, ROLLOUT, "checkout", lambda spec: spec.update(paused=True), refuses(r"spec\.paused is true"))
    trial(api, HTTP_ROUTE, "checkout", lambda spec: spec["rules"][1]["backendRefs"].pop(),
          refuses(r"HTTPRoute checkout: spec\.rules\[1\]\.backendRefs: must also name checkout-canary"))  # fmt: skip
    trial(api, HTTP_ROUTE, "checkout", lambda spec: spec["rules"][0]["backendRefs"].append({"name": "old", "port": 80}),
          refuses(r"HTTPRoute checkout: a rule also sends to old", KubernetesError))  # fmt: skip
    trial(api, HTTP_ROUTE, "checkout", canary_has_a_share,
          refuses("HTTPRoute checkout: checkout-canary has a share of the requests, must have weight 0"))  # fmt: skip
    api.patch(ROLLOUT, "checkout", {"metadata": {"annotations": {"windtunnel/steps": "null"}}})
    refuses("Rollout checkout has a drill's steps: must be at rest")()
    api.patch(ROLLOUT, "checkout", {"metadata": {"annotations": {"windtunnel/steps": None}}})
    new = lambda spec: spec["template"]["spec"]["containers"][0].update(image=image(CANARY))  # noqa: E731
    trial(api, ROLLOUT, "checkout", new, refuses(r"Rollout checkout is on the way to 2\.4: must be at rest"))


@pytest.fixture
def unconfirmed(deployments: Path) -> Path:
    """The same, whose route no gateway has to accept."""
    data = json.loads(deployments.read_text())
    data["kubernetes"]["services"]["checkout"]["route"]["confirm"] = "spec"
    deployments.write_text(json.dumps(data))
    return deployments


def test_autoscaler_is_refused_before_a_drill_and_drift_in_it(api: Api, unconfirmed: Path, tmp_path: Path) -> None:
    proof = Proof(open_staging(load_staging(unconfirmed), tmp_path / "state"), tmp_path)
    proof.take_baseline()
    target = client.V2CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name="checkout-2-4")
    spec = client.V2HorizontalPodAutoscalerSpec(min_replicas=1, max_replicas=5, scale_target_ref=target)
    body = client.V2HorizontalPodAutoscaler(metadata=client.V1ObjectMeta(name="keen"), spec=spec)
    autoscaling = client.AutoscalingV2Api(api.connection)
    autoscaling.create_namespaced_horizontal_pod_autoscaler(api.namespace, body, _request_timeout=10.0)
    refused(unconfirmed, tmp_path, NotRealisable, "Deployment checkout-2-4: HorizontalPodAutoscaler keen orders")
    assert proof.compare("meanwhile") == [
        "HorizontalPodAutoscaler keen: orders replicas of Deployment checkout-2-4, was not there"
    ]


def test_cohorts_that_the_route_cannot_have_are_refused(api: Api, unconfirmed: Path, tmp_path: Path) -> None:
    def six(spec: Object) -> None:
        refs = spec["rules"][0]["backendRefs"]
        paths = [{"matches": [{"path": {"value": f"/{number}"}}], "backendRefs": refs} for number in range(4)]
        spec["rules"] = [*spec["rules"], *paths]

    api.change(HTTP_ROUTE, "checkout", lambda body: six(body["spec"]))
    scenario = YAML(typ="safe").load(RELEASE)
    scenario["functions"]["checkout"]["cohorts"] = {"coupon": "40%", "staff": "1%"}
    scenario["release"]["strategy"] = canary({"cohort": "staff"}, {"cohort": "coupon"})
    why = r"canary\.steps\[1\]\.cohort: HTTPRoute checkout would have 19 rules, must be at most 16"
    refused(unconfirmed, tmp_path, NotRealisable, why, json.dumps(scenario))
    # as the API server itself has it
    surface = open_staging(load_staging(unconfirmed), tmp_path / "state").surface
    everybody = {STABLE: 1.0}
    surface.route("checkout", everybody, {"staff": everybody})
    with pytest.raises(KubernetesError, match="Too many: 19: must have at most 16 items"):
        surface.route("checkout", everybody, {"staff": everybody, "coupon": everybody})


def test_route_that_no_gateway_takes_up_is_refused(deployments: Path, tmp_path: Path) -> None:
    refused(deployments, tmp_path, NotRealisable, r"no gateway has taken it up .*confirm: spec")


def account(api: Api, kubeconfig: Path, folder: Path, rules: list[tuple[str, list[str], list[str]]]) -> Path:
    """The kubeconfig of an account that has these rights in the namespace."""
    core, access = client.CoreV1Api(api.connection), client.RbacAuthorizationV1Api(api.connection)
    about, wait = client.V1ObjectMeta(name="drill"), {"_request_timeout": 10.0}
    core.create_namespaced_service_account(api.namespace, client.V1ServiceAccount(metadata=about), **wait)
    role = client.V1Role(
        metadata=about,
        rules=[client.V1PolicyRule(api_groups=[group], resources=what, verbs=verbs) for group, what, verbs in rules],
    )
    access.create_namespaced_role(api.namespace, role, **wait)
    binding = client.V1RoleBinding(
        metadata=about,
        role_ref=client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="drill"),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name="drill", namespace=api.namespace)],
    )
    access.create_namespaced_role_binding(api.namespace, binding, **wait)
    asked = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=3600))
    token = core.create_namespaced_service_account_token("drill", api.namespace, asked, **wait)
    config = json.loads(kubeconfig.read_text())
    config["users"][0]["user"]["token"] = token.status.token
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_account_without_the_rights_to_undo_is_refused_and_nothing_is_changed(
    api: Api, kubeconfig: Path, deployments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [*READING, ("autoscaling", ["horizontalpodautoscalers"], ["list"]), (APPS, ["deployments"], ["patch"])]
    monkeypatch.setenv("SHOP_KUBECONFIG", str(account(api, kubeconfig, tmp_path, rules)))
    before = api.get(DEPLOYMENT, "checkout-2-4")["spec"]
    told = windtunnel("drill", str(RELEASE), "--staging", str(deployments), "--good", "--out", str(tmp_path / "runs"),
                      "--state", str(tmp_path / "state"))  # fmt: skip
    assert told.returncode == 2, told.stdout + told.stderr
    lines = re.findall(rf"namespace {api.namespace}: the account may not (.*)", told.stderr)
    assert lines == ["delete pods", "update httproutes.gateway.networking.k8s.io checkout"]
    assert not (tmp_path / "runs").exists()
    assert api.get(DEPLOYMENT, "checkout-2-4")["spec"] == before


def test_account_that_the_server_does_not_know_is_told(
    kubeconfig: Path, deployments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads(kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "long-expired"
    (tmp_path / "expired").write_text(json.dumps(config))
    monkeypatch.setenv("SHOP_KUBECONFIG", str(tmp_path / "expired"))
    refused(deployments, tmp_path, KubernetesError, "401: the API server does not know the account: has its token")


def test_account_with_the_rights_of_the_documents_may_drill(
    api: Api, kubeconfig: Path, unconfirmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (RELEASE.parent / "role.yaml").read_text()
    rules = [(rule["apiGroups"][0], rule["resources"], rule["verbs"]) for rule in YAML(typ="safe").load(text)["rules"]]
    monkeypatch.setenv("SHOP_KUBECONFIG", str(account(api, kubeconfig, tmp_path, rules)))
    scenario = load_text(RELEASE.read_text(), "release.yaml")
    require_baseline(scenario, scenario.release.strategy, open_staging(load_staging(unconfirmed), tmp_path / "state"))
