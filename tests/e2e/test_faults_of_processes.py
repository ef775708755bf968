"""Faults of processes, their start, configuration and reach on the real staging: in force, felt, and gone."""

from __future__ import annotations

import resource
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psutil
import pytest

from chaos.errors import NotSettled
from chaos.faults.agents import starting
from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.errors import FaultRefused
from chaos.faults.registry import FAULTS
from chaos.safety.guard import Guard, guarded
from chaos.safety.undo import undo_entry
from chaos.staging import room
from chaos.staging.embedded import Staging
from scenarios.models import Fault
from tests.e2e.drills import until

pytestmark = pytest.mark.e2e

CONTEXT = PlanContext("drill-processes", "checkout", "2.3", "2.4")


@pytest.fixture(scope="module")
def guard(staging_session: Staging) -> Iterator[Guard]:
    """One for all: each test heals what it injects, and leaving heals what a failed one left."""
    staging = staging_session
    with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-processes", deadline_s=180.0) as guard:
        yield guard


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


def order(staging: Staging, timeout_s: float = 10.0) -> int | None:
    try:
        body = {"order_id": uuid.uuid4().hex, "amount": 1}
        return httpx.post(f"{staging.edge_url()}/checkout", json=body, timeout=timeout_s, trust_env=False).status_code
    except httpx.TransportError:
        return None


def timed(staging: Staging) -> float:
    began_s = time.monotonic()
    order(staging)
    return time.monotonic() - began_s


