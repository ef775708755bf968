"""Observation by PromQL: a real Prometheus scrapes the embedded staging's Envoy, and is read as Envoy itself is."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.prometheus import Counters, PrometheusError, PrometheusReader, Queries
from chaos.staging.embedded import Staging
from chaos.staging.ports import free_ports
from tests.e2e.drills import PATIENCE_S, wait_for
from tests.prometheus_server import needs_prometheus, prometheus_over

pytestmark = [pytest.mark.e2e, needs_prometheus]


def named(metric: str) -> str:
    """Envoy's clusters are called SERVICE--VERSION, and those of its own error answers aborted--SERVICE--VERSION."""
    inner = f'label_replace({metric}, "service", "$1", "envoy_cluster_name", "(?:aborted--)?(.*)--.*")'
    return f'label_replace({inner}, "version", "$1.$2", "envoy_cluster_name", ".*--(.*)_(.*)")'


QUERIES = Queries(
    requests=named("envoy_cluster_upstream_rq_completed"),
    errors=named('envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}'),
    latency=named("envoy_cluster_upstream_rq_time_bucket"),
    le_s=1e-3,
)


@pytest.fixture
def url(staging: Staging, tmp_path: Path) -> Iterator[str]:
    """A Prometheus over the staging's Envoy."""
    with prometheus_over(f"127.0.0.1:{staging.state().ports['admin']}", "/stats/prometheus", tmp_path) as url:
        yield url


def order(staging: Staging, path: str, number: int) -> None:
    for _ in range(number):
        with urllib.request.urlopen(f"{staging.edge_url()}{path}", timeout=5) as answer:
            assert answer.status == 200


def test_prometheus_tells_what_envoy_tells(staging: Staging, url: str) -> None:
    reader = PrometheusReader(url, QUERIES)

    def read() -> dict[tuple[str, str], tuple[int, int]]:
        try:
            return {(each.service, each.version): (each.requests, each.errors) for each in reader.read()}
        except PrometheusError:  # it has only been started
            return {}

    def edge() -> tuple[int, int]:
        stats = staging.envoy_stats("edge")["1.0"]
        return (stats.requests, stats.errors)

    order(staging, "/catalogue", 20)
    wait_for(lambda: read().get(("edge", "1.0")) == edge(), PATIENCE_S, "20 requests at edge")
    staging.envoy.set_abort_share("catalogue", 1.0)
    with pytest.raises(urllib.error.HTTPError) as failed:
        order(staging, "/catalogue", 1)
    failed.value.close()
    wait_for(lambda: read()["edge", "1.0"] == edge(), PATIENCE_S, "its failure")
    assert read()["edge", "1.0"][1] >= 1
    stats = {(each.service, each.version): each for each in reader.read()}
    assert sum(stats["catalogue", "1.0"].histogram) >= 20
    assert len(stats["edge", "1.0"].histogram) == len(stats["edge", "1.0"].bounds_ms) + 1
    assert stats["checkout", "2.4"].errors == staging.envoy_stats("checkout")["2.4"].errors
    for requests, refusal in (("sum(", "parse error"), ("1", "answers a scalar, must be a vector")):
        with pytest.raises(PrometheusError, match=refusal):
            PrometheusReader(url, Queries(requests, "up")).read()
    assert PrometheusReader(url, Queries("up", "up")).read() == []  # no label of that name


def test_no_server_is_told_with_its_address() -> None:
    (port,) = free_ports(1)
    with pytest.raises(PrometheusError, match=f"prometheus http://127.0.0.1:{port}: .*ConnectionRefused"):
        PrometheusReader(f"http://127.0.0.1:{port}", QUERIES).read()
    with pytest.raises(PrometheusError, match="must be http://HOST:PORT"):
        PrometheusReader("127.0.0.1:9090", QUERIES)


def test_counters_outlive_restarts_and_replicas_that_go() -> None:
    """As PromQL's increase over the whole time, which no single query of a moment can tell."""
    counters, group = Counters(), ("checkout", "2.3")
    one, two = (("instance", "1"),), (("instance", "2"),)
    assert counters.add([(one, group, 10.0), (two, group, 5.0)]) == {group: 15.0}
    assert counters.add([(one, group, 12.0), (two, group, 1.0)]) == {group: 18.0}  # the second was started anew
    assert counters.add([(two, group, 4.0)]) == {group: 21.0}  # the first is gone
    assert counters.add([]) == {group: 21.0}
