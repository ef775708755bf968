"""`windtunnel rare`: what it says before it starts, and how it tells what was found from what was only bounded."""

import json
from pathlib import Path

import pytest

from evidence.statistics import Estimate
from simulator.rare.collapse import Collapse, Foretold, Part, Rest
from windtunnel.cli.main import run
from windtunnel.cli.rare import _say_foretold, _text

CALM = """
schema: windtunnel/v1
name: calm
sources: [test]
duration: 12s
measure: {resolution: 50ms, window: 1s, consecutive: 2, warmup: auto}
system: {services: {web: {replicas: 2, workers: 4, service_time: 10ms}}}
functions: {ask: {path: [web], rate: 30/s, rto: 5s, rpo: 0s, good: {success: ">= 95%"}}}
release: {at: 10s, changes: [{service: web, from: "1", to: "2"}], strategy: {blue-green: {}}}
"""
SOUGHT = Part("defect slow", 0.02, Estimate(5e-3, 3e-3, 8e-3, 1600), (18.0, 30.0))
REST = Rest(("risk stuck", ""), 0.98, Estimate(0.0, 0.0, 2.3e-3, 1600), 1600, 1e-5)
OPEN = "The upper end is mostly what replications in which nothing collapsed leave open; it falls with --effort."


def told(parts: tuple[Part, ...], rest: Rest | None, probability: Estimate) -> list[str]:
    return _text(Collapse(probability, parts, rest, 9000, 700, 40_000), 20.0).splitlines()


def test_kinds_that_were_met_and_the_rest_are_told_apart_and_whose_the_upper_end_is() -> None:
    lines = told((SOUGHT,), REST, Estimate(1e-4, 6e-5, 2.4e-3, 3200))
    assert lines[1] == "  0.0001 [6e-05, 0.0024] (95 %)"
    assert (
        lines[2] == "  defect slow (2 % of the runs): 0.005 [0.003, 0.008] of them; levels (jobs in the system): 18, 30"
    )
    assert lines[3].startswith("  risk stuck, none of these (98 % of the runs): 0 [0, 0.0023] of them, by 1,600 plain")
    assert lines[3].endswith("met a collapse, even with as many jobs inside as only 1e-05 of them come to")
    assert lines[5:] == ["plain replications for as precise an estimate: 40,000", OPEN]


def test_a_single_kind_is_told_without_its_share() -> None:
    alone = Part("", 1.0, SOUGHT.probability, SOUGHT.levels)
    assert told((alone,), None, alone.probability)[2:4] == [
        "levels (jobs in the system): 18, 30",
        "trajectories: 9,000, of which 700 collapsed",
    ]
    nothing = Rest(("",), 1.0, REST.probability, 1600, 1.0)
    lines = told((), nothing, nothing.probability)
    assert lines[2] == "levels: none: no pilot met a collapse, so plain replications were played"
    assert OPEN in lines


@pytest.mark.parametrize(
    ("foretold", "said"),
    [
        (Foretold(1e-4, 50.0), ""),
        (Foretold(0.0, 1.0), ""),
        (Foretold(3e-3, 2.5), "plain replications would take 2.5 times as many trajectories"),
        (
            Foretold(0.03, 1.0),
            "plain replications are played, for it is not rare; windtunnel simulate my.yaml --until ",
        ),
        (Foretold(0.03, 1.0), "'collapse +-1%'"),
        (Foretold(1.0, 1.0), "'collapse +-1%'"),
    ],
)
def test_it_says_beforehand_where_simulate_does_as_well_of_the_scenario_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], foretold: Foretold, said: str
) -> None:
    _say_foretold("my.yaml", foretold)
    err = capsys.readouterr().err
    assert (said in err) if said else err == ""


def test_a_warm_up_that_is_left_to_us_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "calm.yaml"
    file.write_text(CALM)
    with pytest.raises(SystemExit) as ended:
        run(["rare", str(file), "--effort", "20", "--processes", "1", "--json"])
    assert ended.value.code in (None, 0)
    assert json.loads(capsys.readouterr().out)["probability"]["value"] == 0.0


def test_flows_are_refused_and_requests_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["heavy-release"], ["metastable", "--fidelity", "fluid"]):
        with pytest.raises(SystemExit) as ended:
            run(["rare", *arguments])
        assert ended.value.code == 2
        assert "fidelity(=fluid) must be requests" in capsys.readouterr().err
