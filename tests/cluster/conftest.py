"""Real clusters on loopback: one of Dask (a scheduler and two workers), and a Kubernetes control plane."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.kubernetes.api import Api
from tests.cluster.control_plane import TOKEN, api, kubeconfig
from tests.cluster.gateway import Gateway, serving

__all__ = ["api", "kubeconfig"]

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


@pytest.fixture
def gateway(api: Api, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Serves a namespace's HTTPRoute `checkout`, once there is one; staging files find the cluster by a variable."""
    monkeypatch.setenv("SHOP_KUBECONFIG", str(kubeconfig))
    with serving(Gateway(api, TOKEN)) as gateway:
        yield gateway


@dataclass
class Cluster:
    """`address` of the scheduler, and the processes of its workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


def _dask(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=log.parent, env=environment, stdout=output, stderr=subprocess.STDOUT)


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert scheduler.poll() is None, "the scheduler has ended"
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.05)
    raise AssertionError(f"no scheduler within {START_TIMEOUT_S:g} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(STOP_TIMEOUT_S)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    file = tmp_path / "scheduler.json"
    scheduler = _dask("scheduler", "--port", "0", "--scheduler-file", str(file), log=tmp_path / "scheduler.log")
    workers: list[subprocess.Popen[bytes]] = []
    try:
        address = _address(file, scheduler)
        for name in ("one", "two"):
            options = ("--nthreads", "1", "--no-nanny", "--name", name, "--local-directory", str(tmp_path / name))
            workers.append(_dask("worker", address, *options, log=tmp_path / f"{name}.log"))
        yield Cluster(address, workers)
    finally:
        for process in (*workers, scheduler):
            stop(process)
