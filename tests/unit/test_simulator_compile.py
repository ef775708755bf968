"""From scenario to network: who calls whom, what carries over, and the names of the numbers."""

import math

import pytest

from scenarios.loading import load_text
from scenarios.models import Scenario
from simulator.compile import compile_scenario
from simulator.errors import RequestError
from simulator.network import CLIENT, UNBOUNDED, Kind, Node

TEXT = """
schema: windtunnel/v1
name: tree
sources: [test]
duration: 10.1s
measure: {resolution: 250ms, window: 1s, consecutive: 4}
system:
  services:
    edge: {service_time: 1ms, workers: 3}
    shop: {replicas: 3, queue: 5, holds_worker: false, service_time: {lognormal: {median: 10ms, p95: 30ms}}}
    bank: {external: true, service_time: {uniform: {low: 1ms, high: 3ms}}}
    mail: {service_time: {exponential: {mean: 4ms}}}
  stores:
    orders: {connections: 7, service_time: 2ms}
  calls:
    - {from: edge, to: mail}
    - {from: edge, to: shop, timeout: 900ms}
    - {from: shop, to: bank, timeout: 500ms, retries: 2, backoff: {base: 20ms, jitter: none}}
    - {from: shop, to: orders, writes: 1}
    - {from: bank, to: mail, retries: 1, backoff: {base: 5ms}}
functions:
  buy:
    path: [edge, shop]
    rate: 30/s
    rto: 1m
    rpo: 0s
    timeout: 7s
    good: {success: ">= 99%"}
    cohorts: {coupon: 20%, staff: 5%}
  look: {path: [edge], rate: 5/s, rto: 1m, rpo: 0s, good: {success: ">= 99%", p99: "<= 123ms"}, cohorts: {staff: 50%}}
release:
  at: 1s
  changes: [{service: shop, from: a, to: b}]
  strategy: {recreate: {}}
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_text(TEXT, "tree")


def named(compiled, node: Node) -> object:
    """A call tree with the names of its callees."""
    names = (*compiled.services, *compiled.stores)
    callee = names[compiled.network.calls[node.call].callee]
    return {callee: [named(compiled, child) for child in node.children]} if node.children else callee


def test_each_service_of_the_path_calls_the_next_one_only(scenario: Scenario) -> None:
    compiled = compile_scenario(scenario)
    buy, look = compiled.network.functions
    below_shop = {"shop": [{"bank": ["mail"]}, "orders"]}
    assert named(compiled, buy.root) == {"edge": [below_shop]}
    assert named(compiled, look.root) == {"edge": ["mail", below_shop]}


def test_stations_carry_the_scenarios_numbers(scenario: Scenario) -> None:
    compiled = compile_scenario(scenario)
    edge, shop, bank, mail, orders = compiled.network.stations
    assert (edge.workers, edge.queue, edge.replicas, edge.service.kind) == (3, UNBOUNDED, (1,), Kind.CONSTANT)
    assert (shop.queue, shop.holds_worker, shop.replicas) == (5, False, (3, 3))
    assert (shop.service.kind, shop.service.p0) == (Kind.LOGNORMAL, math.log(0.010))
    assert (bank.service.kind, bank.service.p0, bank.service.p1) == (Kind.UNIFORM, 0.001, 0.003)
    assert (mail.service.kind, mail.service.p0) == (Kind.EXPONENTIAL, 0.004)
    assert (orders.workers, orders.queue, orders.replicas) == (7, UNBOUNDED, (1,))
    assert compiled.versions == {"edge": ("",), "shop": ("a", "b"), "bank": ("",), "mail": ("",)}


def test_calls_carry_timeouts_retries_and_backoff(scenario: Scenario) -> None:
    compiled = compile_scenario(scenario)
    calls = {link: compiled.network.calls[place] for link, place in compiled.links.items()}
    assert next(iter(calls)) == ("client", "edge")
    assert calls["client", "edge"].caller == CLIENT
    assert calls["edge", "mail"].timeout_s == math.inf
    bank = calls["shop", "bank"]
    assert (bank.timeout_s, bank.retries, bank.backoff_s, bank.jitter) == (0.5, 2, 0.02, False)
    assert calls["bank", "mail"].jitter
    assert [link for link, call in calls.items() if call.writes] == [("shop", "orders")]


def test_cohorts_are_those_of_all_functions(scenario: Scenario) -> None:
    compiled = compile_scenario(scenario)
    assert compiled.cohorts == ("coupon", "staff", "default")
    buy, look = compiled.network.functions
    assert buy.cohort_shares == pytest.approx((0.2, 0.05, 0.75))
    assert look.cohort_shares == pytest.approx((0.0, 0.5, 0.5))


def test_traffic_ends_with_the_load_and_is_awaited_for_the_clients_patience(scenario: Scenario) -> None:
    compiled = compile_scenario(scenario)
    assert [function.rates for function in compiled.network.functions] == [
        ((0.0, 30.0), (10.1, 0.0)),
        ((0.0, 5.0), (10.1, 0.0)),
    ]
    # 10.1 s are 41 cells of 250 ms; the patient client waits for 7 s, and one more is allowed.
    assert compiled.network.cells == 41 + 32
    assert [function.timeout_s for function in compiled.network.functions] == [7.0, math.inf]


def test_a_threshold_of_the_scenario_is_an_edge(scenario: Scenario) -> None:
    assert 0.123 in compile_scenario(scenario).network.edges_s


def test_nodes_are_numbered_as_the_data_plane_does(scenario: Scenario) -> None:
    from simulator.kernel.plane import DataPlane

    compiled = compile_scenario(scenario)
    nodes = DataPlane(compiled.network, seed=1).state.nodes
    assert compiled.node_stations() == nodes["station"].tolist()
    assert compiled.node_functions() == nodes["function"].tolist()


def test_tables_that_no_memory_holds_are_refused_with_what_helps() -> None:
    patient = load_text(TEXT.replace("timeout: 7s", "timeout: 366d"), "f.yaml")
    with pytest.raises(RequestError, match=r"tables of a replication.* must be at most 4 GB: a coarser"):
        compile_scenario(patient)
