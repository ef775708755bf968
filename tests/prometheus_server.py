"""A real Prometheus over one target, for tests."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos.staging.ports import free_ports

__all__ = ["needs_prometheus", "prometheus_over"]

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no prometheus on PATH (Debian: prometheus)"
)


@contextmanager
def prometheus_over(target: str, metrics_path: str, folder: Path) -> Iterator[str]:
    """The address of a server that scrapes `target` (host:port) every second; it keeps its data in `folder`."""
    (port,) = free_ports(1)
    jobs = [{"job_name": "shop", "metrics_path": metrics_path, "static_configs": [{"targets": [target]}]}]
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "900ms"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
