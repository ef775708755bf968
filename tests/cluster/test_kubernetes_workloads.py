"""The adapter's verbs on a real control plane: its pods have no processes, everything else is as in any cluster."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kubernetes import client

from chaos.errors import NotSettled
from chaos.kubernetes.api import DEPLOYMENT, HTTP_ROUTE, ROLLOUT, Api
from chaos.kubernetes.deployments import Deployments
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import ServiceTarget
from chaos.kubernetes.rollouts import Rollouts
from chaos.kubernetes.settling import until
from tests.cluster.shop_objects import (
    CANARY,
    STABLE,
    STEPS,
    create_deployment,
    create_ingress,
    create_rollout,
    create_route,
    image,
    not_healthy,
)

pytestmark = pytest.mark.cluster

TIMEOUT_S = 180.0


def deployments(api: Api, confirm: str = "spec", copies: dict[str, str] | None = None, **pods: object) -> Deployments:
    names = {STABLE: create_deployment(api, STABLE, 3), CANARY: create_deployment(api, CANARY, 0, **pods)}
    create_route(api, *names.values())
    route = {"name": "checkout", "backends": names, "confirm": confirm, "copies": copies or {}}
    found = Deployments(api, "checkout", ServiceTarget.model_validate({"deployments": names, "route": route}))
    found.deploy(STABLE, 3, TIMEOUT_S)
    return found


def rollout(api: Api, routing: dict[str, object], routed: bool) -> Rollouts:
    target = {
        "rollout": {"name": "checkout", "container": "checkout", "images": {v: image(v) for v in (STABLE, CANARY)}}
    }
    if routed:
        create_route(api, "checkout-stable", "checkout-canary")
        target["route"] = {"name": "checkout", "confirm": "spec"}
    create_rollout(api, 3, routing)
    found = Rollouts(api, "checkout", ServiceTarget.model_validate(target))
    until(lambda: not_healthy(api), TIMEOUT_S)
    return found


def test_deployments_are_scaled_and_weighed_side_by_side(api: Api) -> None:
    checkout = deployments(api)
    assert (checkout.ordered(), checkout.ready(), checkout.routes()) == ({STABLE: 3}, {STABLE: 3}, {STABLE: 1.0})
    checkout.deploy(CANARY, 2, TIMEOUT_S)
    assert checkout.ready() == {STABLE: 3, CANARY: 2}
    assert len(checkout.pods(CANARY)) == 2
    checkout.route({STABLE: 0.95, CANARY: 0.05}, TIMEOUT_S)
    refs = api.get(HTTP_ROUTE, "checkout")["spec"]["rules"][0]["backendRefs"]
    assert [ref["weight"] for ref in refs] == [9500, 500]
    assert checkout.routes() == {STABLE: 0.95, CANARY: 0.05}
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    assert (checkout.ordered(), checkout.ready(), checkout.routes()) == ({STABLE: 3}, {STABLE: 3}, {STABLE: 1.0})
    with pytest.raises(KubernetesError, match=r"version\(=9\) must be one of"):
        checkout.deploy("9", 1, TIMEOUT_S)


def test_replicas_that_no_machine_takes_are_not_deployed(api: Api) -> None:
    checkout = deployments(api, nodeSelector={"machine": "none"})
    with pytest.raises(NotSettled, match=r"Deployment checkout-2-4: "):
        checkout.deploy(CANARY, 1, 0.0)
    made = lambda: api.get(DEPLOYMENT, "checkout-2-4").get("status", {}).get("replicas", 0)  # noqa: E731
    until(lambda: None if made() == 1 else "the order was not seen", TIMEOUT_S)
    with pytest.raises(NotSettled, match=r"Deployment checkout-2-4: .*'availableReplicas': 0"):
        checkout.deploy(CANARY, 1, 0.0)
    assert checkout.ready() == {STABLE: 3}
    checkout.deploy(CANARY, 0, TIMEOUT_S)


def test_cohorts_and_copies_are_rules_that_the_cluster_takes_and_that_go_again(api: Api) -> None:
    checkout = deployments(api, copies={CANARY: "checkout-copies"})
    own, facts = api.get(HTTP_ROUTE, "checkout")["spec"], checkout.facts()
    checkout.deploy(CANARY, 1, TIMEOUT_S)
    checkout.mirror(CANARY, 0.125, TIMEOUT_S)
    checkout.route({STABLE: 1.0}, TIMEOUT_S, {"coupon": {CANARY: 1.0}})
    rules = api.get(HTTP_ROUTE, "checkout")["spec"]["rules"]
    assert [len(rule["filters"]) for rule in rules if "filters" in rule] == [1, 1, 1, 1]
    assert len(rules) == 5
    assert checkout.routes() == {STABLE: 1.0}
    assert checkout.left() == (
        "HTTPRoute checkout has a drill's rules",
        "HTTPRoute checkout: cohort coupon has {'2.4': 1.0}",
        "HTTPRoute checkout: 0.125 of the requests are copied to 2.4",
    )
    assert checkout.facts() != facts
    # as the undo of a release does it
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    checkout.clear(TIMEOUT_S)
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    assert (checkout.left(), checkout.facts()) == ((), facts)
    for rule in own["rules"][:2]:
        rule["backendRefs"][0]["weight"] = 10_000
    assert api.get(HTTP_ROUTE, "checkout")["spec"] == own


@contextmanager
def gateway(api: Api, verdict: str) -> Iterator[None]:
    """A gateway's controller: says of the route's newest generation whether it is accepted."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.1):
            body = api.get(HTTP_ROUTE, "checkout")
            said = {
                "status": verdict,
                "reason": "StandIn",
                "message": "says the stand-in",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "observedGeneration": body["metadata"]["generation"],
            }
            parent = {
                "parentRef": {"name": "edge"},
                "controllerName": "example.invalid/gateway",
                "conditions": [{"type": kind, **said} for kind in ("Accepted", "ResolvedRefs")],
            }
            api.patch(HTTP_ROUTE, "checkout", {"status": {"parents": [parent]}}, part="status")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(30.0)


