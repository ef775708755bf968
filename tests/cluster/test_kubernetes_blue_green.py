"""A Rollout of strategy blueGreen on the real controller: what Argo does by itself, and what a drill makes of it."""

import time
from typing import Any

import pytest

from chaos.errors import NotSettled
from chaos.kubernetes.api import ROLLOUT, Api
from chaos.kubernetes.blue_green import BlueGreen
from chaos.kubernetes.errors import KubernetesError
from chaos.kubernetes.models import ServiceTarget
from chaos.kubernetes.settling import until
from tests.cluster.shop_objects import CANARY, STABLE, create_blue_green, image, not_healthy

pytestmark = pytest.mark.cluster

TIMEOUT_S = 180.0


def blue_green(api: Api, **more: Any) -> BlueGreen:
    create_blue_green(api, 3, **more)
    until(lambda: not_healthy(api), TIMEOUT_S)
    images = {version: image(version) for version in (STABLE, CANARY)}
    rollout = {"name": "checkout", "container": "checkout", "images": images, "strategy": "blue-green"}
    return BlueGreen(api, "checkout", ServiceTarget.model_validate({"rollout": rollout}))


def ends_old_replicas_at_once(api: Api) -> None:
    """From the next switch on."""
    api.patch(ROLLOUT, "checkout", {"spec": {"strategy": {"blueGreen": {"scaleDownDelaySeconds": 1}}}})


def is_at(checkout: BlueGreen, version: str) -> None:
    assert (checkout.ordered(), checkout.ready(), checkout.routes()) == ({version: 3}, {version: 3}, {version: 1.0})
    assert checkout.left() == ()


def test_new_version_waits_for_its_promotion_and_is_dropped(api: Api) -> None:
    checkout = blue_green(api)
    before = api.get(ROLLOUT, "checkout")["spec"]
    is_at(checkout, STABLE)
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    assert (checkout.ready(), checkout.routes()) == ({STABLE: 3, CANARY: 3}, {STABLE: 1.0})
    assert len(checkout.pods(CANARY)) == 3
    assert checkout.left() == ("Rollout checkout is on the way to 2.4",)
    # the rollback before the switch: the old version's replicas are there, and have the requests
    checkout.deploy(STABLE, 3, TIMEOUT_S)
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    is_at(checkout, STABLE)
    assert api.get(ROLLOUT, "checkout")["spec"] == before


def test_promotion_moves_the_requests_and_argo_ends_the_old_replicas_after_its_delay(api: Api) -> None:
    checkout = blue_green(api, scaleDownDelaySeconds=9)
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    checkout.route({CANARY: 1.0}, TIMEOUT_S)
    switched_s = time.monotonic()
    assert (checkout.ready(), checkout.routes()) == ({STABLE: 3, CANARY: 3}, {CANARY: 1.0})
    checkout.deploy(STABLE, 0, 6.0)  # the delay is Argo's, and counts apart
    assert time.monotonic() - switched_s > 6.0
    is_at(checkout, CANARY)
    ends_old_replicas_at_once(api)
    # the undo of a release that was complete: the old version starts anew
    checkout.deploy(STABLE, 3, TIMEOUT_S)
    assert checkout.routes() == {CANARY: 1.0}
    checkout.route({STABLE: 1.0}, TIMEOUT_S)
    checkout.clear(TIMEOUT_S)
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    is_at(checkout, STABLE)


def test_way_back_within_the_delay_starts_no_pod(api: Api) -> None:
    checkout = blue_green(api, scaleDownDelaySeconds=30)
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    checkout.route({CANARY: 1.0}, TIMEOUT_S)
    pods = {pod["metadata"]["uid"] for pod in checkout.pods(STABLE)}
    ends_old_replicas_at_once(api)
    checkout.route({STABLE: 1.0}, TIMEOUT_S)  # without a deploy: its replicas are still there
    assert checkout.routes() == {STABLE: 1.0}
    assert {pod["metadata"]["uid"] for pod in checkout.pods(STABLE)} == pods
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    is_at(checkout, STABLE)


def test_what_a_blue_green_rollout_cannot_have_is_refused(api: Api) -> None:
    checkout = blue_green(api)
    with pytest.raises(KubernetesError, match=r"replicas\(=1\) of 2\.4 must be 3, as of 2\.3"):
        checkout.deploy(CANARY, 1, TIMEOUT_S)
    for weights, cohorts in (({STABLE: 0.5, CANARY: 0.5}, {}), ({STABLE: 1.0}, {"coupon": {CANARY: 1.0}})):
        with pytest.raises(KubernetesError, match="must be all for a version"):
            checkout.route(weights, TIMEOUT_S, cohorts)
    with pytest.raises(KubernetesError, match=r"2\.4 has no replicas that could answer"):
        checkout.route({CANARY: 1.0}, TIMEOUT_S)
    with pytest.raises(KubernetesError, match="a blue-green Rollout has none"):
        checkout.mirror(CANARY, 0.5, TIMEOUT_S)
    checkout.deploy(CANARY, 3, TIMEOUT_S)
    api.patch(ROLLOUT, "checkout", {"status": {"abort": True}}, part="status")
    with pytest.raises(NotSettled, match="was aborted"):
        checkout.route({CANARY: 1.0}, TIMEOUT_S)
    checkout.clear(TIMEOUT_S)
    checkout.deploy(CANARY, 0, TIMEOUT_S)
    is_at(checkout, STABLE)
    api.patch(ROLLOUT, "checkout", {"spec": {"strategy": {"blueGreen": {"autoPromotionEnabled": True}}}})
    with pytest.raises(KubernetesError, match=r"strategy\.blueGreen: autoPromotionEnabled must be false"):
        checkout.ordered()
