"""Faults by toxics on the real staging: the harness feels each, the customer too, and nothing is left of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.faults.registry import FAULTS
from chaos.safety.guard import Guard, guarded
from chaos.staging.embedded import Staging
from scenarios.models import Fault

pytestmark = pytest.mark.e2e

CONTEXT = PlanContext("drill-network", "checkout", "2.3", "2.4")
EDGE = {"on": "client -> edge"}


@pytest.fixture(scope="module")
def guard(staging_session: Staging) -> Iterator[Guard]:
    """One for all: each test heals what it injects, and leaving heals what a failed one left."""
    staging = staging_session
    with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-network", deadline_s=120.0) as guard:
        yield guard


@pytest.fixture
def staging(staging_session: Staging) -> Staging:
    """As it is: nothing but faults is put on it."""
    return staging_session


def fault(**effect: Any) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", **effect})


def ask(staging: Staging, timeout_s: float = 10.0) -> tuple[int | str, float]:
    """Status, or why there is none, and seconds; on a connection of its own."""
    began_s = time.monotonic()
    try:
        answer: int | str = httpx.get(f"{staging.edge_url()}/catalogue", timeout=timeout_s, trust_env=False).status_code
    except httpx.TransportError as error:
        answer = type(error).__name__
    return answer, time.monotonic() - began_s


@pytest.mark.parametrize(
    ("effect", "answers", "least_s"),
    [
        ({"latency": {**EDGE, "add": "200ms", "direction": "requests"}}, {200}, 0.2),
        ({"bandwidth": {**EDGE, "rate": "1kB/s"}}, {200}, 0.1),
        ({"timeout": EDGE}, {"ReadTimeout"}, 0.5),
        ({"timeout": {**EDGE, "close_after": "100ms"}}, {"ReadError", "RemoteProtocolError"}, 0.1),
        ({"reset": EDGE}, {"ReadError"}, 0.0),
        ({"slicer": {**EDGE, "size": "40B", "delay": "30ms"}}, {200}, 0.06),
        ({"limit_data": {**EDGE, "size": "30B"}}, {"RemoteProtocolError", "ReadError"}, 0.0),
        ({"slow_close": {**EDGE, "delay": "300ms"}}, {200}, 0.0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_the_customer_feels_it_and_no_more_after_its_undo(
    guard: Guard, staging: Staging, effect: dict[str, Any], answers: set[int | str], least_s: float
) -> None:
    entry = guard.inject(fault(**effect), CONTEXT)
    answer, seconds = ask(staging, 0.5 if answers == {"ReadTimeout"} else 10.0)
    assert answer in answers
    assert seconds >= least_s
    # half an apply: the watchdog knows the journal alone, and undoing twice is as good as once
    assert guard.heal(entry).rung == "remove toxic"
    FAULTS[entry.kind].rungs[0].run(guard.surface, entry)
    assert FAULTS[entry.kind].residue(guard.surface, entry) is None
    assert ask(staging)[0] == 200


def test_a_share_of_the_connections_is_hit_and_the_others_are_not(guard: Guard, staging: Staging) -> None:
    entry = guard.inject(fault(reset={**EDGE, "connections": "50%"}), CONTEXT)
    answers = [ask(staging)[0] for _ in range(60)]
    guard.heal(entry)
    # 60 draws at 50 %: 5 standard errors either way
    assert 10 <= answers.count(200) <= 50
    assert set(answers) == {200, "ReadError"}


def test_the_database_does_not_answer(guard: Guard) -> None:
    # the guard raises unless the harness felt it
    guard.heal(guard.inject(fault(timeout={"on": "checkout -> orders", "direction": "requests"}), CONTEXT))
