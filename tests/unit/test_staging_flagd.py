"""flagd: built to listen on loopback alone, started for a release with a flag, followed at once, and dead."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from openfeature.exception import ProviderNotReadyError

from chaos.errors import BuildFailed
from chaos.staging import flagd, processes
from chaos.staging.config import SERVICES, StagingConfig
from chaos.staging.flagd_build import FLAGD, bound_to_loopback
from chaos.staging.flags import FlagFile
from chaos.staging.ports import LOOPBACK, free_ports
from chaos.staging.shop import flag as shop_flag
from chaos.staging.shop.flag import Flag, streaming
from chaos.staging.state import FLAGD_SYNC, State

MODULE = Path(flagd.__file__).with_name("flagd_module")
CONFIG = StagingConfig(flag_poll_s=1.0)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[State, processes.ProcessId]]:
    """A flagd over the flags' files in `tmp_path`."""
    if FLAGD.find() is None:
        pytest.skip("flagd is not built: `make flagd` builds it once")
    for service in SERVICES:
        FlagFile(tmp_path, service).write(0.0, ())
    (tmp_path / "log").mkdir()
    ports = dict(zip(flagd.PORTS, free_ports(len(flagd.PORTS)), strict=True))
    state = State("token", "password", CONFIG, ports)
    process = flagd.spawn(state, tmp_path)
    try:
        deadline = time.monotonic() + 20.0
        while not flagd.ready(ports):
            assert time.monotonic() < deadline, processes.log_tail(tmp_path / "log" / "flagd.log")
            time.sleep(0.02)
        yield state, process
    finally:
        assert processes.stop([process]) == []


def follow(flag: Flag, order: int) -> float:
    """Wait until it has followed; how long that took."""
    began_s = time.monotonic()
    while flag.order() != order:
        assert time.monotonic() < began_s + 5.0, f"still at order {flag.order()}"
        time.sleep(0.002)
    return time.monotonic() - began_s


def test_it_is_pinned_with_its_checksums() -> None:
    pinned = f"{FLAGD.package} v{FLAGD.version}"
    assert re.search(rf"^require {re.escape(pinned)}$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    sums = (MODULE / "go.sum").read_text()
    assert f"{pinned} h1:" in sums
    assert f"{pinned}/go.mod h1:" in sums


def test_each_port_is_given_the_address(tmp_path: Path) -> None:
    source = tmp_path / "serve.go"
    source.write_text('a := fmt.Sprintf(":%d", one)\nb := fmt.Sprintf(":%d", two)\n')
    with pytest.raises(BuildFailed, match=r"serve.go: ports opened\(=2\) must be 1"):
        bound_to_loopback(tmp_path, {"serve.go": 1})
    bound_to_loopback(tmp_path, {"serve.go": 2})
    assert source.read_text() == f'a := fmt.Sprintf("{LOOPBACK}:%d", one)\nb := fmt.Sprintf("{LOOPBACK}:%d", two)\n'


def test_it_is_built_from_a_copy_of_its_source(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    for name, text in {
        "pkg/service/flag-evaluation/connect_service.go": 'a(":%d"); b(":%d")',
        "pkg/service/flag-evaluation/ofrep/ofrep_service.go": 'a(":%d")',
        "pkg/service/flag-sync/sync_service.go": 'a(":%d")',
    }.items():
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        (fetched / name).write_text(text)
    ran: list[list[str]] = []

    def run(arguments: list[str], timeout_s: float, cwd: Path) -> str:
        assert (cwd / "go.sum").read_bytes() == (MODULE / "go.sum").read_bytes()
        ran.append(arguments)
        return json.dumps({"Dir": str(fetched)})

    go: Any = SimpleNamespace(scratch=tmp_path / "scratch", run=run)
    FLAGD.build(go)
    assert [each[:2] for each in ran] == [["mod", "download"], ["mod", "edit"], ["install", "-trimpath"]]
    assert ran[1][2:] == ["-replace", f"{FLAGD.package}=../source"]
    patched = (go.scratch / "source" / "pkg/service/flag-evaluation/connect_service.go").read_text()
    assert patched == f'a("{LOOPBACK}:%d"); b("{LOOPBACK}:%d")'


def test_it_is_wanted_for_a_flag_and_where_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert not flagd.wanted(CONFIG)
    # as its makers have it, it listens on every interface
    (tmp_path / "flagd").touch(0o755)
    assert not flagd.wanted(CONFIG)
    FLAGD.cached.parent.mkdir(parents=True)
    FLAGD.cached.touch(0o755)
    assert flagd.wanted(CONFIG)
    assert not flagd.wanted(replace(CONFIG, flag_poll_s=None))


def test_the_state_tells_what_replicas_have_the_flag_from() -> None:
    assert State("t", "p", StagingConfig(), {}).flag_source == "none"
    assert State("t", "p", CONFIG, {}).flag_source == "file"
    assert State("t", "p", CONFIG, {FLAGD_SYNC: 1}).flag_source == "flagd"


@pytest.mark.flagd
def test_it_listens_on_loopback_alone(running: tuple[State, processes.ProcessId]) -> None:
    state, process = running
    found = psutil.Process(process.pid).net_connections()
    listening = {each.laddr for each in found if each.status == psutil.CONN_LISTEN}
    assert {address.ip for address in listening} == {LOOPBACK}
    assert {address.port for address in listening} == set(state.ports.values())


@pytest.mark.flagd
def test_orders_are_followed_at_once_and_the_last_one_when_it_is_dead(
    running: tuple[State, processes.ProcessId], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, process = running
    flag = Flag("checkout", streaming(state.ports[FLAGD_SYNC]), ())
    file = FlagFile(tmp_path, "checkout")
    try:
        keys = [f"{number:032x}" for number in range(400)]
        assert not any(flag.on(key, "coupon") for key in keys)
        # the file's own provider would look once a second
        took_s = [follow(flag, file.write(share, ["coupon"]).order) for share in (0.25, 0.5, 0.25)]
        assert sorted(took_s)[1] < 0.5, took_s
        drawn = [flag.on(key, "default") for key in keys]
        # 400 draws of 25 %: five standard deviations
        assert 57 <= sum(drawn) <= 143
        assert processes.stop([process], ladder=((signal.SIGKILL, 5.0),)) == []
        followed = flag.order()
        file.write(0.0, ())
        # longer than the provider takes to call itself stale, and then in error
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            assert [flag.on(key, "default") for key in keys] == drawn
            assert all(flag.on(key, "coupon") for key in keys)
            time.sleep(0.25)
        assert flag.order() == followed
    finally:
        flag.close()
    monkeypatch.setattr(shop_flag, "_CONNECT_MS", 200)
    with pytest.raises(ProviderNotReadyError):
        Flag("checkout", streaming(state.ports[FLAGD_SYNC]), ())
    shop_flag.api.shutdown()
