"""Replications on a real Dask cluster: the same bytes as local ones, also when a worker dies in the middle."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.loading import load
from simulator import dask_cluster
from simulator.errors import ClusterError, RequestError
from simulator.replications import SimulationResult, simulate
from tests.cluster.conftest import Cluster, stop

ROOT = Path(__file__).resolve().parents[2]
REPLICATIONS = 60


def played(
    executor: str = "local", processes: int | None = None, out: Path | None = None, **more: object
) -> SimulationResult:
    scenario, source = load("shop-release")
    return simulate(
        scenario,
        source.text,
        replications=REPLICATIONS,
        seed=3,
        executor=executor,
        processes=processes,
        out=out,
        source=source.source,
        **more,
    )  # type: ignore[arg-type]


def digests(result: SimulationResult) -> dict[str, str]:
    assert result.record is not None
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(result.record.glob("*.parquet"))
    }


def test_the_same_bytes_for_one_two_and_seven_processes_and_on_dask(cluster: Cluster, tmp_path: Path) -> None:
    on_dask = digests(played(f"dask={cluster.address}", out=tmp_path / "dask"))
    assert len(on_dask) >= 4
    for processes in (1, 2, 7):
        assert digests(played(processes=processes, out=tmp_path / str(processes))) == on_dask


def test_a_worker_lost_in_the_middle_loses_no_replication(cluster: Cluster) -> None:
    seen: list[int] = []

    def kill_one(done: int, _of: int) -> None:
        seen.append(done)
        if done == REPLICATIONS // 4:
            stop(cluster.workers[0])

    result = played(f"dask={cluster.address}", progress=kill_one)
    assert cluster.workers[0].poll() is not None
    assert seen == list(range(1, REPLICATIONS + 1))
    assert result.measures == played(processes=1).measures


def test_a_scheduler_that_is_not_there_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(RequestError, match=r"dask=127.0.0.1:9\) must be a Dask scheduler that answers within 0.5 s"):
        played("dask=127.0.0.1:9")


def test_workers_with_other_sources_are_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "sources_digest", lambda: "another")
    with pytest.raises(ClusterError, match="the digests of its sources differ"):
        played(f"dask={cluster.address}")


def test_local_work_imports_no_dask() -> None:
    code = (
        "import sys; from scenarios.loading import load; from simulator.replications import simulate\n"
        "scenario, source = load('shop-release'); simulate(scenario, source.text, replications=3, processes=2)\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_without_the_package_a_cluster_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RequestError, match=r"install windtunnel\[dask\]"):
        played("dask=127.0.0.1:8786")


@pytest.mark.parametrize("text", ["", "dask", "dask=", "dask=nowhere", "spark=127.0.0.1:1", "dask=127.0.0.1:port"])
def test_an_executor_of_another_form_is_bad_input(text: str) -> None:
    with pytest.raises(RequestError, match="must be local or dask=ADDRESS"):
        played(text)


def test_local_processes_beside_a_cluster_are_bad_input() -> None:
    with pytest.raises(RequestError, match=r"processes\(=2\) must not be given beside executor dask=h:1"):
        played("dask=h:1", processes=2)
