"""Who waits in a queue when a fault ends is answered if that is soon enough: flows beside requests."""

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 100.0, 65)
CELLS, RATE, SLOW_S = 120, 100.0, 40.0
Plane = DataPlane | FluidPlane


def late(kind: type[Plane], patience_s: float, *, more_replicas: bool = False) -> int:
    """Requests that time out: for 40 s all workers wait for answers that take 0.9 s, so that three times too many come.

    Then they take 30 ms again, or the shop gets eight times as many replicas.
    """
    stations = (
        Station("shop", 32, Distribution(Kind.CONSTANT, 0.005), replicas=(8,)),
        Station("pay", 64, Distribution(Kind.CONSTANT, 0.03)),
    )
    function = Function("buy", ((0.0, RATE), (CELLS - 25.0, 0.0)), Node(0, (Node(1),)), timeout_s=patience_s)
    plane = kind(Network(stations, (Call(CLIENT, 0), Call(0, 1)), (function,), 1.0, CELLS, EDGES_S), 3)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0])
    plane.run(10.0)
    plane.set_latency(1, 0.87)
    plane.run(10.0 + SLOW_S)
    if more_replicas:
        plane.set_ready(0, 0, range(8))
    else:
        plane.set_latency(1, 0.0)
    plane.run(float(CELLS))
    client = plane.recording().client[:, 0, 0]
    assert client[:, ERROR:].sum() == client[:, ARRIVED].sum()
    assert (client[:, ERROR:] >= 0).all()
    return int(client[:, ERROR:FIRST_BIN].sum())


@pytest.mark.parametrize("patience_s", [2.0, 5.0, 10.0, 20.0])
def test_only_those_time_out_whom_the_end_of_a_fault_comes_too_late_for(patience_s: float) -> None:
    requests, flows = late(DataPlane, patience_s), late(FluidPlane, patience_s)
    assert requests > 1000
    assert flows == pytest.approx(requests, rel=0.05)


def test_none_times_out_that_the_end_of_a_fault_finds_waiting_within_its_patience() -> None:
    assert late(DataPlane, 45.0) == late(FluidPlane, 45.0) == 0


def test_replicas_that_come_take_nothing_from_the_queues_of_others() -> None:
    requests, flows = (late(kind, 20.0, more_replicas=True) for kind in (DataPlane, FluidPlane))
    assert flows == pytest.approx(requests, rel=0.05)
