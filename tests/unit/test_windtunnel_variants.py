"""What is compared: strategies by values, with labels; and simulations that go on until they are precise enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import JudgeError
from scenarios.errors import ScenarioError
from windtunnel import api
from windtunnel.errors import UsageError
from windtunnel.simulating import compare, simulate
from windtunnel.variants import contenders, varied_of

Run = Callable[..., Any]
BAKE = "release.strategy.canary.bake=1s,4s"


def labels(*vary: str, strategies: list[str] | None = None) -> list[str]:
    scenario, source = api.load("shop-release")
    return [each.label for each in contenders(scenario, source, strategies, vary)]


def test_values_are_labelled_by_their_last_key() -> None:
    assert labels(BAKE) == ["bake=1s", "bake=4s"]
    assert labels(BAKE, "functions.checkout.rate=40/s,60/s") == [
        "bake=1s rate=40/s", "bake=1s rate=60/s", "bake=4s rate=40/s", "bake=4s rate=60/s",
    ]  # fmt: skip
    twice = labels("functions.checkout.rate=40/s", "functions.browse.rate=40/s")
    assert twice == ["functions.checkout.rate=40/s functions.browse.rate=40/s"]


def test_retries_may_be_none_where_the_call_has_a_backoff() -> None:
    assert labels("system.calls.checkout->payments.retries=0,1") == ["retries=0", "retries=1"]


def test_a_strategy_that_a_path_does_not_concern_is_played_once() -> None:
    assert labels(BAKE, strategies=["canary", "recreate"]) == ["canary bake=1s", "canary bake=4s", "recreate"]
    second = "release.alternatives.1.rolling.surge=1,2"
    assert labels(second, strategies=["canary", "rolling"]) == ["canary", "rolling surge=1", "rolling surge=2"]
    assert labels() == ["canary", "blue-green", "rolling", "recreate"]


def test_commas_within_a_value_belong_to_it() -> None:
    assert varied_of('a.b={lognormal: {mean: 1s, cv: 1}}, "x,y" ,3').values == (
        "{lognormal: {mean: 1s, cv: 1}}", '"x,y"', "3",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("vary", "strategies", "rule"),
    [
        (["release.at"], None, "must be PATH=V1,V2"),
        (["release.at=1s,,2s"], None, "must be PATH=V1,V2"),
        (["release.at=1s,1s"], None, "must name each value once"),
        (["release.at=1s", "release.at=2s"], None, "must name each path once"),
        ([BAKE], ["recreate"], "must concern a strategy that is compared: recreate"),
        (["release.alternatives.1.rolling.surge=1,2"], None, "must concern a strategy that is compared: canary"),
        (["release.strategy.rolling.surge=1,2"], None, "must concern a strategy that is compared: canary"),
        (["functions.checkout.rate=" + ",".join(f"{n}/s" for n in range(1, 103))], None, "at most 100 variants"),
    ],
)
def test_what_cannot_be_compared_is_refused(vary: list[str], strategies: list[str] | None, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        labels(*vary, strategies=strategies)


def test_a_value_that_is_no_scenario_is_told_as_any_other() -> None:
    with pytest.raises(
        ScenarioError, match=r"shop-release \(release.strategy.canary.bake=banana\):\d+: .*bake: 'banana'"
    ):
        labels("release.strategy.canary.bake=1s,banana")


def test_variants_are_compared_recorded_and_reported_under_their_labels(windtunnel: Run, tmp_path: Path) -> None:
    result = windtunnel("compare", "shop-release", "-n", "3", "--vary", BAKE, "--out", str(tmp_path), "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["variants"] == {
        f"bake={each}": {"release.strategy.canary.bake": each} for each in ("1s", "4s")
    }  # fmt: skip
    assert {row["strategy"] for row in document["rows"]} == {"bake=1s", "bake=4s"} == set(document["records"])
    promoted = next(pair for pair in document["pairs"] if pair["function"] == "")
    by_measure = {each["measure"]: each for each in promoted["differences"]}
    assert by_measure["promoted_s"]["estimate"]["value"] == pytest.approx(-6.0, abs=0.2)
    folders = list(document["records"].values())
    again = windtunnel("report", *folders, "--format", "json")
    assert json.loads(again.out)["pairs"] == document["pairs"]
    page = windtunnel("report", *folders, "--format", "html")
    assert "Risk against time and capacity" in page.out or page.code == 0


def test_runs_of_other_texts_are_no_variants(windtunnel: Run, tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    one = simulate(scenario, source, replications=1, out=tmp_path)
    varied = compare(scenario, source, vary=["functions.checkout.rate=40/s"], replications=1, out=tmp_path)
    assert varied.simulations[0].record.header.label == "rate=40/s"
    folders = [str(one.record.folder), str(varied.simulations[0].record.folder)]
    assert windtunnel("report", *folders, "--format", "text").code == 0  # a variant of that text
    other, text = api.vary(source, "rate: 50/s", "rate: 45/s")
    strange = simulate(other, text, replications=1, out=tmp_path)
    refused = windtunnel("report", folders[0], str(strange.record.folder), "--format", "text")
    assert (refused.code, "scenario texts" in refused.err) == (2, True)


def test_until_plays_as_many_as_it_takes_and_the_judge_says_so(tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    outcome = simulate(scenario, source, until=["rto_attainment +-2%"], out=tmp_path)
    header = outcome.record.header
    assert (header.replications, header.precise, header.until) == (200, True, "rto_attainment +-2%")
    assert len(outcome.result.measures) == 400
    [check] = [check for check in outcome.verdict.checks if check.name == "until"]
    assert check.reason == "rto_attainment +-2%: reached, +-0.914% (n = 200)", (
        "half of Clopper and Pearson's [98.17, 100]"
    )
    both = ["rto_attainment +-2%", "rto_attainment of browse +-0.01%"]
    short = simulate(scenario, source, until=both, max_replications=201, processes=1, out=tmp_path)
    assert (short.record.header.replications, short.record.header.precise) == (201, False)
    assert short.record.header.until == "rto_attainment +-2%; rto_attainment of browse +-0.01%"
    assert short.result.measures[:400] == outcome.result.measures
    [check] = [check for check in short.verdict.checks if check.name == "until"]
    first, second = check.reason.split("; ")
    assert first == "rto_attainment +-2%: reached, +-0.91%"
    assert second == "rto_attainment of browse +-0.01%: not reached, +-0.91% (n = 201)"


def test_measures_of_until_may_be_called_as_in_the_record(tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    outcome = simulate(scenario, source, until=["rto_s of checkout +-1m"], defects=["slow-query"], out=tmp_path)
    assert outcome.record.header.precise
    assert (outcome.record.header.reached or "").startswith("rto_s of checkout +-1m: reached, +-")


def test_a_mean_that_too_few_bad_releases_make_is_told_so(tmp_path: Path) -> None:
    scenario, source = api.vary(api.load("shop-release")[1], "probability: 10%", "probability: 1%")
    outcome = simulate(scenario, source, until=["rto of checkout +-1h"], max_replications=200, out=tmp_path)
    reached = outcome.record.header.reached or ""
    assert reached.startswith("rto of checkout +-1h: not reached, +-")
    assert reached.endswith("ms by values too few or too skewed to trust it")


_FIND = '{path: [web, search], rate: 9/s, rto: 9s, rpo: 0s, good: {success: ">= 9%"}}'


@pytest.mark.parametrize(
    ("name", "vary", "rule"),
    [
        (
            "shop-release",
            "functions.checkout.revenue=55 EUR,55 USD",
            "one currency of revenue, has EUR under .* and USD",
        ),
        ("metastable", f"functions={{find: {_FIND}}},{{find: {_FIND}, b: {_FIND}}}", "the same functions, has find un"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_it_is_played(
    name: str, vary: str, rule: str, tmp_path: Path
) -> None:
    scenario, source = api.load(name)
    with pytest.raises(UsageError, match=rule):
        compare(scenario, source, vary=[vary], out=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("vary", ["duration=36s,46s", "measure.window=3s,5s"])
def test_variants_that_are_measured_unlike_have_a_caveat(vary: str, tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    outcome = compare(scenario, source, vary=[vary], replications=2, out=tmp_path)
    assert any(each.startswith(f"{vary.split('=')[0].split('.')[0]}: is not the same") for each in outcome.caveats)
    same = compare(scenario, source, vary=["functions.browse.rate=40/s,41/s"], replications=2, out=tmp_path)
    assert not any("is not the same" in each for each in same.caveats)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"until": ["rto +- 1%"]}, "the width must be above 0, and a time"),
        ({"until": ["rto_attainment +-0%"]}, "the width must be above 0, and a percentage"),
        ({"until": ["speed +-1%"]}, "measure speed must be one of"),
        ({"until": ["soon"]}, "must be MEASURE"),
        ({"until": ["rto_p95 of pay +-1s"]}, "function pay must be one of checkout, browse"),
        ({"until": ["collapse of browse +-1%"]}, "is of the whole release"),
        ({"until": ["difference failed_share +-1%"]}, "must be of several strategies"),
        ({"until": ["rto_p95 +-1s"], "replications": 50}, "must be at least 200 with until"),
        ({"until": ["rto_p95 +-1s"], "max_replications": 100}, "must be at least the fewest, 200"),
        ({"until": ["rto_p95 +-1s", "soon"]}, "until\\(=soon\\) must be MEASURE"),
        ({"max_replications": 100}, "must come with until"),
        ({"until": ["lost_writes of browse +-1"]}, "function browse does not write to a store"),
    ],
)
def test_precision_that_cannot_be_asked_for_is_refused(arguments: dict[str, Any], rule: str, tmp_path: Path) -> None:
    scenario, source = api.load("shop-release")
    with pytest.raises((UsageError, JudgeError), match=rule):
        simulate(scenario, source, out=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
