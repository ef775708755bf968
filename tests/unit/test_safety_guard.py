"""The guard around a drill, with a real watchdog and journal and a staging in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chaos.errors import StagingUnclean
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.surface import Surface
from chaos.safety.errors import DrillStopped, JournalCorrupt, JournalError, StagingBusy, WatchdogError
from chaos.safety.guard import guarded
from chaos.safety.journal import JOURNAL_NAME, Journal, JournalEntry, new_entry, read_journal
from chaos.safety.stop import ABORT_FILE
from chaos.safety.undo import UNDOABLE, EntryResult, heal, heal_for_the_dead
from scenarios.models import Fault
from tests.faults_memory_surface import MemorySurface

CONTEXT = PlanContext("drill-1", "checkout", "2.3", "2.4")


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


LATENCY = fault(latency={"on": "checkout -> payments", "add": "200ms"})


def test_a_drill_that_heals_its_own_fault_leaves_an_empty_journal(tmp_path: Path) -> None:
    surface = MemorySurface()
    with guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard:
        entry = guard.inject(LATENCY, CONTEXT)
        assert read_journal(tmp_path / JOURNAL_NAME).open_entries == (entry,)
        assert guard.heal(entry).rung == "remove toxic"
    assert guard.report is not None
    assert guard.report.results == ()
    assert surface.world == surface.start


def test_every_exit_path_undoes_fault_and_release(tmp_path: Path) -> None:
    surface = MemorySurface()
    with (  # noqa: PT012 - the whole drill is what stops
        pytest.raises(DrillStopped, match="no more"),
        guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard,
    ):
        guard.protect_release("checkout")
        surface.deploy("checkout", "2.4", 2)
        surface.route("checkout", {"2.3": 0.95, "2.4": 0.05})
        guard.inject(LATENCY, CONTEXT)
        guard.inject(fault(kill={"of": "checkout", "version": "new"}), CONTEXT)
        raise DrillStopped("abort", "no more")
    assert surface.world == surface.start
    assert guard.report is not None
    assert [result.kind for result in guard.report.results] == ["kill", "latency", "release"]


def test_the_undo_is_on_disk_before_the_fault_and_a_refused_journal_refuses_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface = MemorySurface()
    with guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard:
        add_toxic = surface.add_toxic

        def checked(*arguments: Any) -> None:
            assert len(read_journal(tmp_path / JOURNAL_NAME).open_entries) == 1
            add_toxic(*arguments)

        monkeypatch.setattr(surface, "add_toxic", checked)
        guard.heal(guard.inject(LATENCY, CONTEXT))

        def full(entry: object) -> None:
            raise JournalError("no space left")

        with monkeypatch.context() as patch:
            patch.setattr(guard.journal, "open", full)
            surface.calls.clear()
            with pytest.raises(JournalError):
                guard.inject(LATENCY, CONTEXT)
            assert surface.calls == []


def test_an_unconfirmed_fault_is_undone_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surface = MemorySurface()
    monkeypatch.setattr(surface, "set_enabled", lambda *arguments: None)
    with guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard:
        with pytest.raises(FaultNotConfirmed):
            guard.inject(fault(cut={"on": "edge -> checkout"}), CONTEXT)
        assert guard.journal.open_entries() == ()


def test_without_its_watchdog_nothing_is_injected(tmp_path: Path) -> None:
    surface = MemorySurface()
    with guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard:
        guard.lease.process.kill()
        guard.lease.process.wait(5)
        with pytest.raises(WatchdogError):
            guard.inject(LATENCY, CONTEXT)
        with pytest.raises(WatchdogError):
            guard.protect_release("checkout")
    assert surface.calls == []


def test_what_cannot_be_undone_is_unclean_and_says_so_over_the_drills_own_error(
    tmp_path: Path,
) -> None:
    surface = MemorySurface()
    with (  # noqa: PT012 - the whole drill is what ends unclean
        pytest.raises(StagingUnclean, match=r"error on edge: LEFT UNCLEAN.*share") as unclean,
        guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard,
    ):
        guard.inject(fault(error={"on": "edge", "share": "5%"}), CONTEXT)
        surface.refuses = {"set_error_share"}
        raise ValueError("the drill's own")
    assert isinstance(unclean.value.__context__, ValueError)
    surface.refuses = set()
    with (
        pytest.raises(StagingUnclean, match="an earlier run left error on edge"),
        guarded(surface, tmp_path, "drill-2", deadline_s=60.0),
    ):
        pass
    assert heal(tmp_path, surface=surface).clean
    with guarded(surface, tmp_path, "drill-2", deadline_s=60.0):
        pass
    assert surface.world == surface.start


def test_two_drills_never_share_a_staging(tmp_path: Path) -> None:
    surface = MemorySurface()
    with (
        guarded(surface, tmp_path, "drill-1", deadline_s=60.0),
        pytest.raises(StagingBusy, match=r"drill.lock is held"),
        guarded(surface, tmp_path, "drill-2", deadline_s=60.0),
    ):
        pass


def test_undo_does_not_heal_under_a_running_drill(tmp_path: Path) -> None:
    surface = MemorySurface()
    with guarded(surface, tmp_path, "drill-1", deadline_s=60.0) as guard:
        entry = guard.inject(LATENCY, CONTEXT)
        with pytest.raises(StagingBusy, match=r"drill.lock is held"):
            heal(tmp_path)
        assert guard.journal.open_entries() == (entry,)
    assert heal(tmp_path).results == ()


def test_an_abort_file_of_an_earlier_drill_does_not_stop_this_one(tmp_path: Path) -> None:
    (tmp_path / ABORT_FILE).touch()
    with guarded(MemorySurface(), tmp_path, "drill-1", deadline_s=60.0):
        assert not (tmp_path / ABORT_FILE).exists()


def test_a_damaged_journal_stops_a_drill_and_never_heals_clean(tmp_path: Path) -> None:
    surface = MemorySurface()
    (tmp_path / JOURNAL_NAME).write_bytes(b"garbage\n")
    with (
        pytest.raises(JournalCorrupt, match="line 1"),
        guarded(surface, tmp_path, "drill-1", deadline_s=60.0),
    ):
        pass
    report = heal(tmp_path, surface=surface)
    assert not report.clean
    with pytest.raises(StagingUnclean, match="line 1"):
        report.require_clean()


def test_entries_of_a_staging_that_is_gone_do_not_touch_the_new_one(tmp_path: Path) -> None:
    surface = MemorySurface(token="new")
    with Journal(tmp_path) as journal:
        journal.open(new_entry("old", "drill-1", "error", "edge", {"service": "edge", "share": 1}))
    report = heal(tmp_path, surface=surface)
    assert report.clean
    assert report.results[0].rung == "that staging is gone"
    assert surface.calls == []


def test_no_staging_up_means_nothing_is_left(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.open(new_entry("old", "drill-1", "error", "edge", {"service": "edge", "share": 1}))
    assert heal(tmp_path).results[0].rung == "that staging is gone"
    assert heal(tmp_path).results == ()


def test_a_staging_whose_state_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.open(new_entry("old", "drill-1", "error", "edge", {"service": "edge", "share": 1}))
    (tmp_path / "state.json").write_text("{torn", encoding="utf-8")
    report = heal(tmp_path)
    assert not report.clean
    with pytest.raises(StagingUnclean, match=r"error on edge: LEFT UNCLEAN: staging cannot be read"):
        report.require_clean()


@pytest.mark.parametrize("goes", [True, False])
def test_a_dead_drills_own_staging_goes_before_the_faults_on_it_and_after_those_on_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    surface = MemorySurface()
    order: list[str] = []

    @dataclass
    class Recorded:
        """A kind whose rung says that it was climbed; nothing is left afterwards unless `stays`."""

        kind: str
        stays: bool = False
        lifted: bool = False

        @property
        def rungs(self) -> tuple[Rung, ...]:
            return (Rung("undone", self._climb, 5.0),)

        def _climb(self, surface: Surface, entry: JournalEntry) -> None:
            order.append(self.kind)
            self.lifted = not self.stays

        def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
            return None if self.lifted else "it is there"

    class OnTheHost(Recorded):
        def lift_from_host(self, entry: JournalEntry) -> None:
            raise AssertionError("it was undone")

    kinds = [Recorded("staging", stays=not goes), Recorded("zone"), OnTheHost("packets")]
    with Journal(tmp_path) as journal:
        for kind in kinds:
            monkeypatch.setitem(UNDOABLE, kind.kind, kind)
            journal.open(new_entry(surface.token(), "drill-1", kind.kind, "edge", {}))
        journal.open(new_entry("an earlier one", "drill-0", "error", "edge", {"service": "edge", "share": 1}))
    report = heal_for_the_dead(tmp_path, surface)
    assert report.results[0].rung == "that staging is gone"
    report = replace(report, results=report.results[1:])
    if goes:
        assert order == ["packets", "staging"]
        assert [result.rung for result in report.results] == ["undone", "went with its staging", "undone"]
    else:
        assert order == ["packets", "staging", "zone", "staging"]
        assert [result.rung for result in report.results] == ["undone", "undone", None]
    assert report.clean == goes
    assert [entry.kind for entry in read_journal(tmp_path / JOURNAL_NAME).open_entries] == ([] if goes else ["staging"])


def test_what_is_left_is_told_with_each_reason_once() -> None:
    gone = "ConnectionError: refused"
    failures = (f"remove toxic: {gone}", "remove toxic: left a toxic", f"restart: {gone}", "restart: left a toxic")
    result = EntryResult("1", "latency", "checkout", None, "a toxic", failures)
    assert str(result) == (
        f"latency on checkout: LEFT UNCLEAN: a toxic (after remove toxic, restart: {gone}; remove toxic, restart)"
    )
    undone = replace(result, rung="down", residue=None)
    assert str(undone) == (
        f"latency on checkout: undone: down (after remove toxic, restart: {gone}; remove toxic, restart: left a toxic)"
    )
