"""A staging in the control plane as a user has it: objects, a staging file, a release, and `windtunnel` itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chaos.kubernetes.api import Api
from chaos.kubernetes.settling import until
from chaos.staging.adapter import StagingAdapter
from evidence.record import RunRecord
from tests.cluster.control_plane import TOKEN
from tests.cluster.shop_objects import (
    CANARY,
    STABLE,
    create_blue_green,
    create_deployment,
    create_rollout,
    create_route,
    image,
    not_healthy,
    not_reached,
    not_ready,
)
from tests.e2e.drills import PATIENCE_S, only_record

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "examples" / "kubernetes-staging" / "release.yaml"
TIMEOUT_S = 300.0

__all__ = [
    "RELEASE",
    "ROOT",
    "blue_green_service",
    "canary",
    "deployments_service",
    "drilled",
    "drilling",
    "is_at_rest",
    "release_file",
    "rollout_service",
    "staging_file",
    "windtunnel",
]


def deployments_service(api: Api) -> dict[str, Any]:
    """A service of two Deployments, three replicas of the old version's, in the words of a staging file.

    Copies for the new version go to its own pods.
    """
    names = {STABLE: create_deployment(api, STABLE, 3), CANARY: create_deployment(api, CANARY, 0)}
    create_route(api, *names.values())
    until(lambda: not_ready(api, names[STABLE], 3), PATIENCE_S)
    until(lambda: not_reached(api, names[STABLE], 3), PATIENCE_S)
    return {
        "deployments": names,
        "route": {"name": "checkout", "backends": names, "copies": {CANARY: names[CANARY]}},
    }


def rollout_service(api: Api, confirm: str = "accepted") -> dict[str, Any]:
    """A service that is a Rollout of strategy canary at rest, three replicas of the old version's."""
    create_route(api, "checkout-stable", "checkout-canary")
    create_rollout(api, 3, {})
    return {"rollout": _rollout(api, "canary", "checkout-stable"), "route": {"name": "checkout", "confirm": confirm}}


def blue_green_service(api: Api) -> dict[str, Any]:
    """The same of strategy blueGreen; the gateway leads to its active Service."""
    create_blue_green(api, 3)
    return {"rollout": _rollout(api, "blue-green", "checkout-active")}


def _rollout(api: Api, strategy: str, service: str) -> dict[str, Any]:
    until(lambda: not_healthy(api), PATIENCE_S)
    until(lambda: not_reached(api, service, 3), PATIENCE_S)
    images = {version: image(version) for version in (STABLE, CANARY)}
    return {"name": "checkout", "container": "checkout", "images": images, "strategy": strategy}


def staging_file(folder: Path, api: Api, target: str, service: dict[str, Any], prometheus: str | None = None) -> Path:
    """Its kubeconfig is the variable SHOP_KUBECONFIG; with a Prometheus, the one at that address."""
    data: dict[str, Any] = {
        "schema": "windtunnel-staging/v1",
        "name": "shop-cluster",
        "adapter": "kubernetes",
        "target": target,
        "marker": {"token": TOKEN},
        "requests": {"checkout": {"path": "/"}},
        "kubernetes": {
            "kubeconfig": "${SHOP_KUBECONFIG}",
            "namespace": api.namespace,
            "services": {"checkout": service},
        },
    }
    if prometheus is not None:
        requests = "http_requests_total"
        data["prometheus"] = {"url": prometheus, "requests": requests, "errors": f'{requests}{{code="500"}}'}
    path = folder / "shop.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def release_file(folder: Path, strategy: dict[str, Any], duration: str, **more: Any) -> Path:
    """The example's release by another strategy, without its fault; `more` of the release itself."""
    data = YAML(typ="safe").load(RELEASE)
    data |= {"duration": duration, "faults": []}
    # What is told apart here are errors: a busy machine's slow answers are none.
    good = {"success": ">= 99%", "p99": "<= 2s"}
    data["functions"]["checkout"] |= {"cohorts": {"coupon": "40%"}, "good": good}
    data["release"] |= {"at": "8s", "strategy": strategy, **more}
    path = folder / "release.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def windtunnel(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "windtunnel", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def _drill(folder: Path, release: Path, file: Path) -> list[str]:
    return ["drill", str(release), "--staging", str(file), "--good", "--state", str(folder / "state"), "--out",
            str(folder / "runs"), "--json"]  # fmt: skip


def drilled(folder: Path, release: Path, file: Path) -> RunRecord:
    """The record of a drill that passes."""
    told = windtunnel(*_drill(folder, release, file))
    assert told.returncode == 0, told.stdout + told.stderr
    return only_record(folder / "runs")


def canary(*steps: dict[str, Any]) -> dict[str, Any]:
    """The strategy of these steps."""
    return {"canary": {"steps": list(steps)}}


@contextmanager
def drilling(folder: Path, release: Path, file: Path) -> Iterator[subprocess.Popen[str]]:
    """A drill while it runs, in a process group of its own; it is gone afterwards."""
    command = [sys.executable, "-m", "windtunnel", *_drill(folder, release, file)]
    drill = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield drill
    finally:
        drill.kill()
        drill.wait(10.0)
        for pipe in (drill.stdout, drill.stderr):  # which a watchdog at work still has
            assert pipe is not None
            pipe.close()


def is_at_rest(staging: StagingAdapter) -> None:
    """As it was made."""
    surface = staging.surface
    assert (dict(surface.ordered("checkout")), dict(surface.ready("checkout"))) == ({STABLE: 3}, {STABLE: 3})
    assert (dict(surface.routes("checkout")), surface.steering("checkout")) == ({STABLE: 1.0}, ())
