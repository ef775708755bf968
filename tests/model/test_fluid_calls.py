"""Calls that start together, copies, and versions that misunderstand each other: flows beside requests."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.errors import NetworkError, RequestError
from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ERROR, FIRST_BIN, REFUSED, WRITE_INDETERMINATE, WRITE_OK
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 10.0, 65)
CELLS = 120
SHOP, STOCK, PRICE = range(3)
Plane = DataPlane | FluidPlane


def network(rate: float, *, parallel: bool = False) -> Network:
    """A shop in two versions calls stock, which it writes to and which has two versions as well, and then prices."""
    stations = (
        Station("shop", 32, Distribution(Kind.CONSTANT, 0.002), replicas=(1, 1)),
        Station("stock", 16, Distribution(Kind.EXPONENTIAL, 0.03), replicas=(1, 1)),
        Station("price", 16, Distribution(Kind.EXPONENTIAL, 0.03)),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, writes=True, retries=1), Call(SHOP, PRICE, parallel=parallel))
    functions = (Function("buy", ((0.0, rate), (CELLS - 5.0, 0.0)), Node(0, (Node(1), Node(2)))),)
    return Network(stations, calls, functions, 1.0, CELLS, EDGES_S)


def ready(plane: Plane) -> Plane:
    for service, station in enumerate(plane.network.stations):
        for version in range(len(station.replicas)):
            plane.set_ready(service, version, [0])
    return plane


def both(made: Network, apart: set[tuple[int, int]] = frozenset()) -> tuple[Plane, Plane]:
    return ready(DataPlane(made, 3)), ready(FluidPlane(made, 3, apart=apart))


def row(plane: Plane, station: int, version: int) -> np.ndarray:
    """A version's answers by column, in all."""
    recording = plane.recording()
    chosen = (recording.rows.station == station) & (recording.rows.version == version)
    return recording.service[:, chosen].sum(axis=(0, 1))


def failed(columns: np.ndarray) -> int:
    return int(columns[ERROR : REFUSED + 1].sum())


@pytest.mark.parametrize("parallel", [False, True])
def test_calls_that_start_together_last_as_long_as_the_slowest(parallel: bool) -> None:
    clients = []
    for plane in both(network(200.0, parallel=parallel)):
        plane.set_defects(PRICE, 0, [Defect(error_ratio=0.05)])
        plane.run(float(CELLS))
        clients.append(plane.recording().client.sum(axis=(0, 1, 2)))
    requests, flows = clients
    assert failed(flows) == pytest.approx(failed(requests), rel=0.1)
    shares = [np.cumsum(each[FIRST_BIN:]) / each[FIRST_BIN:].sum() for each in clients]
    assert np.max(np.abs(shares[0] - shares[1])) < 0.02
    mean_s = float(flows[FIRST_BIN:-1] @ EDGES_S) / flows[FIRST_BIN:].sum()
    assert mean_s == pytest.approx(0.002 + (0.045 if parallel else 0.06), rel=0.1)


def test_copies_load_whoever_they_reach_and_neither_answer_nor_write() -> None:
    made = network(200.0)
    plain, mirrored = (ready(FluidPlane(made, 3)) for _ in range(2))
    requests = ready(DataPlane(made, 3))
    for plane in (mirrored, requests):
        plane.set_mirror(SHOP, 1, 0.25)
        plane.set_defects(SHOP, 1, [Defect(error_ratio=0.1)])
    for plane in (plain, mirrored, requests):
        plane.run(float(CELLS))
    assert np.array_equal(plain.recording().client[..., :FIRST_BIN], mirrored.recording().client[..., :FIRST_BIN])
    written = [np.sum(plane.recording().write_counts) for plane in (plain, mirrored)]
    assert written[0] == written[1] > 0
    copies, expected = row(mirrored, SHOP, 1), row(requests, SHOP, 1)
    assert copies.sum() == pytest.approx(expected.sum(), rel=0.05)
    assert failed(copies) == pytest.approx(failed(expected), rel=0.15)
    assert row(mirrored, PRICE, 0).sum() == pytest.approx(row(requests, PRICE, 0).sum(), rel=0.02)
    with pytest.raises(NetworkError, match="share"):
        mirrored.set_mirror(SHOP, 1, 1.5)


def written(plane: Plane, outcome: int) -> int:
    """Writes of this outcome, by rows that each stand for as many as they say."""
    recording = plane.recording()
    chosen = recording.writes["outcome"] == outcome
    return int(chosen.sum() if recording.write_counts is None else recording.write_counts[chosen].sum())


def test_writes_whose_answers_the_way_delays_beyond_the_timeout_are_indeterminate() -> None:
    made = network(200.0)
    shop = replace(made.stations[SHOP], workers=500)  # nobody waits there for a worker that waits for an answer
    calls = (made.calls[0], replace(made.calls[1], timeout_s=0.3), made.calls[2])
    made = replace(made, stations=(shop, *made.stations[1:]), calls=calls)
    counts = []
    for plane in both(made):
        plane.run(40.0)
        plane.set_latency(1, 0.26)
        plane.run(80.0)
        plane.set_latency(1, 0.0)
        plane.run(float(CELLS))
        counts.append([written(plane, outcome) for outcome in (WRITE_OK, WRITE_INDETERMINATE)])
    # 8,000 requests come meanwhile, and an attempt's work takes longer than the 40 ms that are left by this chance.
    late = np.exp(-0.04 / 0.03)
    for ok, indeterminate in counts:
        assert indeterminate == pytest.approx(8000 * late * (1 + late), rel=0.06)
        assert ok == pytest.approx(200 * (CELLS - 5) - 8000 * late**2, rel=0.03)


def test_versions_that_misunderstand_each_other_fail_and_no_others() -> None:
    told = []
    for plane in both(network(200.0), {(SHOP, STOCK)}):
        for service in (SHOP, STOCK):
            plane.set_weights(service, (0.7, 0.3))
        plane.set_contract(SHOP, 0, STOCK, 1, 0.4)
        plane.run(float(CELLS))
        told.append([row(plane, service, version) for service in (SHOP, STOCK) for version in range(2)])
    requests, flows = ([failed(columns) for columns in each] for each in told)
    # Of the old shop's calls 0.3 x 0.4 fail, and as many retries.
    assert requests[1] == requests[2] == flows[1] == flows[2] == 0
    assert flows[0] == pytest.approx(requests[0], rel=0.2)
    assert flows[3] == pytest.approx(requests[3], rel=0.1)


def test_misunderstandings_that_were_not_told_of_are_refused() -> None:
    plane = ready(FluidPlane(network(10.0), 1))
    with pytest.raises(RequestError, match="incompatible versions"):
        plane.set_contract(SHOP, 0, STOCK, 1, 0.4)
