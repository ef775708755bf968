"""Requests that are being tried again when a service is back have it at their next attempt: flows beside requests."""

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, RetryBudget, Station

EDGES_S = np.geomspace(1e-3, 10.0, 65)
CELLS, RESOLUTION_S = 400, 0.5
RATE, OUTAGES, OUTAGE_S = 60.0, 15, 2.0
SHOP, STOCK = range(2)


def clients(
    kind: type[DataPlane] | type[FluidPlane], *, retries: int, jitter: bool = False, budget: RetryBudget | None = None
) -> np.ndarray:
    """The clients' cells; stock has no replica for 2 s, again and again, and the shop tries at most for 1.5 s."""
    stations = (
        Station("shop", 256, Distribution(Kind.CONSTANT, 0.002)),
        Station("stock", 16, Distribution(Kind.EXPONENTIAL, 0.005)),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=retries, backoff_s=0.5, jitter=jitter, budget=budget))
    functions = (Function("buy", ((0.0, RATE), (195.0, 0.0)), Node(0, (Node(1),))),)
    plane = kind(Network(stations, calls, functions, RESOLUTION_S, CELLS, EDGES_S), 5)
    plane.set_ready(SHOP, 0, [0])
    plane.set_ready(STOCK, 0, [0])
    for outage in range(OUTAGES):
        begins_s = 10.1 + 12.0 * outage
        for at_s, replicas in ((begins_s, []), (begins_s + OUTAGE_S, [0])):
            plane.run(at_s)
            plane.set_ready(STOCK, 0, replicas)
    plane.run(CELLS * RESOLUTION_S)
    recording = plane.recording()
    assert recording.unfinished.sum() == 0
    return recording.client[:, 0, 0]


def failed(cells: np.ndarray) -> int:
    return int(cells[:, ERROR:FIRST_BIN].sum())


def test_only_those_fail_whose_last_attempt_comes_before_the_end() -> None:
    """Of 2 s those of the first 0.5 s: their third attempt comes 1.5 s later."""
    cells = clients(FluidPlane, retries=2)
    expected = RATE * OUTAGES * (OUTAGE_S - 1.5)
    assert failed(cells) == pytest.approx(expected, abs=5 * np.sqrt(expected))
    assert (cells[:, ERROR:] >= 0).all()
    assert cells[:, ERROR:].sum() == cells[:, ARRIVED].sum()


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_fail_as_request_by_request(retries: int) -> None:
    flows, requests = (failed(clients(kind, retries=retries, jitter=True)) for kind in (FluidPlane, DataPlane))
    assert flows == pytest.approx(requests, rel=0.02, abs=5 * np.sqrt(flows + requests))
    assert requests < RATE * OUTAGES * OUTAGE_S * 1.1


def test_retries_that_a_budget_does_not_pay_save_nothing() -> None:
    flows, requests = (
        failed(clients(kind, retries=2, budget=RetryBudget(share=0.01, minimum_per_s=1.0)))
        for kind in (FluidPlane, DataPlane)
    )
    assert flows == pytest.approx(requests, rel=0.02, abs=5 * np.sqrt(flows + requests))
    assert requests > 0.75 * RATE * OUTAGES * OUTAGE_S
