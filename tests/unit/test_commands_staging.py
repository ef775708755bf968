"""A drill's safety on a staging of commands: journalled, confirmed, healed from disk, also after a SIGKILL."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chaos.faults.base import PlanContext
from chaos.faults.errors import FaultNotConfirmed
from chaos.safety.guard import guarded
from chaos.safety.undo import heal
from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import attach, open_staging
from chaos.staging.commands import running
from chaos.staging.commands.errors import AnswerNotUnderstood, CommandFailed, VerbMissing
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Fault
from tests.commands_tiny import calls, tiny_staging
from tests.e2e.drills import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parents[2]
LATENCY = Fault.model_validate({"at": "0s", "for": "5s", "latency": {"on": "checkout -> payments", "add": "100ms"}})
CONTEXT = PlanContext("drill-1", "checkout", "1", "2")


@pytest.fixture
def staging(tmp_path: Path) -> StagingAdapter:
    return open_staging(tiny_staging(tmp_path / "shop"), tmp_path / "state")


def test_a_release_is_undone_by_the_commands(staging: StagingAdapter, tmp_path: Path) -> None:
    surface = staging.surface
    with guarded(surface, staging.state_dir, "drill-1", deadline_s=60.0, faults=staging.faults) as guard:
        guard.protect_release("checkout")
        staging.deploy("checkout", "2", 1, 5.0)
        staging.route("checkout", {"1": 0.5, "2": 0.5})
        assert dict(surface.routes("checkout")) == {"1": 0.5, "2": 0.5}
    assert dict(surface.ready("checkout")) == {"1": 2}
    assert dict(surface.routes("checkout")) == {"1": 1.0}
    # the old version is whole before the routes go back to it, and only then the new one stops
    undone = [call for call in calls(tmp_path / "shop") if call.startswith(("deploy", "route"))][2:]
    assert undone == ["deploy checkout 1 2", "route checkout 1=1", "deploy checkout 2 0"]


def test_a_fault_is_confirmed_and_healed_by_the_commands(staging: StagingAdapter, tmp_path: Path) -> None:
    standing = tmp_path / "shop" / "faults" / "latency"
    with guarded(staging.surface, staging.state_dir, "drill-1", deadline_s=60.0, faults=staging.faults) as guard:
        entry = guard.inject(LATENCY, CONTEXT)
        assert standing.exists()
        assert guard.heal(entry).rung == "heal command"
        assert not standing.exists()
        (tmp_path / "shop" / "broken").touch()
        with pytest.raises(FaultNotConfirmed, match="its confirm command says that it is not in force"):
            guard.inject(LATENCY, CONTEXT)


def test_a_full_disk_keeps_nothing_from_being_undone(
    staging: StagingAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the state folder nor in the record can anything be written once fault and release are in force."""
    record = tmp_path / "record"
    told: list[tuple[str, Mapping[str, Any]]] = []
    staging.record_to(record, lambda verb, detail: told.append((verb, detail)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with guarded(staging.surface, staging.state_dir, "drill-1", deadline_s=60.0, faults=staging.faults) as guard:
        guard.protect_release("checkout")
        guard.inject(LATENCY, CONTEXT)
        staging.route("checkout", {"1": 0.5, "2": 0.5})
        shutil.rmtree(record / "commands")
        monkeypatch.setattr(running, "write_atomically", full)
        monkeypatch.setattr(os, "fsync", full)
        assert [each.rung for each in guard.heal_all().results] == ["heal command", "restore baseline"]
        monkeypatch.undo()
    assert not (tmp_path / "shop" / "faults" / "latency").exists()
    assert dict(staging.surface.routes("checkout")) == {"1": 1.0}
    printed = [detail for verb, detail in told if verb == "status"]  # others print nothing
    assert printed[-1]["out"] == "not kept: No such file or directory", printed[-1]


def test_sigkill_of_the_harness_in_a_deploy_is_healed_from_disk(staging: StagingAdapter, tmp_path: Path) -> None:
    """The command that hangs is ended first: what it would still have done comes to nothing."""
    (tmp_path / "shop" / "hang").touch()
    program = (
        "import sys; from pathlib import Path\n"
        "from chaos.faults.base import PlanContext\n"
        "from chaos.safety.guard import guarded\n"
        "from chaos.staging.adapters import attach\n"
        "from tests.unit.test_commands_staging import CONTEXT, LATENCY\n"
        "staging = attach(Path(sys.argv[1]))\n"
        "with guarded(staging.surface, staging.state_dir, 'drill-1', 60.0, faults=staging.faults) as guard:\n"
        "    guard.protect_release('checkout')\n"
        "    guard.inject(LATENCY, CONTEXT)\n"
        "    staging.route('checkout', {'1': 0.5, '2': 0.5})\n"
        "    staging.deploy('checkout', '2', 1, 5.0)\n"
    )
    harness = subprocess.Popen([sys.executable, "-c", program, str(staging.state_dir)], cwd=ROOT)
    try:
        wait_for(lambda: "deploy checkout 2 1" in calls(tmp_path / "shop"), PATIENCE_S, "a deploy that hangs")
        (tmp_path / "shop" / "hang").unlink()
    finally:
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait(10)
    log = staging.state_dir / "watchdog.log"
    wait_for(lambda: log.exists() and '"event": "clean"' in log.read_text(), PATIENCE_S, "the watchdog to have healed")
    assert dict(staging.surface.ready("checkout")) == {"1": 2}
    assert dict(staging.surface.routes("checkout")) == {"1": 1.0}
    assert not (tmp_path / "shop" / "faults" / "latency").exists()
    assert heal(staging.state_dir).results == ()


def test_what_differs_is_told_by_the_verify_command(staging: StagingAdapter, tmp_path: Path) -> None:
    assert staging.differences() == []
    (tmp_path / "shop" / "drift").write_text("one thing\n\nanother\n")
    assert attach(staging.state_dir).differences() == ["one thing", "another"]


def test_what_has_no_command_is_refused(staging: StagingAdapter) -> None:
    with pytest.raises(VerbMissing, match="mirror of checkout"):
        staging.mirror("checkout", "2", 0.1)
    with pytest.raises(VerbMissing, match=r"cohorts\(=\['beta'\]\): the command routes by weights alone"):
        staging.route("checkout", {"1": 1.0}, {"beta": {"2": 1.0}})
    with pytest.raises(VerbMissing, match="flag of checkout"):
        staging.flag("checkout", 0.5, ())
    assert staging.observe() == []
    assert staging.stores() == ()


def test_cohorts_and_copies_are_routed_read_back_and_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    run = str(folder / "staging.sh")
    route = {"run": [run, "{service}", "{weights}"], "cohorts": True}
    loaded = tiny_staging(folder, route=route, mirror={"run": [run, "{service}", "{version}", "{share}"]})
    staging = open_staging(loaded, tmp_path / "state")
    staging.route("checkout", {"1": 1.0}, {"beta": {"2": 1.0}})
    staging.mirror("checkout", "2", 0.25)
    assert staging.surface.steering("checkout") == (
        "cohort beta routes {'2': 1.0}",
        "0.25 of the requests are copied to 2",
    )
    staging.surface.clear_steering("checkout")
    assert staging.surface.steering("checkout") == ()
    assert calls(folder)[-4:-1] == ["route checkout 1=1", "status checkout", "mirror checkout 2 0.0"]
    (folder / "broken").touch()
    with pytest.raises(CommandFailed, match=r"mirror of checkout to 2: status says share\(=0\), must be 0.5"):
        staging.mirror("checkout", "2", 0.5)
    deaf = tiny_staging(folder, route={"run": ["true"], "cohorts": True})
    with pytest.raises(CommandFailed, match=r"cohort beta: status says {'1': 1.0}, must be {'2': 1.0}"):
        open_staging(deaf, tmp_path / "other").route("checkout", {"1": 1.0}, {"beta": {"2": 1.0}})


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("not JSON", "command of status printed not JSON: must be JSON"),
        ('{"ordered": {}, "ready": {}}', "routes"),
        ('{"ordered": {}, "ready": {"1": -1}, "routes": {}}', r"ready.1\(=-1\)"),
        ('{"ordered": {}, "ready": {}, "routes": {"1": 20}}', r"routes.1\(=20\)"),
    ],
)
def test_an_answer_that_is_none_is_told(printed: str, message: str, tmp_path: Path) -> None:
    loaded = tiny_staging(tmp_path / "shop", status={"run": ["echo", printed]})
    with pytest.raises(AnswerNotUnderstood, match=message):
        open_staging(loaded, tmp_path / "state").surface.ready("checkout")


