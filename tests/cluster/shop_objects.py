"""A shop in a namespace: two Deployments or a Rollout, their Services, and the route to them."""

from typing import Any

from kubernetes import client

from chaos.kubernetes.api import DEPLOYMENT, HTTP_ROUTE, ROLLOUT, Api, Kind, Object

STABLE, CANARY = "2.3", "2.4"
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
SERVICES = Kind("", "v1", "services", "Service")
STEPS = [{"setWeight": 20}, {"pause": {"duration": "1h"}}]


def image(version: str) -> str:
    return f"example.invalid/checkout:{version}"


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


def pod_template(labels: dict[str, str], version: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "checkout", "image": image(version)}
    return {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }


def create(api: Api, kind: Kind, body: Object) -> None:
    body = {"apiVersion": f"{kind.group}/{kind.version}", "kind": kind.name, **body}
    client.CustomObjectsApi(api.connection).create_namespaced_custom_object(
        kind.group, kind.version, api.namespace, kind.plural, body, _request_timeout=10.0
    )


def create_service(api: Api, name: str, selector: dict[str, str]) -> None:
    port = client.V1ServicePort(port=80, target_port=8080)
    body = client.V1Service(
        metadata=client.V1ObjectMeta(name=name), spec=client.V1ServiceSpec(selector=selector, ports=[port])
    )
    client.CoreV1Api(api.connection).create_namespaced_service(api.namespace, body, _request_timeout=10.0)


def create_deployment(api: Api, version: str, replicas: int, **spec: Any) -> str:
    """With a Service of the same name, which is returned."""
    name = f"checkout-{version.replace('.', '-')}"
    labels = {"app": "checkout", "version": version}
    create_service(api, name, labels)
    body = named(
        name,
        spec={
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": labels},
            "template": pod_template(labels, version, **spec),
        },
    )
    create(api, DEPLOYMENT, body)
    return name


def create_route(api: Api, old: str, new: str) -> None:
    """Two rules that lead there, and one that leads elsewhere."""
    refs = [{"name": old, "port": 80, "weight": 1}, {"name": new, "port": 80, "weight": 0}]
    orders = {"name": "orders", "matches": [{"path": {"type": "Exact", "value": "/orders"}}], "backendRefs": refs}
    assets = {"matches": [{"path": {"value": "/assets"}}], "backendRefs": [{"name": "assets", "port": 80}]}
    rules = [{"backendRefs": refs}, orders, assets]
    create(api, HTTP_ROUTE, named("checkout", spec={"parentRefs": [{"name": "edge"}], "rules": rules}))


def create_rollout(api: Api, replicas: int, routing: dict[str, Any]) -> None:
    labels = {"app": "checkout"}
    for name in ("checkout-stable", "checkout-canary"):
        create_service(api, name, labels)
    canary = {
        "stableService": "checkout-stable",
        "canaryService": "checkout-canary",
        "trafficRouting": routing,
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
        "steps": STEPS,
    }
    _create_rollout(api, replicas, labels, {"canary": canary})


def create_blue_green(api: Api, replicas: int, **more: Any) -> None:
    """With a Service for the active version and one for the preview; the route leads to the active one."""
    labels = {"app": "checkout"}
    for name in ("checkout-active", "checkout-preview"):
        create_service(api, name, labels)
    refs = [{"name": "checkout-active", "port": 80}]
    create(
        api, HTTP_ROUTE, named("checkout", spec={"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": refs}]})
    )
    blue_green = {
        "activeService": "checkout-active",
        "previewService": "checkout-preview",
        "autoPromotionEnabled": False,
        "scaleDownDelaySeconds": 6,
        "abortScaleDownDelaySeconds": 1,
        **more,
    }
    _create_rollout(api, replicas, labels, {"blueGreen": blue_green})


def _create_rollout(api: Api, replicas: int, labels: dict[str, str], strategy: dict[str, Any]) -> None:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": pod_template(labels, STABLE),
        "strategy": strategy,
    }
    create(api, ROLLOUT, named("checkout", spec=spec))


def not_healthy(api: Api) -> str | None:
    """Until the Rollout is at rest."""
    phase = api.get(ROLLOUT, "checkout").get("status", {}).get("phase")
    return None if phase == "Healthy" else f"Rollout is {phase}"


def not_ready(api: Api, deployment: str, replicas: int) -> str | None:
    """Until so many replicas take requests."""
    ready = api.get(DEPLOYMENT, deployment).get("status", {}).get("readyReplicas", 0)
    return None if ready == replicas else f"{ready} replicas of {deployment} are ready"


def not_reached(api: Api, service: str, replicas: int) -> str | None:
    """Until so many replicas are behind a Service: another controller's work than that they are ready."""
    slices = api.all(ENDPOINT_SLICE, f"kubernetes.io/service-name={service}")
    ready = sum(bool(end["conditions"].get("ready")) for each in slices for end in each.get("endpoints") or [])
    return None if ready == replicas else f"{ready} replicas are behind {service}"


def create_ingress(api: Api, service: str) -> None:
    """One that the nginx controller would serve, for Argo Rollouts to make a canary of."""
    to = client.V1IngressBackend(
        service=client.V1IngressServiceBackend(name=service, port=client.V1ServiceBackendPort(number=80))
    )
    path = client.V1HTTPIngressPath(path="/", path_type="Prefix", backend=to)
    rule = client.V1IngressRule(host="shop.example.invalid", http=client.V1HTTPIngressRuleValue(paths=[path]))
    body = client.V1Ingress(
        metadata=client.V1ObjectMeta(name="checkout"),
        spec=client.V1IngressSpec(ingress_class_name="nginx", rules=[rule]),
    )
    client.NetworkingV1Api(api.connection).create_namespaced_ingress(api.namespace, body, _request_timeout=10.0)
