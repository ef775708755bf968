"""Faults of a database on the real staging: in force, felt by the customer, and gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import errors

from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.safety.guard import Guard, guarded
from chaos.safety.undo import undo_entry
from chaos.staging.embedded import Staging
from scenarios.models import Fault
from tests.e2e.drills import PATIENCE_S, wait_for

pytestmark = pytest.mark.e2e

CONTEXT = PlanContext("drill-databases", "checkout", "2.3", "2.4")
COLUMN = {"of": "orders", "table": "orders", "column": "amount"}


@pytest.fixture(scope="module")
def guard(staging_session: Staging) -> Iterator[Guard]:
    """One for all: each test heals what it injects, and leaving heals what a failed one left."""
    staging = staging_session
    with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-databases", deadline_s=180.0) as guard:
        yield guard


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


def order(staging: Staging, timeout_s: float = 5.0) -> int | None:
    try:
        body = {"order_id": uuid.uuid4().hex, "amount": 1}
        return httpx.post(f"{staging.edge_url()}/checkout", json=body, timeout=timeout_s, trust_env=False).status_code
    except httpx.TransportError:
        return None


@pytest.mark.parametrize(
    ("effect", "rung"),
    [
        ({"read_only": {"of": "orders"}}, "reset setting"),
        ({"lock": {"of": "orders", "table": "orders"}}, "unlock"),
        ({"corrupted_migration": COLUMN}, "rename back"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_orders_fail_until_it_is_undone(
    guard: Guard, staging_session: Staging, effect: dict[str, Any], rung: str
) -> None:
    staging, facts = staging_session, staging_session.data.facts()
    assert order(staging) == 201
    entry = guard.inject(fault(**effect), CONTEXT)
    assert order(staging, 1.0) != 201
    assert guard.heal(entry).rung == rung
    assert order(staging) == 201
    assert staging.data.facts() == facts


def refused(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except errors.OperationalError as error:
        return "remaining connection slots are reserved" in str(error)
    return False


def test_a_database_with_no_connections_left_takes_none_until_they_are_given_back(
    guard: Guard, staging_session: Staging
) -> None:
    dsn, facts = staging_session.clients_dsn(), staging_session.data.facts()
    entry = guard.inject(fault(exhaustion={"of": "orders"}), CONTEXT)
    # what others give back is taken within moments
    wait_for(lambda: refused(dsn), PATIENCE_S, "a connection is refused")
    # others' faults are still put in force, confirmed and undone meanwhile, and facts are read
    assert guard.heal(guard.inject(fault(read_only={"of": "orders"}), CONTEXT)).rung == "reset setting"
    assert staging_session.data.facts() == facts
    assert guard.heal(entry).rung == "give back"
    psycopg.connect(dsn).close()
    assert order(staging_session) == 201


def test_half_an_apply_is_undone_from_the_entry_alone(guard: Guard, staging_session: Staging) -> None:
    surface = EmbeddedSurface(staging_session)
    for effect in ({"lock": {"of": "orders", "table": "orders"}}, {"corrupted_migration": COLUMN}):
        one = fault(**effect)
        entry = FAULTS[one.kind].plan(surface, one, CONTEXT)
        assert undo_entry(surface, entry).rung == "nothing was left"
        FAULTS[one.kind].apply(surface, entry)  # and never confirmed
        assert undo_entry(surface, entry).rung != "nothing was left"
        assert FAULTS[one.kind].residue(surface, entry) is None