def test_a_deploy_that_did_nothing_is_told(tmp_path: Path) -> None:
    staging = open_staging(tiny_staging(tmp_path / "shop", deploy={"run": ["true"]}), tmp_path / "state")
    with pytest.raises(CommandFailed, match=r"status says ready\(=0\), must be 1"):
        staging.deploy("checkout", "2", 1, 5.0)


def test_counters_are_what_the_command_prints(tmp_path: Path) -> None:
    printed = (
        '[{"service": "a", "version": "1", "requests": 3, "bounds_s": [0.1], "histogram": [2, 1]},'
        ' {"service": "b", "version": "1", "requests": 0},'
        ' {"service": "b", "version": "2", "requests": 0}]'
    )
    loaded = tiny_staging(tmp_path / "shop", observe={"run": ["echo", printed]})
    staging = open_staging(loaded, tmp_path / "state")
    assert staging.unversioned() == {"a"}
    assert [each.requests for each in staging.observe()] == [3, 0, 0]
    assert (staging.observe()[0].bounds_ms, staging.observe()[0].histogram) == ((100.0,), (2, 1))


def test_one_answer_serves_many_questions_but_none_across_a_change(staging: StagingAdapter, tmp_path: Path) -> None:
    surface = staging.surface

    def asked() -> int:
        return sum(call.startswith("status") for call in calls(tmp_path / "shop"))

    for look in (surface.ordered, surface.ready, surface.routes):
        look("checkout")
    assert asked() == 1
    staging.route("checkout", {"1": 0.5, "2": 0.5})
    assert dict(surface.routes("checkout")) == {"1": 0.5, "2": 0.5}
    assert asked() == 2
    staging.deploy("checkout", "1", 3, 5.0)
    assert dict(surface.ready("checkout")) == {"1": 3}
    assert asked() == 3


def test_an_own_procedure_is_told_all_that_it_needs(staging: StagingAdapter, tmp_path: Path) -> None:
    with pytest.raises(VerbMissing, match="no command rollback"):
        staging.procedure("checkout", "1", "2")
    script = 'echo "$WINDTUNNEL_OLD $WINDTUNNEL_NEW $1" > told'
    loaded = tiny_staging(tmp_path / "shop", rollback={"run": ["/bin/sh", "-c", script, "sh", "{service}"]})
    open_staging(loaded, tmp_path / "other").procedure("checkout", "1", "2")
    assert (tmp_path / "shop" / "told").read_text() == "1 2 checkout\n"


def test_a_command_under_way_can_be_ended_by_whoever_stops_the_drill(staging: StagingAdapter, tmp_path: Path) -> None:
    (tmp_path / "shop" / "hang").touch()
    env = WallClockEnvironment()
    env.in_thread(staging.deploy, "checkout", "2", 1, 5.0)
    wait_for(lambda: "deploy checkout 2 1" in calls(tmp_path / "shop"), PATIENCE_S, "a deploy that hangs")
    assert not env.idle(0.05)
    staging.settle()
    assert env.idle(10.0)
    assert dict(staging.surface.ready("checkout")) == {"1": 2}
