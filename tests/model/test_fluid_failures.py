"""In the fluid plane a failure is the same one wherever it is counted: at the service, its callers and the client."""

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import Defect
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 10.0, 33)
CELLS = 120


def counted(
    own_error_ratio: float, retries: int, backoff_s: float = 0.0
) -> tuple[np.ndarray, dict[tuple[int, int], np.ndarray]]:
    """A shop that calls stock, of which a bad version has a tenth: the client's cells, and those of each version."""
    stations = (
        Station("shop", 8, Distribution(Kind.EXPONENTIAL, 0.005), replicas=(1, 1)),
        Station("stock", 8, Distribution(Kind.EXPONENTIAL, 0.002), replicas=(1, 1)),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, retries=retries, backoff_s=backoff_s))
    functions = (Function("buy", ((0.0, 60.0), (CELLS - 5.0, 0.0)), Node(0, (Node(1),))),)
    plane = FluidPlane(Network(stations, calls, functions, 1.0, CELLS, EDGES_S), 7)
    for service in range(2):
        for version in range(2):
            plane.set_ready(service, version, [0])
        plane.set_weights(service, (0.9, 0.1))
    plane.set_defects(0, 1, [Defect(error_ratio=own_error_ratio)])
    plane.set_defects(1, 1, [Defect(error_ratio=0.4)])
    plane.run(float(CELLS))
    recording = plane.recording()
    assert recording.unfinished.sum() == 0
    rows = recording.rows
    service = {
        (int(at), int(version)): recording.service[:, place]
        for place, (at, version) in enumerate(zip(rows.station, rows.version, strict=True))
    }
    return recording.client[:, 0, 0], service


def failed(cells: np.ndarray) -> int:
    return int(cells[:, ERROR : REFUSED + 1].sum())


def succeeded(cells: np.ndarray) -> int:
    return int(cells[:, FIRST_BIN:].sum())


def test_clients_fail_where_the_service_that_they_call_does() -> None:
    client, service = counted(own_error_ratio=0.2, retries=0)
    assert failed(client) > 100
    assert failed(service[0, 0]) + failed(service[0, 1]) == failed(client)
    assert succeeded(service[0, 0]) + succeeded(service[0, 1]) == succeeded(client)
    in_cells = client[:, ERROR] - service[0, 0][:, ERROR] - service[0, 1][:, ERROR]
    assert np.abs(in_cells).max() <= 1  # answers come a little later than requests


def test_callers_fail_by_their_own_errors_and_those_of_their_calls() -> None:
    client, service = counted(own_error_ratio=0.2, retries=0)
    own = failed(client) - failed(service[1, 1])
    assert failed(service[1, 0]) == 0
    arrived = int(client[:, ARRIVED].sum())
    assert own == pytest.approx(0.1 * 0.2 * arrived, abs=5 * np.sqrt(0.02 * arrived))
    called = succeeded(service[1, 0]) + succeeded(service[1, 1]) + failed(service[1, 1])
    assert called == arrived - own


@pytest.mark.parametrize("backoff_s", [0.0, 0.05])
def test_all_attempts_of_a_lost_call_fail_and_those_of_a_saved_one_but_the_last(backoff_s: float) -> None:
    client, service = counted(own_error_ratio=0.0, retries=1, backoff_s=backoff_s)
    lost, attempts = failed(client), failed(service[1, 1])
    assert succeeded(service[1, 0]) + succeeded(service[1, 1]) == succeeded(client)
    saved = attempts - 2 * lost
    # An attempt comes to the bad version and fails with 0.04.
    arrived = int(client[:, ARRIVED].sum())
    assert saved == pytest.approx(0.04 * 0.96 * arrived, abs=5 * np.sqrt(0.04 * arrived))
    assert 0 < lost < 5 * 0.04**2 * arrived
