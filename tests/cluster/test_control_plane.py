"""The control plane itself: as many processes as it says, and none left, however its starter ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes import client

from chaos.cluster import builds, control_plane, setting_up, state
from chaos.errors import StagingAlreadyUp, StagingNotUp
from chaos.staging import processes
from tests.e2e.drills import PATIENCE_S, wait_for

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]


def test_running_one_is_not_started_twice(kubeconfig: Path) -> None:
    folder = kubeconfig.parent
    assert all(control_plane.status(folder).values())
    assert len(control_plane.status(folder)) == 6
    with pytest.raises(StagingAlreadyUp, match="a cluster runs in"):
        control_plane.start(folder)
    assert kubeconfig.stat().st_mode & 0o077 == 0


def test_node_that_was_lost_comes_back_with_its_address(kubeconfig: Path) -> None:
    # without one, nothing can be executed in its pods any more
    with setting_up.connected(kubeconfig) as connection:
        core = client.CoreV1Api(connection)

        def node() -> client.V1NodeStatus:
            return core.read_node("simulated-0", _request_timeout=10.0).status

        def ready() -> str:
            return next(each.status for each in node().conditions if each.type == "Ready")

        before = node().addresses
        assert {each.type: each.address for each in before}["InternalIP"] == "127.0.0.1"
        gone = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Lost"}]}
        core.patch_node_status("simulated-0", {"status": gone}, _request_timeout=10.0)
        wait_for(lambda: ready() == "True", PATIENCE_S, "the node to be ready again")
        assert node().addresses == before


def test_sigkill_of_the_starter_leaves_nothing_after_stop(tmp_path: Path) -> None:
    if builds.missing():
        pytest.skip("not built (make cluster builds it)")
    starter = subprocess.Popen(
        [sys.executable, "-m", "chaos.cluster", "start", "--state", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: (tmp_path / "log" / "kube-apiserver.log").exists(), PATIENCE_S, "the API server to be started")
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait(10.0)
    token = state.read(tmp_path).token
    assert processes.with_token(token)
    assert control_plane.stop(tmp_path)
    assert processes.with_token(token) == []
    assert control_plane.stop(tmp_path) == []
    with pytest.raises(StagingNotUp):
        control_plane.status(tmp_path)
    assert not (tmp_path / "tokens.csv").exists()
