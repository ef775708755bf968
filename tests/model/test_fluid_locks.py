"""Statements held up by a lock that ends between two attempts of a call, as flows and beside requests."""

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ARRIVED, ERROR, REFUSED
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

BEGINS_S, STEP_S = 10.0, 0.05


def failed(kind: type[DataPlane] | type[FluidPlane], made: Network, lock_s: float, seed: int) -> float:
    """The clients' failed requests per request of a second, around a lock of the store."""
    plane = kind(made, seed)
    store = len(made.stations) - 1
    for station in range(store + 1):
        plane.set_ready(station, 0, [0])
    plane.run(BEGINS_S)
    for step in range(round(lock_s / STEP_S)):
        plane.set_defects(store, 0, [Defect(held_s=lock_s - step * STEP_S)])
        plane.run(BEGINS_S + (step + 1) * STEP_S)
    plane.set_defects(store, 0, [])
    plane.run(made.horizon_s)
    client = plane.recording().client[:, 0, 0].sum(axis=0)
    return float(client[ERROR : REFUSED + 1].sum() / client[ARRIVED] * made.horizon_s)


@pytest.mark.parametrize(
    ("lock_s", "timeout_s", "retries", "connections"), [(3.0, 1.0, 1, 1024), (3.0, 0.5, 2, 1024), (3.0, 1.0, 1, 128)]
)
def test_a_lock_ends_between_two_attempts(lock_s: float, timeout_s: float, retries: int, connections: int) -> None:
    stations = (
        Station("shop", 4096, Distribution(Kind.EXPONENTIAL, 0.005)),
        Station("orders", connections, Distribution(Kind.EXPONENTIAL, 0.02)),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=timeout_s, retries=retries, backoff_s=0.1))
    functions = (Function("buy", ((0.0, 200.0),), Node(0, (Node(1),)), timeout_s=20.0),)
    made = Network(stations, calls, functions, 0.25, 120, np.geomspace(1e-3, 10.0, 33))
    seeds = range(1, 9)
    requests, flows = ([failed(kind, made, lock_s, seed) for seed in seeds] for kind in (DataPlane, FluidPlane))
    print(lock_s, timeout_s, retries, connections, np.mean(requests), np.mean(flows), np.std(requests), np.std(flows))
    assert np.mean(flows) == pytest.approx(np.mean(requests), rel=0.05, abs=0.01)


@pytest.mark.parametrize("lock_s", [1.5, 3.0])
def test_a_lock_ends_between_two_attempts_of_the_caller_s_caller(lock_s: float) -> None:
    """What waits for the lock is not tried again, but what calls that is: it fails if both come too early."""
    stations = (
        Station("edge", 4096, Distribution(Kind.EXPONENTIAL, 0.002)),
        Station("shop", 4096, Distribution(Kind.EXPONENTIAL, 0.005)),
        Station("orders", 1024, Distribution(Kind.EXPONENTIAL, 0.02)),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, retries=1, backoff_s=0.1), Call(1, 2, timeout_s=1.0))
    functions = (Function("buy", ((0.0, 200.0),), Node(0, (Node(1, (Node(2),)),)), timeout_s=20.0),)
    made = Network(stations, calls, functions, 0.25, 120, np.geomspace(1e-3, 10.0, 33))
    requests, flows = (
        np.mean([failed(kind, made, lock_s, seed) for seed in (1, 2, 3)]) for kind in (DataPlane, FluidPlane)
    )
    assert flows == pytest.approx(requests, rel=0.1, abs=0.1)
    assert requests == pytest.approx(max(0.0, lock_s - 2.1), abs=0.15)
