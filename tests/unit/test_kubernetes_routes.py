"""Who answers, by an HTTPRoute: weights, cohorts' rules and copies are written, read back, and taken away again."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from chaos.errors import NotSettled
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import Route
from chaos.kubernetes.routes import RouteOf
from chaos.kubernetes.rules import Traffic

BACKENDS = {"2.3": "old", "2.4": "new"}
HALF = {"2.3": 0.5, "2.4": 0.5}
OLD, NEW = {"2.3": 1.0}, {"2.4": 1.0}


class OneRoute:
    """An API with one HTTPRoute; `gateways` act on it after each change."""

    def __init__(self, *rules: dict[str, Any], gateways: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self.body: dict[str, Any] = {"metadata": {"name": "shop", "generation": 1}, "spec": {"rules": list(rules)}}
        self._gateways = gateways

    def get(self, kind: object, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.body)

    def change(self, kind: object, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
        body = self.get(kind, name)
        edit(body)
        self.body = json.loads(json.dumps(body))
        self.body["metadata"]["generation"] += 1
        self._gateways(self.body)


def ref(name: str, weight: int | None = None) -> dict[str, Any]:
    return {"name": name, "port": 80} if weight is None else {"name": name, "port": 80, "weight": weight}


def rule(*refs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"backendRefs": list(refs), **more}


def route_of(api: OneRoute, **more: Any) -> RouteOf:
    return RouteOf(api, Route.model_validate({"name": "shop", "confirm": "spec", **more}))  # type: ignore[arg-type]


def traffic(*rules: dict[str, Any]) -> Traffic:
    return route_of(OneRoute(*rules)).traffic(BACKENDS)


def test_shares_are_weights_by_their_sum() -> None:
    assert traffic(rule(ref("old", 3), ref("new", 1))) == Traffic({"2.3": 0.75, "2.4": 0.25})
    assert traffic(rule(ref("old"), ref("new", 0))) == Traffic(OLD)
    assert traffic(rule(ref("old", 9), ref("new", 1)), rule(ref("assets"))).weights == {"2.3": 0.9, "2.4": 0.1}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((rule(ref("old", 3), ref("new", 1)), rule(ref("old", 1))), "different weights for new, old: rules have 2"),
        ((rule(ref("assets")),), "different weights for new, old: rules have 0"),
        ((rule(ref("old", 3), ref("third", 1)),), "also sends to third"),
        ((rule(ref("old", 0), ref("new", 0)),), "weights of a rule are all 0"),
    ],
)
def test_routes_that_cannot_be_told_are_refused(rules: tuple[dict[str, Any], ...], why: str) -> None:
    with pytest.raises(KubernetesError, match=f"HTTPRoute shop: .*{why}"):
        traffic(*rules)


def send(route: RouteOf, weights: dict[str, float], **cohorts: dict[str, float]) -> None:
    route.send(BACKENDS, weights, cohorts, 0.0)


def test_shares_are_set_in_every_rule_and_read_back() -> None:
    api = OneRoute(rule(ref("old"), ref("new", 0)), rule(ref("assets")), rule(ref("old", 7), ref("new", 0)))
    send(route_of(api), {"2.3": 0.875, "2.4": 0.125})
    first, assets, third = api.body["spec"]["rules"]
    assert first == third == rule(ref("old", 8750), ref("new", 1250))
    assert assets == rule(ref("assets"))
    assert "windtunnel/rules" not in api.body["metadata"]["annotations"]


def test_version_without_a_backend_gets_no_weight() -> None:
    with pytest.raises(KubernetesError, match="no backendRef of Service new"):
        send(route_of(OneRoute(rule(ref("old")))), HALF)
    send(route_of(OneRoute(rule(ref("old")))), OLD)


def header(value: str) -> dict[str, str]:
    return {"type": "Exact", "name": "x-cohort", "value": value}


ORDERS = rule(
    ref("old", 1),
    ref("new", 0),
    name="orders",
    matches=[{"path": {"type": "Exact", "value": "/orders"}, "headers": [{"name": "x-tenant", "value": "a"}]}],
    filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit", "port": 80}}}],
)
REST = rule(ref("old", 1), ref("new", 0))
ASSETS = rule(ref("assets"), matches=[{"path": {"type": "PathPrefix", "value": "/assets"}}])


def test_cohorts_have_rules_that_ask_for_a_header_more() -> None:
    api = OneRoute(ORDERS, ASSETS, REST)
    route = route_of(api)
    send(route, OLD, coupon=NEW)
    assert route.traffic(BACKENDS) == Traffic(OLD, {"coupon": NEW})
    orders_of_coupon, rest_of_coupon, orders, assets, rest = api.body["spec"]["rules"]
    tenant = {"name": "x-tenant", "value": "a"}
    assert orders_of_coupon["matches"] == [{**ORDERS["matches"][0], "headers": [tenant, header("coupon")]}]
    assert rest_of_coupon["matches"] == [
        {"path": {"type": "PathPrefix", "value": "/"}, "headers": [header("coupon")]},
    ]
    assert "name" not in orders_of_coupon
    assert orders_of_coupon["filters"] == ORDERS["filters"]
    assert [each["weight"] for each in orders_of_coupon["backendRefs"]] == [0, 10_000]
    assert (orders["matches"], assets, rest["backendRefs"]) == (
        ORDERS["matches"],
        ASSETS,
        [ref("old", 10_000), ref("new", 0)],
    )
    # a cohort without shares of its own goes with the others; the rules are not added twice
    send(route, HALF, coupon=NEW, vip=HALF)
    assert len(api.body["spec"]["rules"]) == 7
    send(route, HALF, vip=NEW)
    assert route.traffic(BACKENDS) == Traffic(HALF, {"vip": NEW})
    assert route.left(BACKENDS) == (
        "HTTPRoute shop has a drill's rules",
        "HTTPRoute shop: cohort vip has {'2.4': 1.0}",
    )


def test_copies_go_to_the_service_that_takes_them_wherever_a_request_was_sent() -> None:
    api = OneRoute(ORDERS, ASSETS, REST)
    route = route_of(api, copies={"2.4": "new-copies"})
    made = route.made_of()
    route.mirror(BACKENDS, "2.4", 0.125, 0.0)
    assert route.traffic(BACKENDS) == Traffic(OLD, copies={"2.4": 0.125})
    orders, assets, rest = api.body["spec"]["rules"]
    copied = {
        "type": "RequestMirror",
        "requestMirror": {
            "backendRef": {"group": "", "kind": "Service", "name": "new-copies", "port": 80},
            "fraction": {"numerator": 1250, "denominator": 10_000},
        },
    }
    assert (orders["filters"], assets, rest["filters"]) == ([*ORDERS["filters"], copied], ASSETS, [copied])
    send(route, HALF, coupon=NEW)  # copies go on, those of the cohort among them
    assert route.traffic(BACKENDS) == Traffic(HALF, {"coupon": NEW}, {"2.4": 0.125})
    route.mirror(BACKENDS, "2.4", 1.0, 0.0)
    assert "fraction" not in api.body["spec"]["rules"][-1]["filters"][0]["requestMirror"]
    route.mirror(BACKENDS, "2.4", 0.0, 0.0)
    assert route.traffic(BACKENDS) == Traffic(HALF, {"coupon": NEW})
    route.mirror(BACKENDS, "2.4", 0.5, 0.0)
    assert route.made_of() != made
    assert len(route.left(BACKENDS)) == 3
    route.clear(BACKENDS, 0.0)
    assert (route.left(BACKENDS), route.made_of()) == ((), made)
    assert route.traffic(BACKENDS) == Traffic(HALF)


def test_baseline_comes_back_over_rules_that_somebody_has_spoilt() -> None:
    api = OneRoute(ORDERS, REST)
    route = route_of(api, copies={"2.4": "new-copies"})
    route.mirror(BACKENDS, "2.4", 0.5, 0.0)
    send(route, HALF, coupon=NEW)
    api.body["spec"]["rules"][0]["backendRefs"] = [ref("third")]
    api.body["spec"]["rules"].pop()
    send(route, OLD)
    route.clear(BACKENDS, 0.0)
    own = [{**each, "backendRefs": [ref("old", 10_000), ref("new", 0)]} for each in (ORDERS, REST)]
    assert api.body["spec"]["rules"] == own
    assert api.body["metadata"]["annotations"] == {}


def test_rules_that_could_not_be_told_from_a_drills_are_refused() -> None:
    own = rule(ref("old", 1), ref("new", 0), matches=[{"headers": [{**header("coupon"), "name": "X-Cohort"}]}])
    with pytest.raises(KubernetesError, match="HTTPRoute shop: a rule matches on the header x-cohort by itself"):
        send(route_of(OneRoute(own)), OLD, coupon=NEW)
    api = OneRoute(ORDERS)
    with pytest.raises(KubernetesError, match="HTTPRoute shop: a rule copies to audit by itself"):
        route_of(api, copies={"2.4": "audit"}).mirror(BACKENDS, "2.4", 0.5, 0.0)
    with pytest.raises(KubernetesError, match="no Service takes copies for version"):
        route_of(api).mirror(BACKENDS, "2.4", 0.5, 0.0)
    assert api.body["spec"]["rules"] == [ORDERS]


def test_fraction_that_the_cluster_does_not_know_is_not_taken_for_one() -> None:
    """Definitions of Gateway API before 1.3 drop it without a word, and all requests would be copied."""

    def forget(body: dict[str, Any]) -> None:
        for each in body["spec"]["rules"]:
            for mirror in each.get("filters", []):
                mirror["requestMirror"].pop("fraction", None)

    route = route_of(OneRoute(REST, gateways=forget), copies={"2.4": "new-copies"})
    with pytest.raises(NotSettled, match=r"copies \{'2.4': 1.0\}, must have .* copies \{'2.4': 0.25\}"):
        route.mirror(BACKENDS, "2.4", 0.25, 0.0)


def says(status: str, generation: int = 2, **more: str) -> Callable[[dict[str, Any]], None]:
    told = {"Accepted": status, "ResolvedRefs": status, **more}
    conditions = [
        {"type": kind, "status": each, "message": "no such port", "observedGeneration": generation}
        for kind, each in told.items()
    ]
    parents = [{"parentRef": {"name": "edge"}, "conditions": conditions}]
    return lambda body: body.update(status={"parents": parents})


@pytest.mark.parametrize(
    ("gateways", "why"),
    [
        (lambda _: None, "no gateway has taken it up"),
        (says("False"), "Accepted by edge is False no such port"),
        (says("True", generation=1), "Accepted by edge"),
        (says("True", PartiallyInvalid="True"), "PartiallyInvalid by edge is True no such port"),
    ],
)
def test_weights_are_in_force_when_the_gateways_have_accepted_them(
    gateways: Callable[[dict[str, Any]], None], why: str
) -> None:
    with pytest.raises(NotSettled, match=why):
        send(route_of(OneRoute(REST, gateways=gateways), confirm="accepted"), HALF)


@pytest.mark.parametrize("gateways", [says("True"), says("True", PartiallyInvalid="False")])
def test_accepted_weights_are_in_force(gateways: Callable[[dict[str, Any]], None]) -> None:
    send(route_of(OneRoute(REST, gateways=gateways), confirm="accepted"), HALF)
