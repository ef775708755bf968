"""A disk of its own: as large as it is told to be, full when it is full, and gone with its folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.staging import room
from chaos.staging.shop.attempts import attempt


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "payments"
    why_not = room.make(folder)
    if why_not is not None:
        pytest.skip(f"no disk of its own: {why_not}")
    yield folder
    room.give_back(folder)


def test_it_is_full_and_has_room_again_with_its_files_untouched(folder: Path) -> None:
    (folder / "ledger").write_bytes(b"x" * 5000)
    before = room.room_of(folder)
    assert before == room.Room(room.ROOM_BYTES, 2 * room.PAGE_BYTES)
    room.resize(folder, before.used_bytes + room.PAGE_BYTES)
    assert room.room_of(folder) == room.Room(3 * room.PAGE_BYTES, 2 * room.PAGE_BYTES)
    with (folder / "more").open("wb", buffering=0) as file:
        file.write(b"x" * room.PAGE_BYTES)
        with pytest.raises(OSError, match="No space left") as full:
            file.write(b"x")
    assert full.value.errno == errno.ENOSPC
    (folder / "more").unlink()
    assert attempt("room", 2 * room.PAGE_BYTES, folder) == "ENOSPC"
    assert attempt("room", room.PAGE_BYTES, folder) is None
    room.resize(folder, before.total_bytes)
    assert room.room_of(folder) == before
    assert (folder / "ledger").read_bytes() == b"x" * 5000


def test_it_goes_with_its_folder_and_twice_is_as_good(folder: Path) -> None:
    assert room.make(folder) is None
    room.give_back(folder)
    assert not folder.exists()
    room.give_back(folder)
    assert str(folder) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def test_without_root_it_is_a_folder_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    folder = tmp_path / "payments"
    assert room.make(folder) == "it needs root"
    assert room.room_of(folder) is None
    room.give_back(folder)
    assert not folder.exists()
