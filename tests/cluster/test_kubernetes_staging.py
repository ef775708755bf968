"""A staging file's cluster as a drill has it: behind its gate, drilled, and undone whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from ruamel.yaml import YAML

from chaos.kubernetes.api import ROLLOUT, Api
from chaos.kubernetes.errors import KubernetesError, NotThisStaging
from chaos.kubernetes.gate import MARKER
from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import open_staging
from chaos.staging.files.loading import load_staging
from tests.cluster.control_plane import TOKEN
from tests.cluster.hung import PROCESS, is_still, serving_process
from tests.cluster.shop_objects import CANARY, STABLE, STEPS
from tests.cluster.stagings import RELEASE, ROOT, drilled, rollout_service, staging_file
from tests.e2e.drills import PATIENCE_S, wait_for

pytestmark = pytest.mark.cluster


class Shop(BaseHTTPRequestHandler):
    """Simulated pods answer nobody: this stands for what the route leads to."""

    def do_GET(self) -> None:
        body = json.dumps({"id": TOKEN}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def target() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10.0)


@pytest.fixture
def file(api: Api, kubeconfig: Path, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A staging file, and the Rollout that it speaks of, with three replicas of the old version."""
    monkeypatch.setenv("SHOP_KUBECONFIG", str(kubeconfig))
    return staging_file(tmp_path, api, target, rollout_service(api, confirm="spec"))


def is_at_rest(staging: StagingAdapter, api: Api) -> None:
    surface = staging.surface
    assert (dict(surface.ordered("checkout")), dict(surface.ready("checkout"))) == ({STABLE: 3}, {STABLE: 3})
    assert (dict(surface.routes("checkout")), surface.steering("checkout")) == ({STABLE: 1.0}, ())
    assert api.get(ROLLOUT, "checkout")["spec"]["strategy"]["canary"]["steps"] == STEPS


def test_namespace_that_is_not_marked_is_not_touched(api: Api, file: Path, tmp_path: Path) -> None:
    loaded = load_staging(file)
    open_staging(loaded, tmp_path / "state")
    core = client.CoreV1Api(api.connection)
    for token, why in (("another-staging", "marker of another staging"), (None, "has no annotation")):
        core.patch_namespace(api.namespace, {"metadata": {"annotations": {MARKER: token}}}, _request_timeout=10.0)
        with pytest.raises(NotThisStaging, match=why):
            open_staging(loaded, tmp_path / "state")


def test_cluster_that_does_not_answer_is_told(
    file: Path, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "gone").write_text(json.dumps(config))
    monkeypatch.setenv("SHOP_KUBECONFIG", str(tmp_path / "gone"))
    with pytest.raises(KubernetesError, match=r"https://127\.0\.0\.1:9 did not answer"):
        open_staging(load_staging(file), tmp_path / "state")


HARNESS = """
import sys, time
from pathlib import Path
from chaos.safety.guard import guarded
from chaos.staging.adapters import attach
staging = attach(Path(sys.argv[1]))
with guarded(staging.surface, staging.state_dir, 'drill-1', 60.0, faults=staging.faults) as guard:
    guard.protect_release('checkout')
    staging.deploy('checkout', '2.4', 2, 60.0)
    staging.route('checkout', {'2.3': 0.5, '2.4': 0.5})
    print('half-way', flush=True)
    time.sleep(600)
"""


def test_sigkill_of_the_harness_in_a_rollout_is_healed_by_the_watchdog(api: Api, file: Path, tmp_path: Path) -> None:
    staging = open_staging(load_staging(file), tmp_path / "state")
    journal = tmp_path / "state" / JOURNAL_NAME
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(staging.state_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "half-way\n"
        assert dict(staging.surface.routes("checkout")) == {STABLE: 0.5, CANARY: 0.5}
    finally:
        harness.send_signal(signal.SIGKILL)
        harness.wait(10.0)
        assert harness.stdout is not None
        harness.stdout.close()
    wait_for(lambda: not read_journal(journal).open_entries, PATIENCE_S, "the watchdog's undo")
    is_at_rest(staging, api)


@pytest.fixture
def pausing(file: Path) -> Iterator[list[dict[str, Any]]]:
    """A fault that stops a pod's process for a while, whose staging file knows which; none where nobody can be had."""
    if os.geteuid() != 0:
        yield []
        return
    data = json.loads(file.read_text())
    data["kubernetes"]["services"]["checkout"]["pause"] = {"container": "checkout", "process": PROCESS}
    file.write_text(json.dumps(data))
    with serving_process() as pid:
        yield [{"at": "3s", "for": "3s", "pause": {"of": "checkout", "replicas": 1}}]
        assert not is_still(pid)


def test_drill_releases_breaks_pods_and_leaves_the_cluster_as_it_was(
    api: Api, file: Path, pausing: list[dict[str, Any]], tmp_path: Path
) -> None:
    scenario = YAML(typ="safe").load(RELEASE)
    scenario["faults"] += pausing
    release = tmp_path / "release.yaml"
    release.write_text(json.dumps(scenario))
    events = drilled(tmp_path, release, file).events()
    differences = {event.subject: event.detail["differences"] for event in events if event.kind == "verify"}
    assert (differences["staging as before"], differences["steady state"]) == ([], [])
    shares = [event.detail["weights"].get(CANARY, 0.0) for event in events if event.kind == "route"]
    assert shares == [0.25, 0.5, 1.0]
    kinds = [fault for fault in ("pause", "kill") if fault == "kill" or pausing]
    for kind in ("fault-start", "fault-end"):
        assert [event.subject for event in events if event.kind == kind] == [f"{fault} on checkout" for fault in kinds]
    assert {event.detail["kind"] for event in events if event.kind == "undo"} == {*kinds, "release"}
    is_at_rest(open_staging(load_staging(file), tmp_path / "state"), api)
