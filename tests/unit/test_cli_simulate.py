"""``windtunnel simulate|compare|check|assess`` on a small run: one document, one record, one verdict."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import RecordNotWrittenError
from evidence.measures import FunctionMeasure
from evidence.record import RunRecord
from scenarios.loading import load
from simulator import work
from simulator.errors import WorkerDied
from simulator.replication import Player
from tests.unit.scenario_texts import VALID
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.main import Terminated

Run = Callable[..., Any]
CODES = {"pass": 0, "fail": 1, "inconclusive": 3, "error": 4}


def test_simulate_writes_a_record_that_assess_judges_alike(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel("simulate", "shop-release", "-n", "3", "--out", str(tmp_path), "--json")
    document = json.loads(result.out)
    assert result.code == CODES[document["verdict"]["status"]] == document["exit_code"]
    assert Path(document["record"]).parent == tmp_path
    again = windtunnel("assess", document["record"], "--json")
    assert json.loads(again.out)["verdict"] == document["verdict"]
    assert again.code == result.code


def test_compare_names_every_strategy_and_its_record(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel(
        "compare", "shop-release", "-n", "2", "--strategies", "canary,recreate",
        "--out", str(tmp_path), "--json",
    )  # fmt: skip
    assert result.code == 0
    document = json.loads(result.out)
    assert list(document["records"]) == ["canary", "recreate"]
    assert {row["strategy"] for row in document["rows"]} == {"canary", "recreate"}


def test_compare_sets_the_defaults_beside_a_single_strategy(windtunnel: Run, tmp_path: Path) -> None:
    lone = tmp_path / "lone.yaml"
    lone.write_text(VALID[: VALID.index("  alternatives:")] + VALID[VALID.index("  guardrails:") :])
    result = windtunnel("compare", str(lone), "-n", "2", "--out", str(tmp_path / "runs"), "--json")
    assert result.code == 0, result.err
    assert list(json.loads(result.out)["records"]) == ["canary", "recreate", "rolling", "blue-green"]


def test_check_ends_in_the_worst_verdict(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel("check", "shop-release", "-n", "2", "--out", str(tmp_path), "--json")
    document = json.loads(result.out)
    assert result.code == CODES[document["status"]] == document["exit_code"]


def test_check_refuses_what_it_cannot_play_before_it_plays_any(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel("check", "shop-release", "shop-game-day", "-n", "2", "--out", str(tmp_path / "runs"))
    assert (result.code, result.out) == (2, "")
    assert "shop-game-day cannot be simulated, only drilled" in result.err
    assert not (tmp_path / "runs").exists()


def test_check_tells_files_with_one_name_apart(windtunnel: Run, tmp_path: Path) -> None:
    files = [tmp_path / "june.yaml", tmp_path / "july.yaml"]
    for file in files:
        file.write_text(VALID)
    arguments = ("check", *map(str, files), "-n", "2", "--out", str(tmp_path / "runs"))
    lines = windtunnel(*arguments).out.splitlines()
    assert [line for line in lines if line.startswith("tiny")] == [f"tiny ({file})" for file in files]
    checked = json.loads(windtunnel(*arguments, "--json").out)["checked"]
    assert [(each["scenario"], each["reference"]) for each in checked] == [("tiny", str(f)) for f in files]


class Ending(Player):
    """Ends as told when the release is played for the fourth time."""

    how: BaseException = KeyboardInterrupt()

    def measures(self, replication: int) -> list[FunctionMeasure]:
        if replication == 3:
            raise self.how
        return super().measures(replication)


@pytest.mark.parametrize(
    ("how", "code"),
    [(KeyboardInterrupt("interrupted"), ExitCode.INTERRUPTED), (Terminated(signal.SIGTERM), ExitCode.TERMINATED),
     (WorkerDied("a worker ended"), ExitCode.ERROR)],
)  # fmt: skip
def test_what_was_played_before_an_end_is_kept_and_is_no_finished_run(
    how: BaseException, code: int, windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "Player", Ending)
    monkeypatch.setattr(Ending, "how", how)
    result = windtunnel("simulate", "shop-release", "-n", "9", "--processes", "1", "--out", str(tmp_path))
    assert (result.code, result.out) == (code, "")
    (folder,) = tmp_path.iterdir()
    record = RunRecord.open(folder)
    assert not record.complete
    scenario, _ = load("shop-release")
    player = Player(scenario, scenario.release.strategy, 1)
    assert record.measures() == [row for replication in range(3) for row in player.measures(replication)]
    if code != ExitCode.INTERRUPTED:  # a raised one is not the signal's own, which carries its notes
        assert f"the measures of 3 of 9 replications are kept in {folder}, which is no finished run" in result.err
    judged = windtunnel("assess", str(folder))
    assert judged.code == ExitCode.ERROR
    assert "interrupted: measures.parquet has 3 of 9 replications" in judged.out


def test_a_comparison_keeps_what_it_has_of_each(
    windtunnel: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "Player", Ending)
    monkeypatch.setattr(Ending, "how", WorkerDied("a worker ended"))
    arguments = ("compare", "shop-release", "-n", "3", "--processes", "1", "--out", str(tmp_path / "three"))
    assert windtunnel(*arguments, "--strategies", "canary,rolling").code == 0

    def full(_: object, samples: object) -> None:
        raise RecordNotWrittenError("samples.parquet: cannot be written: No space left on device")

    monkeypatch.setattr(RunRecord, "write_samples", full)
    arguments = (*arguments[:-1], str(tmp_path / "full"))
    result = windtunnel(*arguments, "--strategies", "canary,rolling")
    assert result.code == ExitCode.ERROR
    assert result.err.count("the measures of 3 of 3 replications are kept in") == 2
    records = [RunRecord.open(folder) for folder in (tmp_path / "full").iterdir()]
    assert [(record.complete, len(record.measures())) for record in records] == [(False, 6), (False, 6)]

    def fuller(_: object, measures: object) -> None:
        raise RecordNotWrittenError("measures.parquet: cannot be written: No space left on device")

    monkeypatch.setattr(RunRecord, "write_measures", fuller)
    result = windtunnel(*arguments[:-1], str(tmp_path / "fuller"), "--strategies", "canary,rolling")
    assert result.code == ExitCode.ERROR
    assert result.err.count("the measures of 3 of 3 replications are lost: measures.parquet: cannot be written") == 2


def test_a_verdict_on_nothing_says_why(windtunnel: Run, tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text(VALID[: VALID.index("expect:")])
    for command in ("simulate", "check"):
        result = windtunnel(command, str(plain), "-n", "2", "--out", str(tmp_path / "runs"))
        assert result.code == CODES["inconclusive"], result.err
        assert "the scenario expects nothing (expect)" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "shop-release", "--strategy", "sideways"],
        ["simulate", "shop-release", "--defect", "typo"],
        ["simulate", "shop-release", "-n", "0"],
        ["compare", "shop-release", "--strategies", "canary,canary"],
        ["compare", "shop-release", "--strategies", ""],
        ["check", "shop-release", "no-such-scenario"],
        ["simulate", "shop-release", "--replications", "9" * 23],
        ["simulate", "shop-release", "--until", "rto_attainment"],
        ["simulate", "shop-release", "--until", "rto_attainment +-1s"],
        ["simulate", "shop-release", "--until", "rto_attainment of nobody +-1%"],
        ["simulate", "shop-release", "--until", "revenue_lost +-1 XYZ"],
        ["simulate", "shop-release", "--until", "lost_writes +-1%"],
        ["simulate", "shop-release", "--until", "difference failed_share +-1%"],
        ["compare", "shop-release", "--vary", "system.services.nobody.replicas=1,2"],
        ["compare", "shop-release", "--vary", "release.at"],
        ["simulate", "shop-release", "--out", ""],
    ],
)
def test_bad_input_is_2_and_writes_no_record(arguments: list[str], windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel(arguments[0], "--out", str(tmp_path), *arguments[1:])
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []
