"""Who tells how versions answer on a staging of a file: one of four, understood and held to the allow-list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaos.errors import EnvoyError
from chaos.load.raw import RawSamples
from chaos.realise import NotRealisable
from chaos.safety.errors import AddressNotAllowed
from chaos.staging.adapters import open_staging
from chaos.staging.envoy_stats import read_clusters, rebinned
from chaos.staging.files.errors import InvalidStagingFile
from chaos.staging.files.fitting import require_fitting
from chaos.staging.files.loading import Loaded, parse_staging
from scenarios.loading import load
from tests.commands_tiny import tiny_data
from tests.unit.test_load_answers import row

ENVOY = {"admin": "http://127.0.0.1:9", "clusters": {"checkout": {"2.3": "old", "2.4": "new"}}}
LOAD = {"service": "checkout", "functions": ["checkout"]}


def parsed(folder: Path, **parts: Any) -> Loaded:
    data = {**tiny_data(folder), **parts}
    data["requests"]["browse"] = {"path": "/"}
    return parse_staging(data, folder / "staging.yaml")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"envoy": ENVOY, "load": LOAD}, "envoy and load all tell how versions answer: must be one of them"),
        (
            {"envoy": {**ENVOY, "admin": "http://envoy.staging:9901"}},
            "must be this machine or one of allow.hosts",
        ),
        ({"envoy": {**ENVOY, "admin": "http://127.0.0.1:9901/stats"}}, "must be http://host:port, without path"),
        ({"envoy": {**ENVOY, "clusters": {}}}, "envoy.clusters"),
        ({"load": {**LOAD, "functions": ["refunds"]}}, "load.functions: refunds: must be among the requests"),
    ],
)
def test_what_is_wrong_is_told(parts: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidStagingFile) as caught:
        parsed(tmp_path, **parts)
    assert told in str(caught.value)


@pytest.mark.parametrize("parts", [{"envoy": ENVOY}, {"load": LOAD}])
def test_a_guardrail_needs_a_service_that_is_watched(parts: dict[str, Any], tmp_path: Path) -> None:
    scenario, _ = load("shop-release")
    scenario = scenario.model_copy(update={"faults": []})
    require_fitting(scenario, scenario.release.strategy, [], parsed(tmp_path, **parts))
    of_edge = scenario.release.guardrails[0].model_copy(update={"of": "edge"})
    release = scenario.release.model_copy(update={"guardrails": [of_edge]})
    other = scenario.model_copy(update={"release": release})
    with pytest.raises(NotRealisable, match=r"of: edge: must be one that the file watches \(checkout\)"):
        require_fitting(other, release.strategy, [], parsed(tmp_path, **parts))


def test_a_guardrail_on_times_needs_a_query_for_them(tmp_path: Path) -> None:
    scenario, _ = load("shop-release")
    scenario = scenario.model_copy(update={"faults": []})
    queries = {"url": "http://127.0.0.1:9", "requests": "r", "errors": "e"}
    timed = parsed(tmp_path, prometheus={**queries, "latency": "b"})
    require_fitting(scenario, scenario.release.strategy, [], timed)
    with pytest.raises(NotRealisable, match=r"release.guardrails\[1\].metric: p95: the file has no prometheus.latency"):
        require_fitting(scenario, scenario.release.strategy, [], parsed(tmp_path, prometheus=queries))


def test_the_loads_answers_are_observed(tmp_path: Path) -> None:
    staging = open_staging(parsed(tmp_path / "shop", load=LOAD), tmp_path / "state")
    assert [each.service for each in staging.observe()] == ["checkout"], "seen before its first answer"
    staging.answered(RawSamples.from_rows([row("checkout", 500, "error", "2.4")]))
    assert [(each.version, each.errors) for each in staging.observe()] == [("", 0), ("2.4", 1)]


def test_an_envoy_is_asked_only_where_it_may_be(tmp_path: Path) -> None:
    allow = {"hosts": ["localhost.localdomain"], "networks": ["10.20.0.0/16"]}
    envoy = {**ENVOY, "admin": "http://localhost.localdomain:9"}
    loaded = parsed(tmp_path / "shop", envoy={**ENVOY, "admin": "http://127.0.0.1:9"})
    with pytest.raises(EnvoyError, match=r"envoy http://127.0.0.1:9/stats: ConnectionRefusedError"):
        open_staging(loaded, tmp_path / "state").observe()
    with pytest.raises(AddressNotAllowed):
        open_staging(parsed(tmp_path / "other", envoy=envoy, allow=allow), tmp_path / "other-state").observe()


def test_answers_of_no_time_and_of_a_long_one_are_in_the_histogram() -> None:
    totals = (
        '{"lower_bound": 0, "width": 0, "count": 5}, {"lower_bound": 7, "width": 0.1, "count": 2},'
        ' {"lower_bound": 1500, "width": 100, "count": 1}'
    )
    details = f'[{{"name": "cluster.a--1_0.upstream_rq_time", "totals": [{totals}]}}]'
    stats = (
        '{"stats": [{"name": "cluster.a--1_0.upstream_rq_completed", "value": 8},'
        f' {{"histograms": {{"details": {details}}}}}]}}'
    )
    asked: list[tuple[str, dict[str, str]]] = []

    def get(path: str, params: Any) -> str:
        asked.append((path, dict(params)))
        return stats if params.get("format") == "json" else ""

    counts = read_clusters(get, ["a--1_0", "never"])
    assert counts["a--1_0"].times == ((0, 5), (7, 2), (1599, 1))
    assert (counts["a--1_0"].completed, counts["never"].completed, counts["never"].times) == (8, 0, ())
    assert rebinned(counts["a--1_0"].times, (1.0, 10.0)) == (5, 2, 1)
    assert [params.get("histogram_buckets") for _, params in asked] == [None, "detailed"]
    with pytest.raises(EnvoyError, match="no counters of clusters"):
        read_clusters(lambda *_: "<html>", ["a"])
