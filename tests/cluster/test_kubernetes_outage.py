"""API server, etcd or harness are killed in the middle of a drill: undone in order, or told to be unclean."""

import gc
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.cluster import control_plane
from chaos.kubernetes.api import Api
from chaos.kubernetes.settling import until
from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.staging.adapters import attach
from tests.cluster.gateway import Gateway
from tests.cluster.shop_objects import CANARY, STABLE, create_deployment, not_reached
from tests.cluster.stagings import (
    TIMEOUT_S,
    canary,
    deployments_service,
    drilling,
    is_at_rest,
    release_file,
    staging_file,
    windtunnel,
)
from tests.e2e.drills import PATIENCE_S, await_event, only_record, wait_for

pytestmark = [
    pytest.mark.cluster,
    # A connection that breaks off in its handshake leaves its socket to the collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Before the next test, which knows of no such sockets."""
    yield
    gc.collect()


@pytest.fixture
def at_work_again(api: Api, kubeconfig: Path) -> Iterator[None]:
    """The next test finds a control plane that brings pods to Services as fast as before the outage."""
    yield
    for name, runs in control_plane.status(kubeconfig.parent).items():
        if not runs:
            control_plane.revive(kubeconfig.parent, name)
    restart_controllers(kubeconfig)
    service = create_deployment(api, "0.1", 1)
    until(lambda: not_reached(api, service, 1), PATIENCE_S)


def restart_controllers(kubeconfig: Path) -> None:
    """As leaders do that lost their lease meanwhile: these have none, and would look for their server once a minute."""
    for name in control_plane.status(kubeconfig.parent).keys() - {"etcd", "kube-apiserver"}:
        control_plane.lose(kubeconfig.parent, name)
        control_plane.revive(kubeconfig.parent, name)


@pytest.fixture
def file(api: Api, gateway: Gateway, tmp_path: Path) -> Path:
    return staging_file(tmp_path, api, gateway.url, deployments_service(api))


@pytest.mark.usefixtures("at_work_again")
@pytest.mark.parametrize("lost", ["kube-apiserver", "etcd"])
def test_drill_whose_api_server_comes_back_is_undone_in_order(
    lost: str, file: Path, kubeconfig: Path, tmp_path: Path
) -> None:
    release = release_file(tmp_path, canary({"weight": "50%"}, {"bake": "30s"}), "50s")
    with drilling(tmp_path, release, file) as drill:
        await_event(drill, tmp_path / "runs", "route")
        control_plane.lose(kubeconfig.parent, lost)
        await_event(drill, tmp_path / "runs", "stop")
        time.sleep(5.0)  # an outage lasts for a while: what is undone meanwhile must wait
        control_plane.revive(kubeconfig.parent, lost)
        out, err = drill.communicate(timeout=TIMEOUT_S)
    document = json.loads(out)
    assert drill.returncode == document["exit_code"] == 4, (document, err)
    assert "did not answer" in document["stopped"] or "500" in document["stopped"], document
    record = only_record(tmp_path / "runs")
    assert record.verdict()["status"] == "error"
    (undo,) = [event for event in record.events() if event.kind == "undo"]
    assert undo.detail["kind"] == "release"
    differences = {event.subject: event.detail["differences"] for event in record.events() if event.kind == "verify"}
    assert (differences["staging as before"], differences["steady state"]) == ([], [])
    is_at_rest(attach(tmp_path / "state"))


def test_drill_whose_harness_is_killed_is_undone_by_the_watchdog(file: Path, tmp_path: Path) -> None:
    release = release_file(tmp_path, canary({"weight": "50%"}, {"bake": "60s"}), "84s")
    with drilling(tmp_path, release, file) as drill:
        await_event(drill, tmp_path / "runs", "route")
        staging = attach(tmp_path / "state")
        assert dict(staging.surface.routes("checkout")) == {STABLE: 0.5, CANARY: 0.5}
        os.killpg(drill.pid, signal.SIGKILL)  # the load with it; the watchdog has a session of its own
    journal = tmp_path / "state" / JOURNAL_NAME
    wait_for(lambda: not read_journal(journal).open_entries, PATIENCE_S, "the watchdog's undo")
    is_at_rest(staging)


@pytest.mark.usefixtures("at_work_again")
def test_drill_whose_api_server_stays_away_is_unclean_until_it_is_undone(
    file: Path, kubeconfig: Path, tmp_path: Path
) -> None:
    release = release_file(tmp_path, canary({"weight": "50%"}, {"bake": "30s"}), "50s")
    undo = ("undo", "--staging", str(file), "--state", str(tmp_path / "state"))
    with drilling(tmp_path, release, file) as drill:
        await_event(drill, tmp_path / "runs", "route")
        control_plane.lose(kubeconfig.parent, "kube-apiserver")
        _, err = drill.communicate(timeout=TIMEOUT_S)
    assert drill.returncode == 5, err
    assert "LEFT UNCLEAN" in err, err
    assert windtunnel("assess", str(only_record(tmp_path / "runs").folder)).returncode == 4
    control_plane.revive(kubeconfig.parent, "kube-apiserver")
    restart_controllers(kubeconfig)
    told = windtunnel(*undo)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "release on checkout: undone: " in told.stdout
    is_at_rest(attach(tmp_path / "state"))
    assert "Nothing was left to undo" in windtunnel(*undo).stdout
