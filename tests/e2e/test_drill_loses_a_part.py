"""A drill that loses Toxiproxy, Envoy, its database or a worker of its load ends in order: nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from chaos.staging.embedded import EmbeddedStaging, Staging
from tests.e2e.drills import (
    DRILL_TIMEOUT_S,
    QUIET,
    kinds_so_far,
    only_record,
    processes_naming,
    short_shop,
    start_drill,
    wait_for,
)

pytestmark = pytest.mark.e2e
# What each drill loses, and what it says then.
PARTS = {
    "toxiproxy": "toxiproxy died",
    "envoy": "envoy died",
    "primary": "primary died",
    "load": "was lost at",
}


def pid_of(part: str, folder: Path) -> int:
    """The process of the drill's own staging, one of its helpers, or the first worker of its load."""
    module = {"load": "chaos.load.master", "watchdog": "chaos.safety.watchdog"}.get(part)
    if module is None:
        return Staging.attach(folder / "state").state().components[part].pid
    (found,) = (each for each in processes_naming(folder) if module in each.cmdline())
    return found.children()[0].pid if part == "load" else found.pid


def test_a_lost_part_ends_the_drill_in_order(tmp_path: Path) -> None:
    """All at once, each with a staging of its own, lost while its load runs; one loses its watchdog besides."""
    scenario = short_shop(tmp_path, **QUIET)
    drills: dict[str, subprocess.Popen[str]] = {}
    try:
        for part in PARTS:
            options = ["--load-workers", "2"] if part == "load" else []
            drills[part] = start_drill(scenario, tmp_path / part / "state", tmp_path / part / "runs", *options)
        for part in PARTS:
            runs = tmp_path / part / "runs"
            wait_for(lambda runs=runs: "load-start" in kinds_so_far(runs), DRILL_TIMEOUT_S, f"a load over {part}")
            os.kill(pid_of(part, tmp_path / part), signal.SIGKILL)
        wait_for(
            lambda: "stop" in kinds_so_far(tmp_path / "load" / "runs"), DRILL_TIMEOUT_S, "a drill without its load"
        )
        os.kill(pid_of("watchdog", tmp_path / "load"), signal.SIGKILL)  # the harness heals all the same
        for part, drill in drills.items():
            out, err = drill.communicate(timeout=DRILL_TIMEOUT_S)
            document = json.loads(out)
            assert drill.returncode == document["exit_code"] == 4, (part, document, err)
            assert PARTS[part] in document["stopped"], document
            record = only_record(tmp_path / part / "runs")
            assert record.verdict()["status"] == "error"
            kinds = [str(event.kind) for event in record.events()]
            # What a lost part keeps from being undone is an error of the record, and ends with the drill's own staging.
            undone = next(kinds.index(kind) for kind in ("undo", "error") if kind in kinds)
            assert max(kinds.index("stop"), kinds.index("load-end")) < undone, kinds
    finally:
        for drill in drills.values():
            drill.kill()
            drill.communicate()
        for part in PARTS:
            EmbeddedStaging.down(tmp_path / part / "state")
    assert not processes_naming(tmp_path)
