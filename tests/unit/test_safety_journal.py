"""The undo journal on disk: order, torn lines, damage; nothing is acknowledged unwritten."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from chaos.safety import journal as journal_module
from chaos.safety.errors import JournalError
from chaos.safety.journal import JOURNAL_NAME, Journal, new_entry, read_journal


def entry(target: str = "checkout--payments"):
    return new_entry("staging-1", "drill-1", "latency", target, {"proxy": target, "toxic": "t"})


def test_an_absent_journal_is_empty(tmp_path: Path) -> None:
    view = read_journal(tmp_path / JOURNAL_NAME)
    assert view.open_entries == ()
    assert view.torn is None


def test_open_entries_keep_their_order_and_everything_needed_to_undo(tmp_path: Path) -> None:
    entries = [entry("a--b"), entry("b--c"), entry("c--d")]
    with Journal(tmp_path) as journal:
        for one in entries:
            journal.open(one)
        journal.done(entries[1], "remove toxic")
    assert read_journal(tmp_path / JOURNAL_NAME).open_entries == (entries[0], entries[2])


def test_a_line_is_synced_file_and_directory_before_open_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd)

    with Journal(tmp_path) as journal:
        monkeypatch.setattr(journal_module.os, "fsync", fsync)
        journal.open(entry())
    assert synced == [JOURNAL_NAME, tmp_path.name]


def test_when_the_disk_refuses_the_fault_is_refused_and_the_next_entry_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    kept = entry()
    with Journal(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(journal_module.os, "fsync", full)
            with pytest.raises(JournalError, match=r"not written.*No space left"):
                journal.open(entry())
        journal.open(kept)
        assert journal.open_entries() == (kept,)


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_torn_last_line_is_tolerated_reported_and_cut_off(tmp_path: Path, cut: int) -> None:
    first, second = entry("a--b"), entry("b--c")
    path = tmp_path / JOURNAL_NAME
    with Journal(tmp_path) as journal:
        journal.open(first)
        whole = path.stat().st_size
        journal.open(second)
    with path.open("rb+") as file:
        file.truncate(whole + cut)
    view = read_journal(path)
    assert view.open_entries == (first,)
    assert view.torn is not None
    assert len(view.torn) == cut
    with Journal(tmp_path) as journal:
        assert journal.torn == view.torn
        journal.done(first, "remove toxic")
        assert journal.open_entries() == ()
    assert read_journal(path).torn is None


def test_a_torn_done_leaves_its_entry_open(tmp_path: Path) -> None:
    one = entry()
    path = tmp_path / JOURNAL_NAME
    with Journal(tmp_path) as journal:
        journal.open(one)
        journal.done(one, "remove toxic")
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 2)
    assert read_journal(path).open_entries == (one,)


@pytest.mark.parametrize(
    "line",
    [b"{", b"{}", b'{"op": "open", "id": "x"}', b'{"op": "other", "id": "x"}', b"\xff\xfe", b"[]"],
)
def test_damage_before_the_last_line_is_listed_with_its_place_and_hides_no_other(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / JOURNAL_NAME
    one = entry()
    with Journal(tmp_path) as journal:
        journal.open(one)
    path.write_bytes(line + b"\n" + path.read_bytes())
    view = read_journal(path)
    assert view.open_entries == (one,)
    assert len(view.damaged) == 1
    assert f"{path}, line 1:" in view.damaged[0]


def test_an_entry_that_is_not_json_is_refused_and_leaves_no_line(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for bad in ({"live": object()}, {"ratio": float("nan")}):
            with pytest.raises(JournalError, match="is not JSON"):
                journal.open(new_entry("s", "d", "latency", "t", bad))
    assert (tmp_path / JOURNAL_NAME).read_bytes() == b""


def test_a_closed_journal_refuses(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.open(entry())


def test_threads_share_a_journal_without_mixing_lines(tmp_path: Path) -> None:
    entries = [entry(f"a--{number}") for number in range(40)]
    with Journal(tmp_path) as journal:
        threads = [threading.Thread(target=journal.open, args=(one,)) for one in entries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = (tmp_path / JOURNAL_NAME).read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {one.id for one in entries}
