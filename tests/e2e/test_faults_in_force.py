"""Each fault on the real staging: measured to be in force, and measured to be gone after its undo."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from statistics import median
from typing import Any

import httpx
import psutil
import pytest

from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.safety.guard import Guard, guarded
from chaos.safety.targets import preflight
from chaos.staging.embedded import Staging
from chaos.staging.ports import LOOPBACK
from scenarios.models import Fault
from tests.e2e.drills import runs, until

pytestmark = pytest.mark.e2e

CONTEXT = PlanContext("drill-e2e", "checkout", "2.3", "2.4")
ORDERS = 12


class Shop:
    """A customer, one order after the other."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def order(self) -> tuple[int | None, float]:
        """Status (None: the connection was refused or broken) and seconds."""
        started = time.perf_counter()
        try:
            order = {"order_id": uuid.uuid4().hex, "amount": 1}
            status = self._client.post("/checkout", json=order).status_code
        except httpx.TransportError:
            status = None
        return status, time.perf_counter() - started

    def orders(self, count: int = ORDERS) -> list[tuple[int | None, float]]:
        return [self.order() for _ in range(count)]

    def statuses(self, count: int = ORDERS) -> list[int | None]:
        return [status for status, _ in self.orders(count)]

    def median_s(self) -> float:
        return median(seconds for _, seconds in self.orders())


@pytest.fixture
def shop(staging: Staging) -> Iterator[Shop]:
    with httpx.Client(base_url=staging.edge_url(), timeout=10.0, trust_env=False) as client:
        yield Shop(client)


@pytest.fixture
def guard(staging: Staging) -> Iterator[Guard]:
    surface = EmbeddedSurface(staging)
    with guarded(surface, staging.state_dir, "drill-e2e", deadline_s=120.0) as guard:
        yield guard


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


def test_the_gate_lets_this_staging_through(staging: Staging) -> None:
    assert preflight(staging.edge_url(), staging.token()).addresses == ("127.0.0.1",)


def test_latency_is_measured_by_the_customer(guard: Guard, shop: Shop) -> None:
    before_s = shop.median_s()
    entry = guard.inject(fault(latency={"on": "checkout -> payments", "add": "300ms"}), CONTEXT)
    during = shop.orders()
    assert guard.heal(entry).rung == "remove toxic"
    assert {status for status, _ in during} == {201}
    # a lower bound holds on any machine: no answer is faster than the delay that was put on it
    assert min(seconds for _, seconds in during) >= 0.300
    assert shop.median_s() < 0.300 + before_s


def test_a_cut_refuses_the_customer(guard: Guard, shop: Shop) -> None:
    assert shop.statuses(3) == [201] * 3
    entry = guard.inject(fault(cut={"on": "client -> edge"}), CONTEXT)
    assert shop.statuses(3) == [None] * 3
    port = int(entry.undo["listen"].rpartition(":")[2])
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, port))  # the undo needs it
    assert guard.heal(entry).rung == "enable proxy"
    assert shop.statuses(3) == [201] * 3


def test_a_cut_inside_breaks_open_connections_too(guard: Guard, shop: Shop) -> None:
    assert shop.statuses(3) == [201] * 3
    entry = guard.inject(fault(cut={"on": "edge -> checkout"}), CONTEXT)
    assert shop.statuses(3) == [502] * 3
    guard.heal(entry)
    assert shop.statuses(3) == [201] * 3


def test_an_error_share_fails_that_share(guard: Guard, shop: Shop) -> None:
    entry = guard.inject(fault(error={"on": "edge", "share": "50%"}), CONTEXT)
    during = shop.statuses(100)
    assert set(during) == {201, 503}
    # 100 draws at 50 %: 6 standard errors either way
    assert 20 <= during.count(503) <= 80
    assert guard.heal(entry).rung == "clear share"
    assert shop.statuses(20) == [201] * 20


def test_a_delay_of_one_cohort_leaves_the_others_alone(guard: Guard, staging: Staging) -> None:
    (cohort, *_) = staging.config.cohorts
    entry = guard.inject(fault(delay={"on": "catalogue", "add": "300ms", "cohort": cohort}), CONTEXT)
    entries = [entry, guard.inject(fault(error={"on": "edge", "share": "100%", "cohort": cohort}), CONTEXT)]
    url = f"http://127.0.0.1:{staging.state().ports['listen:catalogue']}/catalogue"
    theirs = httpx.get(url, headers={"x-cohort": cohort}, trust_env=False)
    assert (theirs.status_code, theirs.elapsed.total_seconds() >= 0.3) == (200, True)
    # a busy machine may be as late by itself, but not each time
    assert min(httpx.get(url, trust_env=False).elapsed.total_seconds() for _ in range(10)) < 0.3
    edge = f"{staging.edge_url()}/catalogue"
    assert httpx.get(edge, headers={"x-cohort": cohort}, trust_env=False).status_code == 503
    assert httpx.get(edge, trust_env=False).status_code == 200
    assert [guard.heal(entry).rung for entry in reversed(entries)] == ["clear share", "clear delay"]
    assert httpx.get(edge, headers={"x-cohort": cohort}, trust_env=False).status_code == 200
    # a share is felt as well, and not by each
    guard.heal(guard.inject(fault(delay={"on": "catalogue", "add": "20ms", "share": "30%"}), CONTEXT))


def test_a_kill_leaves_no_process_and_its_undo_brings_one_back(guard: Guard, shop: Shop, staging: Staging) -> None:
    before = {replica.process.pid for replica in staging.running("payments")}
    entry = guard.inject(fault(kill={"of": "payments", "replicas": len(before)}), CONTEXT)
    assert staging.replicas("payments") == {}
    assert not any(runs(pid) for pid in before)
    assert set(shop.statuses(3)).isdisjoint({201})
    assert guard.heal(entry).rung == "restore replicas"
    assert len(staging.running("payments")) == len(before)
    until(lambda: shop.order()[0] == 201)


def test_a_dead_toxiproxy_is_started_again_with_its_proxies(guard: Guard, shop: Shop, staging: Staging) -> None:
    before = staging.toxiproxy.proxies()
    entry = guard.inject(fault(latency={"on": "checkout -> payments", "add": "100ms"}), CONTEXT)
    psutil.Process(staging.state().components["toxiproxy"].pid).kill()
    until(lambda: shop.order()[0] is None)
    result = guard.heal(entry)
    assert result.rung == "restart Toxiproxy"
    assert [failure.split(":")[0] for failure in result.failures][::2] == ["remove toxic", "recreate proxy"]
    assert staging.toxiproxy.proxies() == before
    until(lambda: shop.order()[0] == 201)


def test_a_release_that_was_left_halfway_is_taken_back(guard: Guard, shop: Shop, staging: Staging) -> None:
    before = (staging.replicas("checkout"), staging.routes("checkout"))
    guard.protect_release("checkout")
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.3": 0.0, "2.4": 1.0})
    guard.inject(fault(kill={"of": "checkout", "version": "old"}), CONTEXT)
    report = guard.heal_all()
    assert report.clean
    assert [result.kind for result in report.results] == ["kill", "release"]
    assert (staging.replicas("checkout"), staging.routes("checkout")) == before
    assert shop.statuses(5) == [201] * 5
