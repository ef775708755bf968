"""Pods are killed, found dead, replaced by the platform, and never another one than was planned; or not paused."""

import pytest

from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultRefused
from chaos.kubernetes.api import Api
from chaos.kubernetes.models import Kubernetes
from chaos.kubernetes.pod_kill import POD_KILL
from chaos.kubernetes.pod_pause import POD_PAUSE
from chaos.kubernetes.surface import KubernetesSurface
from chaos.safety.undo import undo_entry
from scenarios.models import Fault
from tests.cluster.control_plane import TOKEN
from tests.cluster.hung import PROCESS, is_still, needs_nobody, serving_process
from tests.cluster.shop_objects import STABLE, create_deployment

pytestmark = pytest.mark.cluster


@pytest.fixture
def surface(api: Api) -> KubernetesSurface:
    names = {STABLE: create_deployment(api, STABLE, 3)}
    config = {"namespace": api.namespace, "services": {"checkout": {"deployments": names}}}
    found = KubernetesSurface(TOKEN, api, Kubernetes.model_validate(config))
    found.deploy("checkout", STABLE, 3)
    return found


def kill(replicas: int) -> Fault:
    return Fault.model_validate({"kill": {"of": "checkout", "replicas": replicas}, "at": "1s", "for": "5s"})


def uids(surface: KubernetesSurface) -> set[str]:
    return {pod["metadata"]["uid"] for pod in surface.pods("checkout", STABLE)}


def test_killed_pods_are_gone_and_replaced(surface: KubernetesSurface) -> None:
    before = uids(surface)
    entry = POD_KILL.plan(surface, kill(2), PlanContext("drill"))
    assert uids(surface) == before
    POD_KILL.apply(surface, entry)
    POD_KILL.confirm(surface, entry)
    result = undo_entry(surface, entry)
    assert result.rung in ("nothing was left", "wait for the platform")
    after = uids(surface)
    assert len(after) == 3
    assert len(before & after) == 1
    # once more, as a watchdog would that does not know that it was applied: the successors are left alone
    POD_KILL.apply(surface, entry)
    assert uids(surface) == after


def test_more_pods_than_run_are_refused(surface: KubernetesSurface) -> None:
    with pytest.raises(FaultRefused, match=r"replicas\(=4\) must be at most 3"):
        POD_KILL.plan(surface, kill(4), PlanContext("drill"))
    assert len(uids(surface)) == 3


PAUSE = Fault.model_validate({"pause": {"of": "checkout", "replicas": 1}, "at": "1s", "for": "5s"})


def pausable(api: Api, container: str) -> KubernetesSurface:
    target = {
        "deployments": {STABLE: create_deployment(api, STABLE, 1)},
        "pause": {"container": container, "process": PROCESS},
    }
    config = {"namespace": api.namespace, "services": {"checkout": target}}
    surface = KubernetesSurface(TOKEN, api, Kubernetes.model_validate(config))
    surface.deploy("checkout", STABLE, 1)
    return surface


def test_pods_that_cannot_be_asked_are_not_paused(api: Api) -> None:
    told = r"pause of checkout: sh in pod checkout-2-3-\S+: cannot be run: (?!.*audit-id).*sidecar"
    with pytest.raises(FaultRefused, match=told):
        POD_PAUSE.plan(pausable(api, "sidecar"), PAUSE, PlanContext("drill"))


@needs_nobody
def test_processes_of_a_pod_stand_still_and_go_on(api: Api) -> None:
    surface = pausable(api, "checkout")
    with pytest.raises(FaultRefused, match=rf"has 0 processes {PROCESS}, 0 of them standing still"):
        POD_PAUSE.plan(surface, PAUSE, PlanContext("drill"))
    with serving_process() as pid:
        entry = POD_PAUSE.plan(surface, PAUSE, PlanContext("drill"))
        assert not is_still(pid)
        POD_PAUSE.apply(surface, entry)
        POD_PAUSE.confirm(surface, entry)
        assert is_still(pid)
        assert "stand still" in (POD_PAUSE.residue(surface, entry) or "")
        with pytest.raises(FaultRefused, match="1 of them standing still"):
            POD_PAUSE.plan(surface, PAUSE, PlanContext("drill"))
        assert undo_entry(surface, entry).rung == "continue"
        assert not is_still(pid)
