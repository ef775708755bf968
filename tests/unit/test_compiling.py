"""Kernels are compiled once, on all cores, told, and kept where that can be; helpers do not outlive who needs them."""

from __future__ import annotations

import errno
import functools
import importlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from numba import config, int64
from numba.core.caching import IndexDataCacheFile

from simulator import compiling, kernels
from simulator.compiling import compiled, load
from simulator.fluid.layout import STAGES
from tests.e2e.drills import PATIENCE_S, wait_for
from windtunnel.cli.logged import say_what_is_logged

ROOT = Path(__file__).resolve().parents[2]
COMPILING = "compiling kernels, which are kept for the next time"
SOURCE = "def add(x):\n    return x + 1\n"
STARTER = """
import functools, os, time
from simulator import compiling
queue, end = os.pipe()
os.write(end, bytes(1))
with compiling._helper([functools.partial(time.sleep, 600.0)], queue) as helper:
    print(helper.pid, flush=True)
    time.sleep(600.0)
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """A file with a function `add`, whose compiled form numba keeps beside it."""
    caplog.set_level(logging.INFO, "simulator")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / f"compiled_for_{tmp_path.name}.py"
    path.write_text(SOURCE)
    return path


def part_of(source: Path) -> Callable[[], Any]:
    """The function of the file as it is now; what was compiled of it is not remembered in this process."""
    sys.modules.pop(source.stem, None)
    importlib.invalidate_caches()
    return functools.partial(compiled, importlib.import_module(source.stem).add, int64(int64))


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.nbc")]


def meet(folder: Path, number: int) -> None:
    """Come here, and wait for a second who does."""
    (folder / str(number)).write_text(str(os.getpid()))
    wait_for(lambda: len(list(folder.iterdir())) == 2, PATIENCE_S, "somebody who compiles the other part")


def test_a_part_is_compiled_and_told_once_and_loaded_from_then_on(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load([part_of(source)])
    assert caplog.messages == [COMPILING]
    assert len(kept(source.parent)) == 1
    again = part_of(source)
    load([again])
    assert caplog.messages == [COMPILING]
    assert again()(41) == 42


def test_what_another_thread_compiles_meanwhile_is_let_through(source: Path) -> None:
    other = functools.cache(part_of(source))

    def meanwhile() -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(other).result(PATIENCE_S)

    assert compiling._loads(meanwhile)
    assert other()(41) == 42


def test_a_source_is_compiled_anew_when_it_says_something_else_and_not_when_it_is_written_anew(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load([part_of(source)])
    os.utime(source, (1e9, 1e9))
    load([part_of(source)])
    assert caplog.messages == [COMPILING]
    source.write_text(SOURCE.replace("1", "100"))
    changed = part_of(source)
    load([changed])
    assert caplog.messages == [COMPILING] * 2
    assert changed()(1) == 101


def test_beside_sources_that_cannot_be_written_the_users_folder_keeps_it(
    source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source.parent / "__pycache__").write_text("no folder, which keeps root out too")
    users = tmp_path_factory.mktemp("users")
    monkeypatch.setenv("XDG_CACHE_HOME", str(users))
    load([part_of(source)])
    assert kept(source.parent) == []
    assert len(kept(users)) == 1


def test_without_any_folder_it_is_compiled_and_the_way_out_is_told(
    source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null/cache")
    compiling._can_keep.cache_clear()
    try:
        loaded = functools.cache(part_of(source))
        load([loaded])
        assert "set NUMBA_CACHE_DIR" in caplog.text
        assert loaded()(41) == 42
    finally:
        compiling._can_keep.cache_clear()
    assert kept(source.parent) == []


def test_a_full_disk_keeps_nothing_and_fails_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    loaded = functools.cache(part_of(source))
    load([loaded])
    assert caplog.messages == [COMPILING, "compiled kernels are not kept: No space left on device"]
    assert loaded()(41) == 42


def test_parts_are_compiled_by_two_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "cores", lambda: 2)
    compiling._share([functools.partial(meet, tmp_path, number) for number in range(2)])
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 2


def test_one_core_compiles_all_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "cores", lambda: 1)
    monkeypatch.setattr(subprocess, "Popen", None)
    compiling._share([functools.partial((tmp_path / name).touch) for name in "abc"])
    assert len(list(tmp_path.iterdir())) == 3


def test_a_helper_is_stopped_when_it_is_left() -> None:
    with compiling._helper([functools.partial(time.sleep, 600.0)], 0) as helper:
        assert helper.poll() is None
    assert helper.returncode == -signal.SIGKILL


def test_a_helper_ends_with_whom_it_helps() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        helper = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    wait_for(lambda: not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE, PATIENCE_S, "the helper's end")


def test_set_up_compiles_every_kernel_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(compiling, "load", asked.extend)
    kernels.main()
    assert len(set(map(repr, asked))) == len(asked) == len(STAGES) + len(("full", "lean"))


def test_what_is_logged_is_said_once_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say_what_is_logged()
    say_what_is_logged()
    logging.getLogger("simulator.compiling").info("compiling")
    assert capsys.readouterr() == ("", "compiling\n")
