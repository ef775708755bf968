"""Full queues of flows and of requests: what is asked in turn, tried again soon, or looked at by a probe."""

import math

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Balancing, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.geomspace(1e-3, 10.0, 65)
WARM_S, SECONDS = 20, 300
WORKERS, MEAN_S = 8, 0.04


def network(rate: float, called: Station, **call: object) -> Network:
    """A caller with room for all calls of `called`."""
    stations = (Station("edge", 8192, Distribution(Kind.EXPONENTIAL, MEAN_S / 100.0)), called)
    calls = (Call(CLIENT, 0), Call(0, 1, retries=1, **call))  # type: ignore[arg-type]
    return Network(stations, calls, (Function("f", ((0.0, rate),), Node(0, (Node(1),))),), 1.0, SECONDS + 10, EDGES_S)


def failed(plane: DataPlane | FluidPlane) -> tuple[float, float]:
    """Shares that failed of the clients' requests, and of the calls to the second station."""
    for index, station in enumerate(plane.network.stations):
        plane.set_ready(index, 0, range(station.replicas[0]))
    plane.run(SECONDS)
    recording = plane.recording()
    client = recording.client[WARM_S:SECONDS, 0, 0].sum(axis=0)
    called = recording.service[WARM_S:SECONDS, recording.rows.station == 1].sum(axis=(0, 1))
    return float(client[1:4].sum() / client[0]), float(called[1:4].sum() / called.sum())


@pytest.mark.parametrize("backoff_s", [0.0, 0.05])
def test_retries_of_what_was_shed_meet_the_rest_of_the_turn(backoff_s: float) -> None:
    """A queue that sheds does so in turns of 0.2 s; as if by chance, three calls of ten would be refused."""
    shop = Station(
        "shop", WORKERS, Distribution(Kind.EXPONENTIAL, MEAN_S), replicas=(4,), shed_s=0.15,
        balancing=Balancing.LEAST_REQUEST,
    )  # fmt: skip
    made = network(1.1 * 4 * WORKERS / MEAN_S, shop, timeout_s=5.0, backoff_s=backoff_s)
    requests, flows = failed(DataPlane(made, 1)), failed(FluidPlane(made, 1))
    assert flows[0] == pytest.approx(requests[0], rel=0.05)
    assert flows[1] == pytest.approx(requests[1], rel=0.12)
    assert requests[1] < 0.25


def test_a_full_version_keeps_its_own_retries_out_and_no_others() -> None:
    """Whom the full replicas of the new version let in waits too long: what succeeds is the idle old one's."""
    shop = Station("shop", WORKERS, Distribution(Kind.EXPONENTIAL, MEAN_S / 8), queue=24, replicas=(1, 3))
    made = network(200.0, shop, timeout_s=1.0)
    shares = []
    for plane in (DataPlane(made, 1), FluidPlane(made, 1)):
        plane.set_ready(1, 1, range(3))
        plane.set_weights(1, (0.25, 0.75))
        plane.set_defects(1, 1, [Defect(latency_add_s=0.5)])
        shares.append(failed(plane)[0])
    assert shares[1] == pytest.approx(shares[0], rel=0.03)
    assert shares[0] == pytest.approx(0.75**2, rel=0.05)


def probed(plane: DataPlane | FluidPlane, ready: int) -> tuple[float, float]:
    """Of looks at the ready replicas: how many find the first waiting for half a second, and how many a full queue."""
    plane.set_ready(0, 0, range(1))
    plane.set_ready(1, 0, range(ready))
    late, full = [], []
    for look in range(160):
        plane.run(WARM_S + look * 1.7)
        late += [plane.waited_s(1, 0, replica) > 0.5 for replica in range(ready)]
        full += [not plane.has_room(1, 0, replica) for replica in range(ready)]
    return float(np.mean(late)), float(np.mean(full))


@pytest.mark.parametrize("ready", [3, 5])
def test_probes_find_full_queues_as_often_as_request_by_request(ready: int) -> None:
    """The mean wait is below what a probe waits for, and fewer requests are refused than looks find a full queue."""
    cv = 0.6
    spread = math.sqrt(math.log1p(cv**2))
    work = Distribution(Kind.LOGNORMAL, math.log(0.0945) - spread**2 / 2, spread)
    api = Station("api", 6, work, queue=30, replicas=(5,))
    made = network(392.0, api, timeout_s=0.7, backoff_s=0.1, jitter=True, cancel=True)
    requests, flows = probed(DataPlane(made, 1), ready), probed(FluidPlane(made, 1), ready)
    assert flows == pytest.approx(requests, abs=0.075)  # three standard errors of a difference of 800 looks
    assert requests[1] > 0.5


@pytest.mark.parametrize("holds", [True, False])
def test_a_caller_whose_workers_wait_at_its_capacity_is_told(holds: bool) -> None:
    """Of 16 workers 15 are in calls on the mean; where they serve others meanwhile, next to none is busy."""
    shop = Station("shop", 16, Distribution(Kind.EXPONENTIAL, 0.001), holds_worker=holds)
    stock = Station("stock", 64, Distribution(Kind.EXPONENTIAL, 0.1))
    functions = (Function("f", ((0.0, 150.0),), Node(0, (Node(1),))),)
    plane = FluidPlane(Network((shop, stock), (Call(CLIENT, 0), Call(0, 1)), functions, 1.0, 30, EDGES_S), 1)
    for station in range(2):
        plane.set_ready(station, 0, [0])
    plane.run(20.0)
    assert plane.near_capacity_s() == ({0: pytest.approx(20.0, abs=0.2)} if holds else {})
