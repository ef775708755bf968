"""Whole drills on the real staging: the rollback is real, the loss is found, nothing outlives the harness."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from chaos.realise import staging_config
from chaos.staging.embedded import EmbeddedStaging, Staging
from evidence import schema
from evidence.assess import assess
from evidence.diagnosis import diagnose
from evidence.record import RunRecord
from scenarios.loading import load
from simulator.replications import simulate
from tests.e2e.drills import (
    DRILL_TIMEOUT_S,
    PATIENCE_S,
    QUIET,
    await_event,
    only_record,
    processes_naming,
    short_shop,
    start_drill,
    wait_for,
    windtunnel,
)

pytestmark = pytest.mark.e2e


def finish(drill: subprocess.Popen[str]) -> tuple[int, dict[str, object]]:
    out, err = drill.communicate(timeout=DRILL_TIMEOUT_S)
    assert out, err
    return drill.returncode, json.loads(out)


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, RunRecord, Path, Path]:
    """One drill of the bad release with a latency fault: exit code, record, scenario and state folder."""
    folder = tmp_path_factory.mktemp("drill")
    scenario, state, runs = short_shop(folder), folder / "state", folder / "runs"
    code, document = finish(start_drill(scenario, state, runs, "--defect", "coupon-errors"))
    record = only_record(runs)
    assert document["exit_code"] == code
    return code, record, scenario, state


def test_a_bad_canary_is_rolled_back_for_real(drilled: tuple[int, RunRecord, Path, Path]) -> None:
    code, record, _, state = drilled
    events = record.events()
    kinds = [str(event.kind) for event in events]
    order = ["release-start", "fault-start", "guardrail-trip", "rollback-start", "rollback-end", "load-end", "verify"]
    places = [kinds.index(kind) for kind in order if kind != "verify"]
    assert places == sorted(places), kinds
    ends = [event.detail["outcome"] for event in events if event.kind == "release-end"]
    assert ends == ["rolled-back"]
    assert all(not event.detail["differences"] for event in events if event.kind == "verify")
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert checkout.failed > 0
    assert checkout.lost_writes == 0
    assert checkout.acknowledged_writes > 200
    assert 0 < checkout.rto_s <= 15
    assert code == 0, record.verdict()
    requests = pq.read_table(record.folder / "requests.parquet").to_pydict()
    of_checkout = [
        kind for name, kind in zip(requests["function"], requests["kind"], strict=True) if name == "checkout"
    ]
    assert len(of_checkout) == checkout.requests
    assert len(of_checkout) - of_checkout.count("ok") == checkout.failed
    assert not processes_naming(state, record.folder)


def test_the_new_version_answered_and_was_left(drilled: tuple[int, RunRecord, Path, Path]) -> None:
    """Traffic really moved: rows of the new version between the route and the rollback, none after it."""
    _, record, _, _ = drilled
    samples = record.samples()
    new = samples.where((samples.service == "checkout") & (samples.version == "2.4"))
    back_s = next(event.time_s for event in record.events() if event.kind == "rollback-end")
    assert new.requests.sum() > 10
    assert new.failed_error.sum() > 0
    assert new.window_start_s.min() >= 6
    assert new.window_start_s.max() <= back_s


def test_the_first_to_fail_is_told_from_spans(drilled: tuple[int, RunRecord, Path, Path]) -> None:
    """Every request that failed for a client failed first in the new version; its example shows the whole way there."""
    _, record, _, _ = drilled
    diagnosis = diagnose(record.spans())
    failed = sum(each.failed for each in record.measures())
    assert diagnosis.failed == failed > 0
    cause = diagnosis.causes[0]
    assert (cause.where, cause.what) == ("checkout 2.4", "status 500: checkout 2.4: defect")
    assert cause.requests >= 0.9 * failed
    assert [span.service for _, span in cause.example] == ["client", "edge", "edge", "checkout"]
    assert cause.example[-1][1].log
    starts = [span.start_s for _, span in cause.example]
    assert starts == sorted(starts)


def test_judging_again_gives_the_same_verdict(drilled: tuple[int, RunRecord, Path, Path]) -> None:
    _, record, _, _ = drilled
    before = record.verdict()
    assert assess(record.folder).to_json() == before


def test_both_worlds_write_one_schema(drilled: tuple[int, RunRecord, Path, Path], tmp_path: Path) -> None:
    _, staged, scenario, _ = drilled
    loaded, source = load(str(scenario))
    simulate(loaded, source.text, replications=3, seed=1, processes=1, defects=["coupon-errors"], out=tmp_path)
    simulated = only_record(tmp_path)
    for table in ("events", "samples", "ledger", "measures"):
        schemas = [pq.read_schema(record.folder / f"{table}.parquet") for record in (staged, simulated)]
        assert schemas[0].equals(schemas[1]), table
        assert schemas[0].names == getattr(schema, table.upper()).names
    assert set(staged.header.model_dump()) == set(simulated.header.model_dump())
    assert staged.header.edges_s == simulated.header.edges_s
    # The controller is one: the same kinds of event in both worlds, but for what only a load or an undo has.
    only_staged = {"load-start", "load-end", "undo"}
    both = [{str(event.kind) for event in record.events()} - only_staged for record in (staged, simulated)]
    assert both[0] == both[1]


def test_a_planted_lost_write_is_found(tmp_path: Path) -> None:
    scenario = short_shop(
        tmp_path,
        **{"errors: 90%, cohort: coupon": "lost_writes: 20%"},
    )
    code, document = finish(start_drill(scenario, tmp_path / "state", tmp_path / "runs", "--defect", "coupon-errors"))
    record = only_record(tmp_path / "runs")
    ledger = record.ledger()
    lost = (ledger.outcome == "ok") & (ledger.found == 0)
    checkout = next(each for each in record.measures() if each.function == "checkout")
    assert checkout.lost_writes == int(lost.sum()) > 0
    assert checkout.rpo_s is not None
    assert checkout.rpo_s > 0
    # Only what the new version acknowledged can be missing.
    release_s = next(event.time_s for event in record.events() if event.kind == "release-start")
    assert np.nanmin(ledger.acknowledged_s[lost]) > release_s
    assert code == 1, document


def test_sigkill_of_the_harness_leaves_nothing_behind(tmp_path: Path) -> None:
    """In the middle of a fault and a release; the staging was the drill's own, so it goes as well."""
    scenario = short_shop(tmp_path, **QUIET)
    state, runs = tmp_path / "state", tmp_path / "runs"
    drill = start_drill(scenario, state, runs)
    try:
        await_event(drill, runs, "fault-start")
        os.killpg(drill.pid, signal.SIGKILL)
        drill.wait(10)
        wait_for(lambda: not processes_naming(state, runs), PATIENCE_S, "every process gone")
    finally:
        drill.kill()
        drill.communicate()
        EmbeddedStaging.down(state)
    log = (state / "watchdog.log").read_text()
    assert '"event": "clean"' in log, log
    again = subprocess.run(windtunnel("undo", "--state", str(state)), capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert "Nothing was left" in again.stdout


@pytest.mark.parametrize(("by", "code"), [("a signal", 130), ("windtunnel abort", 4)])
def test_an_aborted_drill_ends_in_order(tmp_path: Path, by: str, code: int) -> None:
    """In the middle of a fault and a release: undone, recorded, judged, and told in one document."""
    state, runs = tmp_path / "state", tmp_path / "runs"
    drill = start_drill(short_shop(tmp_path, **QUIET), state, runs)
    try:
        await_event(drill, runs, "fault-start")
        if by == "a signal":
            os.killpg(drill.pid, signal.SIGINT)
        else:
            command = windtunnel("abort", "the sale begins early", "--state", str(state))
            told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert told.returncode == 0, told.stderr
        ended, document = finish(drill)
    finally:
        drill.kill()
        drill.communicate()
        EmbeddedStaging.down(state)
    assert (ended, document["exit_code"]) == (code, code)
    record = only_record(runs)
    assert record.verdict()["status"] == "error"
    events = record.events()
    kinds = [str(event.kind) for event in events]
    assert [kind for kind in kinds if kind in ("stop", "undo")] == ["stop", "undo", "undo"]
    (stop,) = [event for event in events if str(event.kind) == "stop"]
    assert by == "a signal" or "the sale begins early" in str(stop.detail), stop
    assert not processes_naming(state, runs)


def test_sigkill_while_its_own_staging_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    state, runs = tmp_path / "state", tmp_path / "runs"
    drill = start_drill(short_shop(tmp_path, **QUIET), state, runs)
    try:
        wait_for(lambda: (state / "state.json").exists(), DRILL_TIMEOUT_S, "a staging that starts")
        os.killpg(drill.pid, signal.SIGKILL)
        drill.wait(10)
        wait_for(lambda: not processes_naming(state, runs), PATIENCE_S, "every process gone")
        wait_for(lambda: not (state / "state.json").exists(), PATIENCE_S, "no staging recorded")
    finally:
        drill.kill()
        drill.communicate()
        EmbeddedStaging.down(state)


def test_a_staging_left_unclean_has_its_own_exit_code(tmp_path: Path) -> None:
    """An Envoy that died with an error fault in force cannot be read back; the drill says so and keeps its record."""
    scenario = short_shop(
        tmp_path,
        **QUIET,
        **{"latency: {on: checkout -> payments, add: 100ms, jitter: 20ms}": "error: {on: catalogue, share: 20%}"},
    )
    state, runs = tmp_path / "state", tmp_path / "runs"
    loaded, _ = load(str(scenario))
    staging = EmbeddedStaging.up(staging_config(loaded, 1), state)
    try:
        drill = start_drill(scenario, state, runs)
        try:
            await_event(drill, runs, "fault-start")
            _kill_envoy(staging)
            code, document = finish(drill)
        finally:
            drill.kill()
            drill.communicate()
        assert code == 5, document
        undo = subprocess.run(windtunnel("undo", "--state", str(state)), capture_output=True, text=True, timeout=120)
        assert undo.returncode == 5
        assert "LEFT UNCLEAN" in undo.stdout
        assert only_record(runs).header.phase.value != "started"
    finally:
        EmbeddedStaging.down(state)
    assert not processes_naming(state, runs)


def _kill_envoy(staging: Staging) -> None:
    os.kill(staging.state().components["envoy"].pid, signal.SIGKILL)
