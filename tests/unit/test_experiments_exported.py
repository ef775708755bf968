"""A scenario as an experiment: valid for the Chaos Toolkit itself, and true to the newest run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.experiments.activities import verdict
from chaos.experiments.playing import play, read
from evidence.record import RunRecord
from tests.unit.evidence_made import header
from windtunnel.cli.exits import ExitCode

Run = Callable[..., Any]


def test_an_export_is_valid_and_its_hypothesis_asks_the_newest_run(
    windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "shop.json", tmp_path / "runs"
    done = windtunnel("scenario", "export", "shop-release", "--to", "chaostoolkit", "--out", str(file))
    assert done.code == 0, done.err
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    experiment = read(file)
    (drill,) = experiment["method"]
    assert drill["provider"]["arguments"][:2] == ["drill", "shop-release"]
    monkeypatch.setenv("WINDTUNNEL_OUT", str(out))
    (before,) = play(experiment, "hypothesis", 20)
    assert before.well, before
    record = RunRecord.create_in(out, header())
    assert verdict(str(out)) == "error"  # a drill that was killed before it was judged
    record.judged({"status": "fail", "checks": []})
    (after,) = play(experiment, "hypothesis", 20)
    assert (after.met, after.output) == (False, "fail")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shop-release", "--to", "gremlin"], "--to gremlin: must be chaostoolkit"),
        (["metastable", "--to", "chaostoolkit"], "cannot be drilled"),
        (["shop-release", "--to", "chaostoolkit", "--out", "/nowhere/shop.json"], "cannot be written: No such file"),
        (["shop-release", "--to", "chaostoolkit", "--strategy", "waves"], "waves"),
    ],
)
def test_what_cannot_be_exported_is_told(windtunnel: Run, arguments: list[str], says: str) -> None:
    done = windtunnel("scenario", "export", *arguments)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert says in done.err


def test_a_simulation_refuses_what_only_a_drill_can_play(windtunnel: Run, tmp_path: Path) -> None:
    text = windtunnel("scenario", "show", "shop-release").out
    file = tmp_path / "away.yaml"
    fault = "faults:\n  - {at: 9s, for: 2s, experiment: {file: away.json}}\n"
    file.write_text(text.replace("faults:\n", fault))
    done = windtunnel("simulate", str(file), "--replications", "1", "--out", str(tmp_path / "runs"))
    assert done.code == ExitCode.USAGE
    assert "faults[0].experiment: nothing but the Chaos Toolkit knows" in done.err
