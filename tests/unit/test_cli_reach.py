"""`windtunnel reach`, `sensitivity` and `rare` as a user calls them."""

import json
import re
from pathlib import Path

import pytest

from scenarios.loading import read
from windtunnel.cli.main import run
from windtunnel.cli.sensitivity import _untold


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        run([*arguments])
    return int(ended.value.code or 0), capsys.readouterr().out


def test_reach_tells_graph_and_simulation_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = answered(capsys, "reach", "shop-release", "-n", "2")
    assert code == 0
    assert "one provider" in out
    assert "cascade: when payments hangs, checkout needs 81 workers, and has 64" in out
    code, out = answered(capsys, "reach", "shop-release", "-n", "1", "--json")
    document = json.loads(out)
    assert {each["name"] for each in document["dependencies"]} == {
        "edge",
        "checkout",
        "payments",
        "catalogue",
        "orders",
    }
    assert len(document["simulated"]) == 10
    assert document["unsteady"] == []


def test_sensitivity_ranks_and_records(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("sensitivity", "uncertain-inputs", "-n", "60", "--defect", "broken", "--out", str(tmp_path))
    arguments += ("--by", "rto_s", "--by", "failed_share", "--by", "rpo_s")
    code, out = answered(capsys, *arguments, "--json")
    document = json.loads(out)
    assert code == 0
    assert len(document["inputs"]) == 8
    assert {each["measure"] for each in document["influences"]} == {"rto_s", "failed_share"}
    assert document["unknown"] == [{"function": "buy", "measure": "rpo_s"}], "it writes nothing"
    assert document["caveats"] == [], "its defect is in every replication"
    assert Path(document["record"]).is_dir()


def test_sensitivity_says_what_makes_its_figures_mean_less(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "seldom.yaml"
    file.write_text(read("uncertain-inputs").text.replace("probability: 5%..40%", "probability: 1%..2%"))
    code, out = answered(capsys, "sensitivity", str(file), "-n", "60", "--out", str(tmp_path))
    assert code == 0
    assert re.search(r"^Caveat: release.defects.broken: met in \d of 60 replications", out, re.MULTILINE)


def test_sensitivity_tells_money_as_money(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "sold.yaml"
    file.write_text(read("uncertain-inputs").text.replace("    rto:", "    revenue: 10 EUR\n    rto:"))
    arguments = (str(file), "-n", "60", "--defect", "broken", "--by", "revenue_lost", "--out", str(tmp_path))
    code, out = answered(capsys, "sensitivity", *arguments)
    assert code == 0
    assert re.search(r"[\d,]+ EUR +[\d,]+ EUR", out)


def test_inputs_without_a_known_influence_are_named_where_they_are_few(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("sensitivity", "uncertain-inputs", "-n", "60", "--by", "failed_share", "--defect", "broken")
    arguments += ("--out", str(tmp_path))
    influences = json.loads(answered(capsys, *arguments, "--json")[1])["influences"]
    untold = [each["input"] for each in influences if not each["told"]]
    assert 0 < len(untold) < len(influences)
    code, out = answered(capsys, *arguments)
    assert code == 0
    assert f"\n{_untold(untold, 8)}: the data cannot tell whether they have any influence\n" in out
    assert _untold(["a.b", "c"], 8) == "a.b, c"
    assert _untold(["a"] * 7, 8) == "7 of 8 inputs"


@pytest.mark.parametrize(
    "arguments",
    [
        ("sensitivity", "shop-release", "--spread", "20"),
        ("sensitivity", "shop-release", "--spread", "100%"),
        ("sensitivity", "shop-release", "--by", "happiness"),
        ("sensitivity", "shop-release", "-n", "59"),
        ("rare", "shop-release", "--effort", "5"),
        ("reach", "no-such"),
    ],
)
def test_bad_usage_ends_with_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert answered(capsys, *arguments)[0] == 2