def test_weights_are_in_force_once_the_gateway_accepts_them(api: Api) -> None:
    checkout = deployments(api, confirm="accepted")
    checkout.deploy(CANARY, 1, TIMEOUT_S)
    with pytest.raises(NotSettled, match="no gateway has taken it up"):
        checkout.route({STABLE: 0.5, CANARY: 0.5}, 0.0)
    with gateway(api, "False"):
        until(lambda: None if api.get(HTTP_ROUTE, "checkout").get("status") else "nothing was said", TIMEOUT_S)
        with pytest.raises(NotSettled, match="Accepted by edge is False says the stand-in"):
            checkout.route({STABLE: 0.5, CANARY: 0.5}, 0.0)
    with gateway(api, "True"):
        checkout.route({STABLE: 0.5, CANARY: 0.5}, TIMEOUT_S)
    assert checkout.routes() == {STABLE: 0.5, CANARY: 0.5}


def weights_by_route(api: Api) -> int:
    refs = api.get(HTTP_ROUTE, "checkout")["spec"]["rules"][0]["backendRefs"]
    return round(refs[1]["weight"] / 100)


def weights_by_ingress(api: Api) -> int:
    networking = client.NetworkingV1Api(api.connection)
    ingress = networking.read_namespaced_ingress("checkout-checkout-canary", api.namespace, _request_timeout=10.0)
    return int(ingress.metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"])


ROUTERS = {
    # who writes the weights: our HTTPRoute, or Argo Rollouts into an Ingress
    "httproute": ({}, True, weights_by_route),
    "argo": ({"nginx": {"stableIngress": "checkout"}}, False, weights_by_ingress),
}


@pytest.mark.parametrize(("routing", "routed", "weight_of"), ROUTERS.values(), ids=ROUTERS)
def test_rollout_is_released_and_rolled_back(
    api: Api, routing: dict[str, object], routed: bool, weight_of: Callable[[Api], int]
) -> None:
    if not routed:
        create_ingress(api, "checkout-stable")
    checkout = rollout(api, routing, routed)
    before = api.get(ROLLOUT, "checkout")["spec"]
    assert (checkout.ordered(), checkout.ready(), checkout.routes()) == ({STABLE: 3}, {STABLE: 3}, {STABLE: 1.0})
    checkout.deploy(CANARY, 1, TIMEOUT_S)
    assert checkout.ready() == {STABLE: 3, CANARY: 1}
    assert checkout.routes() == {STABLE: 1.0}
    checkout.route({STABLE: 0.9, CANARY: 0.1}, TIMEOUT_S)
    assert checkout.routes() == {STABLE: 0.9, CANARY: 0.1}
    assert weight_of(api) == 10
    checkout.deploy(CANARY, 2, TIMEOUT_S)
    assert checkout.ready() == {STABLE: 3, CANARY: 2}
    assert checkout.routes() == {STABLE: 0.9, CANARY: 0.1}
    assert len(checkout.left()) == 2
    # the rollback: requests first, then replicas
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    assert weight_of(api) == 0
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    assert (checkout.ordered(), checkout.ready(), checkout.routes()) == ({STABLE: 3}, {STABLE: 3}, {STABLE: 1.0})
    assert checkout.left() == ()
    assert api.get(ROLLOUT, "checkout")["spec"] == before


@pytest.mark.parametrize(("routing", "routed", "weight_of"), ROUTERS.values(), ids=ROUTERS)
def test_rollout_is_completed_and_undone(
    api: Api, routing: dict[str, object], routed: bool, weight_of: Callable[[Api], int]
) -> None:
    if not routed:
        create_ingress(api, "checkout-stable")
    checkout = rollout(api, routing, routed)
    before = api.get(ROLLOUT, "checkout")["spec"]
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    checkout.route({CANARY: 1.0}, TIMEOUT_S)
    checkout.deploy(STABLE, 0, TIMEOUT_S)
    assert (checkout.ready(), checkout.routes(), checkout.left()) == ({CANARY: 3}, {CANARY: 1.0}, ())
    assert api.get(ROLLOUT, "checkout")["spec"]["strategy"]["canary"]["steps"] == STEPS
    # the undo of a release that was complete: the old version comes back as a canary, and is completed
    checkout.deploy(STABLE, 3, TIMEOUT_S)
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    checkout.clear(TIMEOUT_S)
    assert (checkout.ready(), checkout.routes(), checkout.left()) == ({STABLE: 3}, {STABLE: 1.0}, ())
    assert api.get(ROLLOUT, "checkout")["spec"] == before


def test_rollout_that_somebody_aborts_is_not_waited_for(api: Api) -> None:
    checkout = rollout(api, {}, True)
    checkout.deploy(CANARY, 1, TIMEOUT_S)
    api.patch(ROLLOUT, "checkout", {"status": {"abort": True}}, part="status")
    with pytest.raises(NotSettled, match="Rollout checkout: was aborted"):
        checkout.deploy(CANARY, 2, TIMEOUT_S)
    # somebody tries it again: the drill may go on
    api.patch(ROLLOUT, "checkout", {"status": {"abort": False}}, part="status")
    checkout.deploy(CANARY, 2, TIMEOUT_S)
    assert checkout.ready() == {STABLE: 3, CANARY: 2}
    api.patch(ROLLOUT, "checkout", {"status": {"abort": True}}, part="status")
    checkout.clear(TIMEOUT_S)
    assert (checkout.ready(), checkout.left()) == ({STABLE: 3}, ())


def test_replicas_that_argo_keeps_for_a_while_do_not_count_into_the_deploy(api: Api) -> None:
    checkout = rollout(api, {}, True)
    for key in ("scaleDownDelaySeconds", "abortScaleDownDelaySeconds"):
        api.patch(ROLLOUT, "checkout", {"spec": {"strategy": {"canary": {key: 12}}}})
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    began_s = time.monotonic()
    checkout.deploy(CANARY, 0, 10.0)
    assert time.monotonic() - began_s > 10.0
    assert (checkout.ready(), checkout.left()) == ({STABLE: 3}, ())
    api.patch(ROLLOUT, "checkout", {"spec": {"strategy": {"canary": {"scaleDownDelaySeconds": 300}}}})
    with pytest.raises(KubernetesError, match=r"scaleDownDelaySeconds\(=300\) must be at most 60"):
        checkout.ordered()


def test_rollout_without_traffic_routing_is_refused(api: Api) -> None:
    checkout = rollout(api, {}, True)
    api.patch(ROLLOUT, "checkout", {"spec": {"strategy": {"canary": {"steps": None, "trafficRouting": None}}}})
    with pytest.raises(KubernetesError, match=r"strategy\.canary: must have trafficRouting"):
        checkout.ordered()
