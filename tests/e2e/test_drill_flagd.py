"""A drill whose flagd dies while the flag is on ends in order: undone without it, recorded, verdict error."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from chaos.proof import FACTS_FILE
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.flagd_build import FLAGD
from scenarios.loading import read
from tests.e2e.drills import DRILL_TIMEOUT_S, kinds_so_far, only_record, processes_naming, start_drill, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.flagd,
    pytest.mark.skipif(FLAGD.find() is None, reason="flagd is not built: `make flagd` builds it once"),
]


def test_a_lost_flagd_ends_the_drill_in_order(tmp_path: Path) -> None:
    text = read("shop-toggle").text
    for old, new in {"rate: 50/s": "rate: 20/s", "rate: 40/s": "rate: 10/s", "at: 10s\n": "at: 4s\n"}.items():
        assert old in text, f"shop-toggle no longer says {old!r}"
        text = text.replace(old, new)
    scenario, state, runs = tmp_path / "short.yaml", tmp_path / "state", tmp_path / "runs"
    scenario.write_text(text, encoding="utf-8")
    drill = start_drill(scenario, state, runs, "--good")
    try:
        wait_for(lambda: kinds_so_far(runs).count("flag") >= 2, DRILL_TIMEOUT_S, "a flag that all follow")
        os.kill(Staging.attach(state).state().components["flagd"].pid, signal.SIGKILL)
        out, err = drill.communicate(timeout=DRILL_TIMEOUT_S)
    finally:
        drill.kill()
        drill.communicate()
        EmbeddedStaging.down(state)
    document = json.loads(out)
    assert drill.returncode == document["exit_code"] == 4, (document, err)
    assert "flagd died" in document["stopped"]
    record = only_record(runs)
    assert record.verdict()["status"] == "error"
    undone = [event.detail for event in record.events() if event.kind == "undo"]
    assert [(each["kind"], each["rung"]) for each in undone] == [("release", "restore baseline")]
    facts = json.loads((record.folder / FACTS_FILE).read_text(encoding="utf-8"))
    assert facts["before"]["flag source"] == "flagd"
    assert facts["after the undo"]["flag source"] == "flagd, dead"
    assert not processes_naming(tmp_path)
