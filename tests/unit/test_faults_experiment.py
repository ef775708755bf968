"""Experiments of the Chaos Toolkit as faults, played by the real library in real processes, on files for a system."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaos.errors import StagingError
from chaos.experiments.playing import ExperimentFailed, ExperimentRefused, play, read
from chaos.faults.base import OnHost, PlanContext
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.experiment import ExperimentFault
from chaos.safety.undo import undo_entry
from scenarios.models import Fault
from tests.faults_memory_surface import MemorySurface

CONTEXT = PlanContext("drill")


def process(kind: str, name: str, path: str, arguments: list[str], **more: Any) -> dict[str, Any]:
    provider = {"type": "process", "path": path, "arguments": arguments, "timeout": 5}
    return {"type": kind, "name": name, "provider": provider, **more}


def experiment(broken: Path, **changes: Any) -> dict[str, Any]:
    """The system is broken while the file is there."""
    probe = process("probe", "healthy", "test", ["!", "-e", str(broken)], tolerance=0)
    seen = process("probe", "broken", "test", ["-e", str(broken)], tolerance=0)
    return {
        "title": "A file",
        "description": "is there",
        "steady-state-hypothesis": {"title": "No file", "probes": [probe]},
        "method": [process("action", "break", "touch", [str(broken)]), seen],
        "rollbacks": [process("action", "mend", "rm", ["-f", str(broken)])],
        **changes,
    }


def fault(tmp_path: Path, document: dict[str, Any], **keys: str) -> Fault:
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return Fault.model_validate({"at": "1s", "for": "1s", "experiment": {"file": str(file), **keys}})


def test_applied_confirmed_and_undone_by_another_process(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    kind, surface = ExperimentFault(), MemorySurface()
    entry = kind.plan(surface, fault(tmp_path, experiment(broken)), CONTEXT)
    assert not broken.exists()
    json.dumps(entry.undo)
    (tmp_path / "experiment.json").unlink()  # the journal has all of it
    kind.apply(surface, entry)
    kind.confirm(surface, entry)
    assert broken.exists()
    # What undoes it knows the journal alone, as the watchdog does; that the hypothesis holds by chance is not enough.
    broken.unlink()
    result = undo_entry(surface, entry)
    assert result.rung == "rollbacks"
    assert not broken.exists()


def test_rollbacks_that_do_not_bring_the_steady_state_back_are_not_believed(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    document = experiment(broken, rollbacks=[process("action", "mend", "true", [])])
    kind, surface = ExperimentFault(), MemorySurface()
    entry = kind.plan(surface, fault(tmp_path, document), CONTEXT)
    kind.apply(surface, entry)
    result = undo_entry(surface, entry)
    assert result.rung is None
    assert result.residue is not None
    assert "no steady state: probe 'healthy' outside of its tolerance" in result.residue


def test_an_exit_code_or_a_refusal_is_a_failure_of_an_action(tmp_path: Path) -> None:
    """chaoslib takes both for a success; an action's own tolerance says otherwise."""
    broken = tmp_path / "broken"
    kind, surface = ExperimentFault(), MemorySurface()
    failing = process("action", "mend", "sh", ["-c", "echo no right to >&2; exit 3"])
    held = process("probe", "healthy", "true", [], tolerance=0)
    document = experiment(broken, rollbacks=[failing])
    document["steady-state-hypothesis"]["probes"] = [held]  # holds whatever happens
    entry = kind.plan(surface, fault(tmp_path, document), CONTEXT)
    kind.apply(surface, entry)
    assert undo_entry(surface, entry).rung is None
    document["method"][0], document["rollbacks"] = failing, [{**failing, "tolerance": 3}]
    entry = kind.plan(surface, fault(tmp_path, document), CONTEXT)
    kind.apply(surface, entry)
    with pytest.raises(FaultNotConfirmed, match="action 'mend' failed: exit code 3: no right to"):
        kind.confirm(surface, entry)
    assert undo_entry(surface, entry).rung == "rollbacks"


