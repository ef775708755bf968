"""The worked example: a staging that only shell scripts know, drilled as its user drills it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.staging.embedded import EmbeddedStaging, Staging
from tests.e2e.drills import DRILL_TIMEOUT_S, only_record, processes_naming, windtunnel

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SHORT = {
    "duration: 40s": "duration: 28s",
    "at: 10s\n": "at: 8s\n",
    "{at: 12s, for: 6s,": "{at: 9s, for: 4s,",
    "rollback: [redeploy, route-back, retire, verify]": "rollback: [procedure, verify]",
    "rto: 30s": "rto: 20s",
}


def test_a_bad_canary_is_rolled_back_by_shell_scripts(tmp_path: Path) -> None:
    example, state, runs = tmp_path / "example", tmp_path / "state", tmp_path / "runs"
    shutil.copytree(ROOT / "examples" / "commands-staging", example)
    scenario = example / "release.yaml"
    text = scenario.read_text()
    for old, new in SHORT.items():
        assert old in text
        text = text.replace(old, new)
    scenario.write_text(text)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WINDTUNNEL": shlex.join([sys.executable, "-m", "windtunnel"]),
        "WINDTUNNEL_STATE": str(tmp_path / "kept"),
        "SHOP_STATE": str(state),
    }
    try:
        up = subprocess.run(["./up.sh"], cwd=example, env=environment, capture_output=True, text=True, timeout=120)
        assert up.returncode == 0, up.stderr
        password = next(word for word in shlex.split(up.stdout) if word.startswith("PGPASSWORD=")).partition("=")[2]
        drill = shlex.join(windtunnel("drill", "release.yaml", "--staging", "shop.yaml", "--out", str(runs)))
        ended = subprocess.run(
            ["/bin/sh", "-c", f"eval {shlex.quote(up.stdout)} && exec {drill}"],
            cwd=example,
            env=environment,
            capture_output=True,
            text=True,
            timeout=DRILL_TIMEOUT_S,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        shop = Staging.attach(state)
        assert (shop.replicas("checkout"), shop.routes("checkout")["2.3"]) == ({"2.3": 2}, 1.0)
        assert shop.toxiproxy.proxy("checkout--payments").toxics == ()
    finally:
        EmbeddedStaging.down(state)
    record = only_record(runs)
    events = record.events()
    assert [event.detail["outcome"] for event in events if event.kind == "release-end"] == ["rolled-back"]
    assert all(event.detail["differences"] == [] for event in events if event.kind == "verify")
    verbs = [event.subject for event in events if event.kind == "command"]
    assert {*verbs} == {
        *(
            "deploy",
            "route",
            "status",
            "defects",
            "inject",
            "confirm",
            "heal",
            "residue",
            "verify",
            "facts",
            "ledger",
            "rollback",
        )
    }
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert checkout.failed > 0
    assert checkout.lost_writes == 0
    assert checkout.acknowledged_writes > 200
    samples = record.samples()
    assert samples.where((samples.service == "checkout") & (samples.version == "2.4")).failed_error.sum() > 0
    kept = "".join(path.read_text() for path in (record.folder / "commands").iterdir())
    assert "checkout 2.3: 2 ready" in kept
    assert password not in kept
    assert not processes_naming(state, runs)
