"""A killed database server's shared memory goes with its data, and nobody else's does."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos.staging import postgres
from chaos.staging.shared_memory import segments

REMOVERS = 4
LOCK_FILE = "4952\n{data}\n1796023138\n19528\n\n127.0.0.1\n{key:>9} {number:>9}\nready   \n"


@pytest.fixture
def segment() -> Iterator[tuple[int, int]]:
    """One of ours, as PostgreSQL makes them: key and id."""
    kernel, key = ctypes.CDLL(None), 0x57540000 + os.getpid() % 0x10000
    number = kernel.shmget(key, 56, 0o1600)  # IPC_CREAT
    assert number >= 0
    yield key, number
    kernel.shmctl(number, 0, None)


def test_the_segment_of_a_killed_server_goes_with_its_data(tmp_path: Path, segment: tuple[int, int]) -> None:
    key, number = segment
    assert segments()[segment] == os.getpid()
    data = tmp_path / "base" / "primary"
    data.mkdir(parents=True)
    (data / "postmaster.pid").write_text(LOCK_FILE.format(data=data, key=key, number=number))
    postgres.remove(tmp_path / "base")
    assert not (tmp_path / "base").exists()
    assert segment not in segments()
    postgres.remove(tmp_path / "base")


@pytest.mark.parametrize("text", ["", "4952\n", LOCK_FILE.format(data="", key=1, number=2), "{0}\n" * 6 + "x y\n"])
def test_what_no_segment_is_named_by_removes_none(tmp_path: Path, segment: tuple[int, int], text: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text(text)
    postgres.remove(tmp_path / "data")
    assert segment in segments()


def test_another_segment_that_has_got_the_id_is_left(tmp_path: Path, segment: tuple[int, int]) -> None:
    key, number = segment
    (tmp_path / "data").mkdir()
    text = LOCK_FILE.format(data="", key=key + 1, number=number)
    (tmp_path / "data" / "postmaster.pid").write_text(text)
    postgres.remove(tmp_path / "data")
    assert segment in segments()


def test_data_that_several_delete_at_once_is_gone_and_nobody_complains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        postgres, "REMOVE_TIMEOUT_S", 0.0
    )  # what a quicker one has deleted is no failure that is waited out
    for number in range(300):
        (tmp_path / "base" / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "base" / f"{number % 3}" / f"{number}").touch()
    with ThreadPoolExecutor(REMOVERS) as pool:
        for each in [pool.submit(postgres.remove, tmp_path / "base") for _ in range(REMOVERS)]:
            each.result(60.0)
    assert not (tmp_path / "base").exists()