@pytest.mark.parametrize(("status", "error"), [(200, ""), (503, "answered 503")])
def test_a_server_that_refuses_an_action_fails_it(status: int, error: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        provider = {"type": "http", "url": f"http://127.0.0.1:{server.server_address[1]}/", "method": "POST"}
        action = {"type": "action", "name": "ask", "provider": {**provider, "timeout": 5}}
        try:
            (done,) = play({"title": "t", "description": "d", "method": [action]}, "method", 20)
        finally:
            server.shutdown()
            thread.join()
    assert (done.well, done.error) == (not error, error)


def test_it_is_rolled_back_also_when_its_staging_is_gone(tmp_path: Path) -> None:
    """What an experiment acts on does not go with the staging of a drill."""
    broken = tmp_path / "broken"
    kind, surface = ExperimentFault(), MemorySurface()
    assert isinstance(kind, OnHost)
    entry = kind.plan(surface, fault(tmp_path, experiment(broken)), CONTEXT)
    kind.apply(surface, entry)
    ExperimentFault().lift_from_host(entry)
    assert not broken.exists()
    for program, says in (
        ("true", "no steady state: probe 'healthy' outside of its tolerance"),
        ("false", "action 'mend' failed: exit code 1: it said nothing"),
    ):
        stuck = experiment(broken, rollbacks=[process("action", "mend", program, [])])
        entry = kind.plan(surface, fault(tmp_path, stuck), CONTEXT)
        kind.apply(surface, entry)
        with pytest.raises(StagingError, match=says):
            kind.lift_from_host(entry)
        broken.unlink()


def test_what_did_not_take_is_not_confirmed(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    document = experiment(broken)
    document["method"][0]["provider"] = {
        "type": "python",
        "module": "os",
        "func": "remove",
        "arguments": {"path": "/nowhere"},
    }
    kind, surface = ExperimentFault(), MemorySurface()
    entry = kind.plan(surface, fault(tmp_path, document), CONTEXT)
    kind.apply(surface, entry)
    with pytest.raises(FaultNotConfirmed, match=r"action 'break' failed(.|\n)*probe 'broken' outside of its tolerance"):
        kind.confirm(surface, entry)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"steady-state-hypothesis": {}}, "they tell that it is undone|hypothesis"),
        ({"method": []}, "must have a probe with a tolerance"),
        ({"title": ""}, "InvalidExperiment: experiment requires a title"),
        ({"method": [{"type": "action", "name": "x"}]}, "InvalidActivity"),
    ],
)
def test_what_cannot_be_proven_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultRefused, match=reason):
        ExperimentFault().plan(MemorySurface(), fault(tmp_path, experiment(tmp_path / "b", **change)), CONTEXT)


def test_no_steady_state_before_it_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    with pytest.raises(FaultRefused, match="no steady state before it: probe 'healthy' outside of its tolerance"):
        ExperimentFault().plan(MemorySurface(), fault(tmp_path, experiment(broken)), CONTEXT)


def test_a_part_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    mark = "3599.25"
    hangs = process("action", "hang", sys.executable, ["-c", f"import time; time.sleep({mark})"])
    hangs["provider"]["timeout"] = 3600
    began_s = time.monotonic()
    with pytest.raises(ExperimentFailed, match="did not end within 2 s"):
        play(experiment(tmp_path / "b", method=[hangs]), "method", 2.0)
    assert time.monotonic() - began_s < 300
    assert not [each for each in psutil.process_iter(["cmdline"]) if mark in " ".join(each.info["cmdline"] or ())]


def test_what_is_no_experiment_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    for text, reason in (("[1, 2]", "must be a mapping"), ("a: [", "cannot be read"), ("a: 1", "requires a title")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ExperimentRefused, match=reason):
            read(file)
    with pytest.raises(ExperimentRefused, match="cannot be read"):
        read(tmp_path / "none.json")


def test_every_kind_of_tolerance_is_read(tmp_path: Path) -> None:
    """As public experiments have them; jsonpath needs a package that the extra brings."""
    told: list[tuple[object, bool]] = [
        (0, True),
        ([0, 2], True),
        (1, False),
        ({"type": "regex", "target": "stdout", "pattern": "^.*up.*$"}, True),
        ({"type": "regex", "target": "stdout", "pattern": "^down$"}, False),
        ({"type": "range", "target": "status", "range": [0, 1]}, True),
        ({"type": "jsonpath", "target": "stdout", "path": "$.items[*].state", "expect": ["up", "up"]}, True),
        ({"type": "jsonpath", "target": "stdout", "path": "$.items[*].state", "expect": ["up", "down"]}, False),
    ]
    text = json.dumps({"items": [{"state": "up"}, {"state": "up"}]})
    probes = [
        process("probe", str(number), "echo", [text], tolerance=tolerance) for number, (tolerance, _) in enumerate(told)
    ]
    document = experiment(tmp_path / "broken")
    document["steady-state-hypothesis"]["probes"] = probes
    found = play(document, "hypothesis", 30.0)
    assert [(each.name, each.met) for each in found] == [(str(n), met) for n, (_, met) in enumerate(told)]


def test_secrets_are_in_nothing_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "very-secret")
    say = process("action", "say", "sh", ["-c", "echo token $SHOP_TOKEN"])
    document = experiment(tmp_path / "broken", method=[say])
    document["secrets"] = {"shop": {"token": {"type": "env", "key": "SHOP_TOKEN"}}}
    (told,) = play(document, "method", 30.0)
    assert told.succeeded
    assert "token ***" in told.output
    assert "very-secret" not in str(told)


def test_a_control_of_a_team_s_own_may_refuse_an_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    (tmp_path / "own_control.py").write_text(
        "from chaoslib.exceptions import InterruptExecution\n"
        "def before_activity_control(context, **_):\n"
        "    if context['type'] == 'action':\n"
        "        raise InterruptExecution('not during the sale')\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    control = {"name": "the sale", "provider": {"type": "python", "module": "own_control"}}
    document = experiment(broken, controls=[control])
    assert play(document, "hypothesis", 30)[0].well
    with pytest.raises(ExperimentFailed, match="not during the sale"):
        play(document, "method", 30)
    assert not broken.exists()
