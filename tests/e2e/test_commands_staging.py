"""The worked example: a staging that only shell scripts know, drilled as its user drills it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.staging.embedded import EmbeddedStaging, Staging
from evidence.record import RunRecord
from tests.e2e.drills import DRILL_TIMEOUT_S, only_record, processes_naming, windtunnel

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SHORT = {
    "{resolution: 1s, window: 3s, consecutive: 3}": "{resolution: 500ms, window: 1s, consecutive: 3}",
    "at: 10s\n": "at: 5s\n",
    "rto: 30s": "rto: 20s",
    "window: 5s, minimum: 30": "window: 3s, minimum: 20",
    "size: 3.2MB": "size: 100kB",
}
RELEASE = {
    **SHORT,
    "duration: 40s": "duration: 18s",
    "{at: 12s, for: 6s,": "{at: 6s, for: 4s,",
    "rollback: [redeploy, route-back, retire, verify]": "rollback: [procedure, restore, verify]",
    'rpo: 0s\n    good: {success: ">= 99%", p99: "<= 600ms"}': 'rpo: 30s\n    good: {success: ">= 99%"}',
    "archive_every: 2s": "archive_every: 1s",
}
MIGRATION = {**SHORT, "duration: 36s": "duration: 18s"}
VERBS = {"deploy", "route", "status", "defects", "verify", "facts", "ledger", "heal", "residue"}


@dataclass
class Example:
    """A copy of the example's folder, and the shop that its scripts have brought up."""

    folder: Path
    state: Path
    environment: dict[str, str]
    variables: str

    def drill(self, scenario: str) -> RunRecord:
        """The record of a drill that ended well."""
        runs = self.folder / "runs"
        drill = shlex.join(windtunnel("drill", scenario, "--staging", "shop.yaml", "--out", str(runs)))
        ended = subprocess.run(
            ["/bin/sh", "-c", f"eval {shlex.quote(self.variables)} && exec {drill}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DRILL_TIMEOUT_S,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return only_record(runs)


@contextmanager
def example(folder: Path, scenario: str, changes: dict[str, str]) -> Iterator[Example]:
    """The example with a scenario made short, and its shop up."""
    copy, state = folder / "example", folder / "state"
    shutil.copytree(ROOT / "examples" / "commands-staging", copy)
    text = (copy / scenario).read_text()
    for old, new in changes.items():
        assert old in text, f"{scenario} no longer says {old!r}"
        text = text.replace(old, new)
    # the scripts' own way back is none that the embedded staging would have by itself
    (copy / "up.yaml").write_text(text.replace("procedure", "redeploy"))
    (copy / scenario).write_text(text)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WINDTUNNEL": shlex.join([sys.executable, "-m", "windtunnel"]),
        "WINDTUNNEL_STATE": str(folder / "kept"),
        "SHOP_STATE": str(state),
    }
    try:
        up = subprocess.run(
            ["./up.sh", "up.yaml"], cwd=copy, env=environment, capture_output=True, text=True, timeout=120
        )
        assert up.returncode == 0, up.stderr
        yield Example(copy, state, environment, up.stdout)
    finally:
        EmbeddedStaging.down(state)
    assert not processes_naming(folder)


def played(record: RunRecord) -> set[str]:
    """The verbs whose commands ran; the release was rolled back, and nothing differs that was compared."""
    events = record.events()
    assert [event.detail["outcome"] for event in events if event.kind == "release-end"] == ["rolled-back"]
    compared = {event.subject: event.detail["differences"] for event in events if event.kind == "verify"}
    assert compared["application and data after the rollback"] == compared["staging as before"] == []
    assert not any(compared.values())
    return {event.subject for event in events if event.kind == "command"}


def test_a_bad_canary_is_rolled_back_and_its_data_restored_by_shell_scripts(tmp_path: Path) -> None:
    with example(tmp_path, "release.yaml", RELEASE) as shop:
        record = shop.drill("release.yaml")
        staging = Staging.attach(shop.state)
        assert (staging.replicas("checkout"), staging.routes("checkout")["2.3"]) == ({"2.3": 2}, 1.0)
        assert staging.toxiproxy.proxy("checkout--payments").toxics == ()
        assert staging.data.store_differences() == []
    assert played(record) == VERBS | {"inject", "confirm", "rollback", "backup", "restore"}
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert checkout.failed > 0
    # what was acknowledged since the release began is what a restore costs, and no more
    assert 0 < checkout.lost_writes < checkout.acknowledged_writes
    samples = record.samples()
    assert samples.where((samples.service == "checkout") & (samples.version == "2.4")).failed_error.sum() > 0
    kept = "".join(path.read_text() for path in (record.folder / "commands").iterdir())
    assert "checkout 2.3: 2 ready" in kept
    password = next(word for word in shlex.split(shop.variables) if word.startswith("PGPASSWORD=")).partition("=")[2]
    assert password not in kept


def test_a_migration_is_played_reconciled_and_reverted_by_shell_scripts(tmp_path: Path) -> None:
    with example(tmp_path, "migration.yaml", MIGRATION) as shop:
        record = shop.drill("migration.yaml")
        assert Staging.attach(shop.state).data.store_differences() == []
    assert played(record) == VERBS - {"heal"} | {"migrate", "reconcile"}
    phases = [event.detail["phase"] for event in record.events() if event.subject == "migrate"]
    assert phases == [step for phase in ("expand", "backfill", "revert") for step in (phase, "state")]
    (reconciled,) = [event for event in record.events() if event.kind == "reconcile" and event.detail["phase"] == "end"]
    assert reconciled.detail["rows"] > 0
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert (checkout.failed > 0, checkout.lost_writes) == (True, 0)
