"""The worked example: a staging that only shell scripts know, drilled as its user drills it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from benchmarks.remains import strays
from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.staging.adapter import StagingAdapter
from chaos.staging.adapters import open_staging
from chaos.staging.data_verbs import NothingLeft
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.files.loading import load_staging
from chaos.staging.shared_memory import segments
from tests.e2e.drills import DRILL_TIMEOUT_S, PATIENCE_S, only_record, processes_naming, wait_for, windtunnel
from tests.outliving import ended_with_us

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "commands-staging"
# The migration's drill made short, with all else that the example has a script for.
SHORT = {
    "duration: 36s": "duration: 40s",
    "{resolution: 1s, window: 3s, consecutive: 3}": "{resolution: 500ms, window: 1s, consecutive: 3}",
    "at: 10s\n": "at: 5s\n",
    "rto: 30s\n    rpo: 0s\n    good: {success: \">= 99%\", p99: \"<= 600ms\"}":
        "rto: 35s\n    rpo: 39s\n    good: {success: \">= 99%\"}",
    "window: 5s, minimum: 30": "window: 3s, minimum: 20",
    "size: 3.2MB":
        "size: 100kB\n      backup: {every: 1h, age: 0s, restore: 2.5MB/s}\n      archive_every: 1s\n      standbys: 1",
    "errors: 90%, cohort: coupon}\n":
        "errors: 90%, cohort: coupon}\n"
        "    - {name: wrong-sign, probability: 10%, bad_data: {share: 50%, symptom_after: 39s, errors: 40%}}\n",
    "steps: [{weight: 50%}": "steps: [{mirror: 25%}, {bake: 1s}, {mirror: 0%}, {weight: 50%}",
    "[redeploy, route-back, retire, reconcile, revert-migration, verify]":
        "[procedure, reconcile, revert-migration, fail-over, restore, verify]",
    "expect:\n": "faults:\n  - {at: 6s, for: 4s, latency: {on: checkout -> payments, add: 100ms}}\nexpect:\n",
}  # fmt: skip
BY_LOAD = {
    "  observe: {run: [./observe.sh], timeout: 5s}\n": "",
    "commands:\n": "load: {service: checkout, functions: [checkout]}\ncommands:\n",
}
VERBS = {
    *("deploy", "route", "status", "defects", "verify", "facts", "ledger", "rollback"),
    *("inject", "confirm", "heal", "residue", "migrate", "reconcile", "backup", "restore", "mirror", "fail-over"),
}
# A drill's guard around one verb for data, until somebody kills it.
HARNESS = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from chaos.safety.guard import guarded
from chaos.staging.adapters import open_staging
from chaos.staging.files.loading import load_staging
staging = open_staging(load_staging(Path("shop.yaml"), os.environ), Path("kept"))
with guarded(staging.surface, staging.state_dir, "drill-dies", 300.0) as guard:
    print(guard.lease.process.pid, flush=True)
    guard.protect_store("orders")
    if sys.argv[1] == "fail-over":
        staging.data.fail_over()
    elif sys.argv[1] == "migrate":
        staging.data.migrate("expand", 60.0)
    else:
        staging.data.back_up()
        staging.data.restore(datetime.now(UTC))
"""


@dataclass
class Example:
    """A copy of the example's folder, and the shop that its scripts have brought up."""

    folder: Path
    state: Path
    environment: dict[str, str]

    def adapter(self) -> StagingAdapter:
        """The staging as a drill has it."""
        return open_staging(load_staging(self.folder / "shop.yaml", self.environment), self.folder / "kept")


