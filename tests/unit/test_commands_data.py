"""The verbs for data by commands: read back, ended, undone from disk, and refused by path where one is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chaos.realise import NotRealisable
from chaos.safety.errors import BaselineDrifted
from chaos.safety.store import plan_store
from chaos.safety.undo import heal, undo_entry
from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import open_staging
from chaos.staging.commands.errors import AnswerNotUnderstood, CommandFailed, VerbMissing
from chaos.staging.data_verbs import DataVerbs, NothingLeft, StoredOrder
from chaos.staging.files.errors import InvalidStagingFile
from chaos.staging.files.fitting import require_baseline, require_fitting
from chaos.staging.files.loading import Loaded
from scenarios.loading import load
from tests.commands_tiny import calls, tiny_data_commands, tiny_staging
from tests.e2e.drills import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parents[2]


def with_data(folder: Path, *without: str, **changes: Any) -> Loaded:
    """The tiny staging in `folder`, with the verbs for data but some."""
    return tiny_staging(folder, data=tiny_data_commands(folder, *without), **changes)


@pytest.fixture
def staging(tmp_path: Path) -> StagingAdapter:
    return open_staging(with_data(tmp_path / "shop"), tmp_path / "state")


@pytest.fixture
def data(staging: StagingAdapter) -> DataVerbs:
    assert staging.data is not None
    return staging.data


def test_a_migration_is_played_read_back_and_has_a_point_of_no_return(data: DataVerbs, tmp_path: Path) -> None:
    assert data.migration_state() == "baseline"
    data.migrate("expand", 0.5)
    assert data.migration_state() == "expand"
    assert data.reconcile() == 7
    data.migrate("revert", 0.0)
    assert data.migration_state() == "baseline"
    data.migrate("contract", 0.0)
    with pytest.raises(
        NothingLeft, match=r"command of migrate .*exit code\(=3\) must be 0\n    the old column is gone"
    ):
        data.migrate("revert", 0.0)
    (tmp_path / "shop" / "broken").touch()
    with pytest.raises(CommandFailed, match=r"switch of the migration: state\(=contract\) must be switch"):
        data.migrate("switch", 0.0)


def test_backups_restores_and_failovers_tell_what_they_kept(data: DataVerbs, tmp_path: Path) -> None:
    taken = data.back_up()
    assert (taken.taken, taken.size_bytes) == (datetime(2026, 1, 1, tzinfo=UTC), 5)
    moment = datetime(2026, 1, 1, 0, 0, 8, tzinfo=UTC)
    restored = data.restore(moment)
    assert ((restored.kept - restored.taken).total_seconds(), restored.rows) == (9.0, 3)
    assert (tmp_path / "shop" / "restored").read_text() == "2026-01-01T00:00:08+00:00\n"
    assert data.fail_over() is None


def test_rows_that_are_wrong_are_told_and_not_found(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    staging = open_staging(with_data(folder, ledger={"run": [str(folder / "staging.sh")]}), tmp_path / "state")
    data = staging.data
    assert data is not None
    assert data.tells_wrong
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    assert data.wrong_since(moment) == []
    assert staging.final_read("orders", ["a", "b"], moment).found == {"a", "b"}
    wrong = '{"rows": [{"id": "b", "written": "2026-11-30T00:00:01+00:00"}]}'
    (folder / "wrong").write_text(wrong, encoding="utf-8")
    assert data.wrong_since(moment) == [StoredOrder("b", None, moment + timedelta(seconds=1))]
    assert staging.final_read("orders", ["a", "b"], moment).found == {"a"}
    assert f"wrong {moment.isoformat()}" in calls(folder)
    data.reconcile()
    assert data.wrong_since(moment) == []
    (folder / "wrong").write_text('{"rows": [{"id": "b"}]}', encoding="utf-8")
    with pytest.raises(AnswerNotUnderstood, match=r"command of wrong printed rows.0.written"):
        data.wrong_since(moment)


def test_moments_need_a_time_zone_and_verbs_a_command(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    loaded = with_data(folder, "backup", "reconcile")
    odd = tiny_data_commands(folder)
    odd["fail-over"] = {"run": ["echo", '{"kept": "2026-01-01T00:00:00"}']}
    data = open_staging(loaded, tmp_path / "state").data
    assert data is not None
    with pytest.raises(VerbMissing, match="backup of orders: the staging file has no command"):
        data.back_up()
    other = open_staging(tiny_staging(folder, data=odd), tmp_path / "other").data
    assert other is not None
    with pytest.raises(AnswerNotUnderstood, match=r"command of fail-over printed kept"):
        other.fail_over()


def test_an_interrupted_phase_is_ended_with_all_that_it_started(data: DataVerbs, tmp_path: Path) -> None:
    (tmp_path / "shop" / "hang-migrate").touch()
    failures: list[CommandFailed] = []

    def expand() -> None:
        try:
            data.migrate("expand", 0.0)
        except CommandFailed as error:
            failures.append(error)

    thread = threading.Thread(target=expand)
    thread.start()
    wait_for(lambda: "migrate expand" in calls(tmp_path / "shop"), PATIENCE_S, "a phase that hangs")
    data.end_migration()
    thread.join(10.0)
    assert len(failures) == 1
    assert data.migration_state() == "baseline"
    data.end_migration()  # nothing is under way


def test_sigkill_of_the_harness_in_a_migration_is_healed_from_disk(staging: StagingAdapter, tmp_path: Path) -> None:
    """The phase that hangs is ended first, then servers and schema are put back."""
    shop = tmp_path / "shop"
    program = (
        "import sys; from pathlib import Path\n"
        "from chaos.safety.guard import guarded\n"
        "from chaos.staging.adapters import attach\n"
        "staging = attach(Path(sys.argv[1]))\n"
        "with guarded(staging.surface, staging.state_dir, 'drill-1', 60.0, faults=staging.faults) as guard:\n"
        "    guard.protect_store('orders')\n"
        "    staging.data.migrate('expand', 0.0)\n"
        "    Path(sys.argv[2]).touch()\n"
        "    staging.data.migrate('backfill', 0.0)\n"
    )
    hang = str(shop / "hang-migrate")
    harness = subprocess.Popen([sys.executable, "-c", program, str(staging.state_dir), hang], cwd=ROOT)
    try:
        wait_for(lambda: "migrate backfill" in calls(shop), PATIENCE_S, "a phase that hangs")
    finally:
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait(10)
    log = staging.state_dir / "watchdog.log"
    wait_for(lambda: log.exists() and '"event": "clean"' in log.read_text(), PATIENCE_S, "the watchdog to have healed")
    assert not (shop / "schema").exists()
    assert [call for call in calls(shop) if call == "heal store"] == ["heal store"]
    assert heal(staging.state_dir).results == ()


def test_a_store_is_put_back_by_the_heal_command(staging: StagingAdapter, tmp_path: Path) -> None:
    assert staging.data is not None
    entry = plan_store(staging.surface, "orders", "drill-1")
    assert undo_entry(staging.surface, entry).rung == "nothing was left"
    staging.data.restore(datetime.now(UTC))
    assert undo_entry(staging.surface, entry).rung == "restore baseline"
    assert not (tmp_path / "shop" / "restored").exists()


def test_what_has_no_way_back_is_no_staging_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidStagingFile) as caught:
        with_data(tmp_path / "shop", "heal", "residue")
    assert [line.split(": ")[1:3] for line in str(caught.value).splitlines()] == [
        ["commands.data.heal", "(absent)"],
        ["commands.data.residue", "(absent)"],
    ]


@pytest.mark.parametrize(
    ("library", "without", "told"),
    [
        ("shop-migration", ("migrate",), [
            "release.migration: the file has no command data.migrate",
            "release.rollback[4]: revert-migration: the file has no command data.migrate",
        ]),
        ("shop-migration", ("reconcile",), ["release.rollback[3]: reconcile: the file has no command data.reconcile"]),
        ("shop-failover", ("fail-over",), ["faults[1].primary: the file has no command data.fail-over"]),
        ("shop-restore", ("restore", "backup"), [
            "faults[0].primary: the file has no command data.restore",
            "system.stores.orders.backup: the file has no command data.backup, to take it before the load"]),
    ],
)  # fmt: skip
def test_a_missing_verb_is_told_by_path(
    library: str, without: tuple[str, ...], told: list[str], tmp_path: Path
) -> None:
    assert problems(library, with_data(tmp_path / "shop", *without)) == told


def test_without_commands_for_data_none_can_be_played(tmp_path: Path) -> None:
    loaded = tiny_staging(tmp_path / "shop")
    assert problems("shop-restore", loaded) == ["faults[0].primary: the file has no commands for data"]
    # a server that is lost must be put back, whether anybody took over or not
    assert problems("shop-failover", loaded) == [
        "faults[1].primary: the file has no commands for data",
        "faults[0].lag: the file has no commands for data",
    ]
    lines = problems("shop-migration", loaded)
    assert lines == [f"{path}: the file has no commands for data" for path in (
        "release.migration", "release.rollback[3]: reconcile", "release.rollback[4]: revert-migration")]  # fmt: skip


def test_bad_data_needs_a_command_only_to_be_repaired(tmp_path: Path) -> None:
    refused = "release.repair: the file has no command data.wrong: nobody would know of bad data"
    assert problems("shop-bad-data", with_data(tmp_path / "shop", "wrong")) == [refused]
    assert problems("shop-bad-data", tiny_staging(tmp_path / "bare")) == [
        refused, "release.repair.steps[0]: reconcile: the file has no commands for data"]  # fmt: skip
    assert problems("shop-bad-data", with_data(tmp_path / "whole")) == []
    data = open_staging(with_data(tmp_path / "other", "wrong"), tmp_path / "state").data
    assert data is not None
    assert not data.tells_wrong


def test_the_commands_are_about_the_scenarios_one_store(tmp_path: Path) -> None:
    commands = {**tiny_data_commands(tmp_path / "shop"), "store": "ledger"}
    assert problems("shop-migration", tiny_staging(tmp_path / "shop", data=commands)) == [
        "system.stores: orders: must be ledger, which commands.data is about"
    ]


def test_a_schema_that_is_not_at_its_baseline_is_no_baseline(staging: StagingAdapter, tmp_path: Path) -> None:
    text = load("shop-migration")[0]
    change = text.release.change.model_copy(update={"old": "1", "new": "2"})
    release = text.release.model_copy(update={"changes": [change], "guardrails": []})
    scenario = text.model_copy(update={"release": release})
    require_baseline(scenario, scenario.release.strategy, staging)
    (tmp_path / "shop" / "schema").write_text("expand")
    with pytest.raises(BaselineDrifted, match="schema is at expand, must be at baseline: the release migrates it"):
        require_baseline(scenario, scenario.release.strategy, staging)


def problems(library: str, loaded: Loaded) -> list[str]:
    """What does not fit of the data of a scenario of the library."""
    scenario, _ = load(library)
    loaded.file.requests["browse"] = loaded.file.requests["checkout"]
    with pytest.raises(NotRealisable) as caught:
        require_fitting(scenario, scenario.release.strategy, [], loaded)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    others = ("must be a fault that the file has commands for", "nothing would watch")
    return [line for line in lines if not line.endswith(others) and "commands for (" not in line]
