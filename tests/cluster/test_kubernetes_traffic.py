"""Drills in a cluster whose requests go where its HTTPRoute says: guardrails by a real Prometheus, copies, cohorts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.kubernetes.api import HTTP_ROUTE, ROLLOUT, Api
from chaos.prometheus import PrometheusError, PrometheusReader, Queries
from chaos.staging.adapters import attach
from evidence.events import Event
from evidence.record import RunRecord
from tests.cluster.gateway import Gateway
from tests.cluster.shop_objects import CANARY, STABLE
from tests.cluster.stagings import (
    blue_green_service,
    canary,
    deployments_service,
    drilled,
    is_at_rest,
    release_file,
    rollout_service,
    staging_file,
)
from tests.e2e.drills import PATIENCE_S, wait_for
from tests.prometheus_server import needs_prometheus, prometheus_over

pytestmark = [pytest.mark.cluster, needs_prometheus]

GUARDRAIL = {"metric": "error-ratio", "of": "checkout", "version": "new", "above": "5%", "window": "3s", "minimum": 10}


@pytest.fixture
def prometheus(gateway: Gateway, tmp_path: Path) -> Iterator[str]:
    """One that has scraped the gateway."""
    with prometheus_over(gateway.url.removeprefix("http://"), "/metrics", tmp_path) as url:
        reader = PrometheusReader(url, Queries("http_requests_total", "http_requests_total"))
        wait_for(lambda: sees(reader), PATIENCE_S, "a scrape of the gateway")
        yield url


def sees(reader: PrometheusReader) -> bool:
    try:
        return bool(reader.read())
    except PrometheusError:  # it has only been started
        return False


def events_of(record: RunRecord, kind: str) -> list[Event]:
    return [event for event in record.events() if event.kind == kind]


def rolled_back(record: RunRecord) -> None:
    """By the guardrail, and proven to be as before."""
    (trip,) = events_of(record, "guardrail-trip")
    assert trip.subject == "error-ratio of checkout (new)"
    assert [event.detail["outcome"] for event in events_of(record, "release-end")] == ["rolled-back"]
    differences = {event.subject: event.detail["differences"] for event in events_of(record, "verify")}
    proofs = ("application and data after the rollback", "staging as before", "steady state")
    assert {name: differences.get(name) for name in proofs} == {name: [] for name in proofs}
    assert record.verdict()["status"] == "pass"


def failed(gateway: Gateway, record: RunRecord) -> float:
    """The share that failed of what was answered: clients felt nothing that the gateway did not do."""
    found = sum(count for (_, version, status), count in gateway.answers.items() if (version, status) == (CANARY, 500))
    samples = record.samples()
    assert samples.failed_error[samples.function == "checkout"].sum() == found > 0
    return found / sum(gateway.answers.values())


def test_guardrail_trips_by_prometheus_and_the_rollout_is_aborted(
    api: Api, gateway: Gateway, prometheus: str, tmp_path: Path
) -> None:
    gateway.fails = {CANARY: 0.5}
    file = staging_file(tmp_path, api, gateway.url, rollout_service(api), prometheus)
    own = {kind: api.get(kind, "checkout")["spec"] for kind in (ROLLOUT, HTTP_ROUTE)}
    steps = canary({"weight": "25%"}, {"bake": "15s"}, {"weight": "50%"}, {"bake": "2s"})
    release = release_file(tmp_path, steps, "26s", guardrails=[{**GUARDRAIL, "action": "rollback"}])
    record = drilled(tmp_path, release, file)
    rolled_back(record)
    assert [event.detail["weights"].get(CANARY, 0.0) for event in events_of(record, "route")] == [0.25, 0.0]
    assert 0.0 < failed(gateway, record) < 1 / 8  # a quarter of the requests for a while, and of those a half
    is_at_rest(attach(tmp_path / "state"))
    for rule in own[HTTP_ROUTE]["rules"][:2]:
        rule["backendRefs"][0]["weight"] = 10_000
    assert {kind: api.get(kind, "checkout")["spec"] for kind in own} == own


def test_blue_green_rollout_is_switched_back_by_its_guardrail(
    api: Api, gateway: Gateway, prometheus: str, tmp_path: Path
) -> None:
    gateway.fails = {CANARY: 0.5}
    file = staging_file(tmp_path, api, gateway.url, blue_green_service(api), prometheus)
    own = api.get(ROLLOUT, "checkout")["spec"]
    pods = {pod["metadata"]["uid"] for pod in api.pods("app=checkout")}
    blue_green = {"blue-green": {"preview": "1s", "hold": "12s"}}
    release = release_file(tmp_path, blue_green, "30s", guardrails=[{**GUARDRAIL, "action": "rollback"}])
    record = drilled(tmp_path, release, file)
    rolled_back(record)
    assert [event.detail["weights"].get(CANARY, 0.0) for event in events_of(record, "route")] == [1.0, 0.0]
    assert 0.0 < failed(gateway, record) < 1 / 2
    is_at_rest(attach(tmp_path / "state"))
    assert {pod["metadata"]["uid"] for pod in api.pods("app=checkout")} == pods  # none had to start for the way back
    assert api.get(ROLLOUT, "checkout")["spec"] == own


def test_copies_and_cohorts_go_where_the_route_says(
    api: Api, gateway: Gateway, prometheus: str, tmp_path: Path
) -> None:
    file = staging_file(tmp_path, api, gateway.url, deployments_service(api), prometheus)
    steps = canary({"mirror": "50%"}, {"bake": "5s"}, {"mirror": "0%"}, {"cohort": "coupon"}, {"bake": "5s"})
    release = release_file(tmp_path, steps, "32s", guardrails=[{**GUARDRAIL, "action": "rollback"}])
    own = api.get(HTTP_ROUTE, "checkout")["spec"]
    record = drilled(tmp_path, release, file)
    assert [event.detail["share"] for event in events_of(record, "mirror")] == [0.5, 0.0]
    assert not events_of(record, "guardrail-trip")
    assert [event.detail["outcome"] for event in events_of(record, "release-end")] == ["promoted"]
    assert sum(gateway.copies.values()) > 20
    assert {status for _, _, status in gateway.answers} == {200}
    # in one generation of the route, until all requests went to the new version, each went where its cohort's go
    apart = {("coupon", CANARY), ("default", STABLE)}
    (answers,) = (each for each in gateway.by_generation.values() if set(each) == apart)
    assert min(answers.values()) > 20
    for rule in own["rules"][:2]:
        rule["backendRefs"][0]["weight"] = 10_000
    assert api.get(HTTP_ROUTE, "checkout")["spec"] == own
    is_at_rest(attach(tmp_path / "state"))