def change(path: Path, changes: dict[str, str]) -> str:
    """The text of a file, which is kept so, with other texts in it."""
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"{path.name} no longer says {old!r}"
        text = text.replace(old, new, 1)
    path.write_text(text)
    return text


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example's migration made short, and its shop up."""
    base = tmp_path_factory.mktemp("commands")
    folder, state = base / "example", base / "state"
    shutil.copytree(EXAMPLE, folder)
    text = change(folder / "migration.yaml", SHORT)
    # the scripts' own way back is none that the embedded staging would have by itself
    (folder / "up.yaml").write_text(text.replace("procedure", "redeploy"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WINDTUNNEL": shlex.join([sys.executable, "-m", "windtunnel"]),
        "WINDTUNNEL_STATE": str(base / "kept"),
        "SHOP_STATE": str(state),
    }
    command = ["./up.sh", "up.yaml"]
    with ended_with_us(EmbeddedStaging.down, state):
        up = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert up.returncode == 0, up.stderr
        told = (word.partition("=") for word in shlex.split(up.stdout) if "=" in word)
        yield Example(folder, state, environment | {name: value for name, _, value in told})
    assert not processes_naming(base)


def test_scripts_observe_and_route_cohorts_and_copies(shop: Example) -> None:
    staging = shop.adapter()
    assert {(each.service, each.version) for each in staging.observe()} == {("checkout", "2.3"), ("checkout", "2.4")}
    staging.route("checkout", {"2.3": 1.0}, {"coupon": {"2.3": 0.5, "2.4": 0.5}})
    staging.mirror("checkout", "2.4", 0.25)
    assert len(staging.surface.steering("checkout")) == 2
    staging.surface.clear_steering("checkout")
    assert Staging.attach(shop.state).steering("checkout") == []
    assert staging.data is not None
    with pytest.raises(NothingLeft, match="there is no backup to restore"):
        staging.data.restore(datetime.now(UTC))


def test_a_bad_migrating_canary_is_taken_back_and_its_data_restored_by_scripts(shop: Example) -> None:
    change(shop.folder / "shop.yaml", BY_LOAD)
    runs = shop.folder / "runs"
    defects = ("--defect", "coupon-errors", "--defect", "wrong-sign")
    ended = subprocess.run(
        windtunnel("drill", "migration.yaml", "--staging", "shop.yaml", "--out", str(runs), *defects),
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        timeout=DRILL_TIMEOUT_S,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    staging = Staging.attach(shop.state)
    assert (staging.replicas("checkout"), staging.routes("checkout")["2.3"]) == ({"2.3": 2}, 1.0)
    assert staging.toxiproxy.proxy("checkout--payments").toxics == ()
    assert staging.data.store_differences() == []
    record = only_record(runs)
    events = record.events()
    assert [event.detail["outcome"] for event in events if event.kind == "release-end"] == ["rolled-back"]
    compared = {event.subject: event.detail["differences"] for event in events if event.kind == "verify"}
    assert compared["application and data after the rollback"] == compared["staging as before"] == []
    assert not any(compared.values())
    # `wrong` is told where it failed, which it may while nobody serves the orders
    assert {event.subject for event in events if event.kind == "command"} - {"wrong"} == VERBS
    phases = [event.detail["phase"] for event in events if event.subject == "migrate"]
    # before the release, after each phase, after the revert
    assert [phase for phase in phases if phase != "state"] == ["expand", "backfill", "revert"]
    found, reconciled = [event for event in events if event.kind == "reconcile"]
    assert 0 < found.detail["rows"] <= reconciled.detail["rows"], "wrong ones, and those that only had cents"
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert checkout.failed > 0
    # what was acknowledged since the release began is what a restore costs, and no more
    assert 0 < checkout.lost_writes < checkout.acknowledged_writes
    samples = record.samples()
    assert samples.where((samples.service == "checkout") & (samples.version == "2.4")).failed_error.sum() > 0
    kept = "".join(path.read_text() for path in (record.folder / "commands").iterdir())
    assert "checkout 2.3: 2 ready" in kept
    assert shop.environment["PGPASSWORD"] not in kept


def under_way(verb: str, staging: Staging) -> bool:
    """Whether what the verb's script has started is half done."""
    if verb == "fail-over":
        return not staging.servers.alive("primary")
    if verb == "restore":
        return (staging.servers.files().base / "restored" / "postmaster.pid").exists()
    with staging.servers.connection() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return connection.execute(query).fetchone() == (1,)


@pytest.mark.parametrize(
    ("verb", "healer"),
    [("migrate", "watchdog"), ("fail-over", "watchdog"), ("restore", "watchdog"), ("migrate", "undo")],
)
def test_a_verb_for_data_whose_harness_is_killed_is_ended_and_undone(shop: Example, verb: str, healer: str) -> None:
    """The script, what that had started, and what the store is left as: by the watchdog, or by whoever comes later."""
    staging, kept, memory = Staging.attach(shop.state), shop.folder / "kept", segments()
    command = [sys.executable, "-c", HARNESS, verb]
    with subprocess.Popen(command, cwd=shop.folder, env=shop.environment, stdout=subprocess.PIPE) as harness:
        try:
            assert harness.stdout is not None
            watchdog = int(harness.stdout.readline())
            wait_for(lambda: under_way(verb, staging), PATIENCE_S, f"{verb} under way")
            if healer == "undo":
                os.kill(watchdog, signal.SIGKILL)
        finally:
            harness.kill()
    if healer == "undo":
        left = read_journal(kept / JOURNAL_NAME).open_entries
        undone = subprocess.run(windtunnel("undo", "--state", str(kept)), capture_output=True, text=True, timeout=60)
        assert ([entry.kind for entry in left], undone.returncode) == (["store"], 0), undone.stderr
    wait_for(lambda: read_journal(kept / JOURNAL_NAME).open_entries == (), PATIENCE_S, "the journal closed")
    wait_for(lambda: not strays(staging, (kept,), memory), PATIENCE_S, "nobody left")
    assert staging.data.store_differences() == []
    assert not (staging.servers.files().base / "restored").exists()
    answer = httpx.post(f"{staging.edge_url()}/checkout", json={"order_id": str(uuid4()), "amount": 55})
    assert answer.status_code == 201