def test_a_paused_replica_keeps_its_pid_and_serves_again(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    before = staging.running("payments")
    entry = guard.inject(fault(pause={"of": "payments", "replicas": len(before)}), CONTEXT)
    assert {psutil.Process(each.process.pid).status() for each in before} == {psutil.STATUS_STOPPED}
    assert order(staging, 0.5) != 201
    assert guard.heal(entry).rung == "continue"
    assert staging.running("payments") == before
    until(lambda: order(staging) == 201)


def test_replicas_crash_until_the_undo_ends_the_loop(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    first = max(each.index for each in staging.running("payments"))
    entry = guard.inject(fault(crash_loop={"of": "payments", "every": "100ms"}), CONTEXT)
    # each that is started has a number of its own: one of them died and was started again
    until(lambda: max((each.index for each in staging.running("payments")), default=0) > first + 1)
    assert guard.heal(entry).rung == "end the loop"
    assert starting.found(entry.id) == []
    left = staging.running("payments")
    assert len(left) == staging.config.services["payments"].replicas
    assert order(staging) == 201


def test_half_an_apply_of_an_agent_is_undone_from_the_entry_alone(guard: Guard, staging_session: Staging) -> None:
    surface = EmbeddedSurface(staging_session)
    entry = FAULTS["crash_loop"].plan(surface, fault(crash_loop={"of": "payments", "every": "1s"}), CONTEXT)
    assert undo_entry(surface, entry).rung == "nothing was left"
    FAULTS["crash_loop"].apply(surface, entry)  # and never confirmed
    assert undo_entry(surface, entry).rung == "end the loop"
    assert FAULTS["crash_loop"].residue(surface, entry) is None


def test_a_replica_that_starts_slowly_is_ready_later_and_at_once_after_the_undo(
    guard: Guard, staging_session: Staging
) -> None:
    staging = staging_session
    entry = guard.inject(fault(slow_start={"of": "catalogue", "add": "60s"}), CONTEXT)
    staging.kill("catalogue", None, 1)
    with pytest.raises(Exception, match="must be 1 within"):
        staging.deploy("catalogue", "1.0", 1, timeout_s=2.5)
    guard.heal(entry)
    staging.deploy("catalogue", "1.0", 1)


def test_a_wrong_configuration_reaches_every_replica(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    assert order(staging) == 201
    entry = guard.inject(fault(configuration={"of": "checkout", "timeout": "10us", "workers": 1}), CONTEXT)
    assert order(staging) in (502, 504)
    assert guard.heal(entry).rung == "take back"
    assert staging.conditions.of("checkout") == {}
    assert order(staging) == 201


def test_a_quota_lets_so_many_through(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    entry = guard.inject(fault(quota={"of": "payments", "rate": "1/s"}), CONTEXT)
    answers = [order(staging) for _ in range(8)]
    guard.heal(entry)
    assert 201 in answers
    assert 502 in answers
    assert [order(staging) for _ in range(3)] == [201] * 3


def test_a_zone_goes_out_and_what_starts_meanwhile_stands_elsewhere(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    both = {"2.3": {"a": 1, "b": 1}}
    assert staging.standing("checkout") == both
    entry = guard.inject(fault(zone={"of": "a"}), CONTEXT)
    assert staging.standing("checkout") == {"2.3": {"b": 1}}
    with pytest.raises(FaultRefused, match="zone a is out already"):
        guard.inject(fault(zone={"of": "a"}), CONTEXT)
    staging.deploy("checkout", "2.4", 1)
    assert staging.standing("checkout")["2.4"] == {"b": 1}
    staging.deploy("checkout", "2.4", 0)
    with pytest.raises(NotSettled, match=r"must be 1 within 0.5 s \(zones that are out: a\)"):
        staging.deploy("checkout", "2.4", 1, 0.5, ["a"])
    staging.deploy("checkout", "2.4", 0)
    EmbeddedSurface(staging).replace_lost()
    assert staging.standing("checkout") == {"2.3": {"b": 2}}
    assert guard.heal(entry).rung == "regain"
    assert staging.standing("checkout") == both
    assert order(staging) == 201


def test_less_cpu_is_felt_and_no_replica_is_left_stopped(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    entry = guard.inject(fault(cpu={"of": "payments", "share": "10%"}), CONTEXT)
    slow_s = [timed(staging) for _ in range(10)]
    assert guard.heal(entry).rung == "end throttling"
    assert starting.found(entry.id) == []
    assert psutil.STATUS_STOPPED not in {
        psutil.Process(each.process.pid).status() for each in staging.running("payments")
    }
    # a stop lasts 90 ms: without it no order takes so long for long
    assert max(slow_s) >= 0.04
    assert order(staging) == 201


def all_answered(port: int, connections: int) -> bool:
    """Whether a server answers on so many connections that are open at the same time."""
    with ExitStack() as stack:
        try:
            for _ in range(connections):
                each = stack.enter_context(socket.create_connection(("127.0.0.1", port), 0.5))
                each.sendall(b"GET /ready HTTP/1.1\r\nhost: shop\r\n\r\n")
                if not each.recv(12).startswith(b"HTTP/1.1 200"):
                    return False
        except OSError:
            return False
    return True


def test_limits_are_felt_by_the_process_and_lifted(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    pids = [each.process.pid for of in ("payments", "catalogue") for each in staging.running(of)]
    resources = (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)
    before = [resource.prlimit(pid, each) for pid in pids for each in resources]
    entries = [
        guard.inject(fault(**effect), CONTEXT)
        for effect in (
            {"memory": {"of": "payments", "left": "1MB"}},
            {"descriptors": {"of": "payments"}},
            {"disk": {"of": "catalogue", "left": "1B"}},
        )
    ]
    assert [resource.prlimit(pid, each) for pid in pids for each in resources] != before
    # a few descriptors may have been given back meanwhile: so many connections at once are more than those
    assert not all_answered(staging.running("payments")[0].port, 30)
    assert [guard.heal(entry).rung for entry in reversed(entries)] == ["give room", "lift limit", "lift limit"]
    assert [resource.prlimit(pid, each) for pid in pids for each in resources] == before
    until(lambda: order(staging) == 201)


def test_a_disk_is_full_for_payments_and_not_for_the_host(guard: Guard, staging_session: Staging) -> None:
    staging = staging_session
    folder = staging.disk("payments")
    assert folder is not None
    before = room.room_of(folder)
    if before is None:
        pytest.skip("payments have no disk of their own: it needs root")
    entry = guard.inject(fault(disk={"of": "payments", "left": "1B"}), CONTEXT)
    until(lambda: order(staging) == 502)  # what the ledger's files have room for already is still taken
    assert guard.heal(entry).rung == "give room"
    found = room.room_of(folder)
    assert found is not None
    assert found.total_bytes == before.total_bytes
    until(lambda: order(staging) == 201)


@pytest.mark.parametrize("silent", [False, True])
def test_a_third_party_is_out_of_reach(guard: Guard, staging_session: Staging, silent: bool) -> None:
    entry = guard.inject(fault(outage={"of": "payments", "silent": silent}), CONTEXT)
    assert order(staging_session, 0.5) != 201
    assert guard.heal(entry).rung == "open links"
    until(lambda: order(staging_session) == 201)
