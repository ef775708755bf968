"""Faults that the simulator does not have are refused by path, with the reason; an outage it has."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.loading import load
from scenarios.models import Fault, Scenario
from simulator.errors import RequestError
from simulator.unmodelled import require_modelled

LINK = {"on": "checkout -> payments"}


def scenario(**effect: Any) -> Scenario:
    return load("shop-release")[0].model_copy(
        update={"faults": [Fault.model_validate({"at": "12s", "for": "6s", **effect})]}
    )


@pytest.mark.parametrize(
    ("effect", "path"),
    [
        ({"bandwidth": {**LINK, "rate": "10kB/s"}}, "faults[0].bandwidth: requests and answers have no size"),
        ({"timeout": LINK}, "faults[0].timeout: connections are not followed"),
        ({"reset": LINK}, "faults[0].reset: connections are not followed"),
        ({"slicer": {**LINK, "size": "10B"}}, "faults[0].slicer: "),
        ({"limit_data": {**LINK, "size": "10B"}}, "faults[0].limit_data: "),
        ({"slow_close": {**LINK, "delay": "1s"}}, "faults[0].slow_close: "),
        ({"latency": {**LINK, "add": "1s", "direction": "requests"}}, "faults[0].latency.direction: requests: "),
        ({"latency": {**LINK, "add": "1s", "connections": "5%"}}, "faults[0].latency.connections: 0.05: "),
        ({"packets": {**LINK, "loss": "5%"}}, "faults[0].packets: neither packets nor their retransmission"),
        ({"pause": {"of": "checkout"}}, "faults[0].pause: "),
        ({"crash_loop": {"of": "checkout", "every": "1s"}}, "faults[0].crash_loop: "),
        ({"slow_start": {"of": "checkout", "add": "1s"}}, "faults[0].slow_start: "),
        ({"configuration": {"of": "checkout", "workers": 1}}, "faults[0].configuration: "),
        ({"quota": {"of": "payments", "rate": "1/s"}}, "faults[0].quota: "),
        ({"delay": {"on": "checkout", "add": "1s"}}, "faults[0].delay: "),
        ({"error": {"on": "checkout", "share": "5%", "cohort": "coupon"}}, "faults[0].error.cohort: coupon: "),
        ({"cpu": {"of": "checkout", "share": "20%"}}, "faults[0].cpu: "),
        ({"memory": {"of": "checkout", "left": "8MB"}}, "faults[0].memory: "),
        ({"descriptors": {"of": "checkout"}}, "faults[0].descriptors: "),
        ({"disk": {"of": "checkout", "left": "1kB"}}, "faults[0].disk: "),
        ({"exhaustion": {"of": "orders"}}, "faults[0].exhaustion: "),
        ({"lock": {"of": "orders", "table": "orders"}}, "faults[0].lock: "),
        ({"read_only": {"of": "orders"}}, "faults[0].read_only: "),
        (
            {"corrupted_migration": {"of": "orders", "table": "orders", "column": "amount"}},
            "faults[0].corrupted_migration: ",
        ),
        ({"outage": {"of": "payments", "silent": True}}, "faults[0].outage.silent: "),
    ],
)
def test_what_is_not_modelled_is_refused_by_path(effect: dict[str, Any], path: str) -> None:
    with pytest.raises(RequestError, match="cannot be simulated, only drilled") as refused:
        require_modelled(scenario(**effect))
    assert path in str(refused.value)


def test_what_is_modelled_passes() -> None:
    require_modelled(scenario(outage={"of": "payments"}))
    require_modelled(scenario(latency={**LINK, "add": "1s"}))


def test_an_operator_s_own_procedure_is_refused() -> None:
    plain, _ = load("shop-release")
    release = plain.release.model_copy(update={"rollback": ["procedure", "verify"]})
    with pytest.raises(RequestError, match=r"release.rollback\[0\]: procedure: only its author knows"):
        require_modelled(plain.model_copy(update={"release": release}))
