"""The three queueing systems through the project's own kernel, the one that plays every scenario."""

import math

import numpy as np

from benchmarks.answer import BATCHES, Answer
from simulator.kernel.plane import DataPlane
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

RESOLUTION_S = 0.25
EDGES_S = np.geomspace(1e-4, 100.0, 97)  # 16 a decade, as in every run record


def exponential(mean_s: float) -> Distribution:
    """Exponential seconds."""
    return Distribution(Kind.EXPONENTIAL, mean_s)


def network(stations: tuple[Station, ...], calls: tuple[Call, ...], rate: float, n: int) -> Network:
    """A chain of calls under a Poisson load, long enough for about `n` requests."""
    tree = Node(len(calls) - 1)
    for call in range(len(calls) - 2, -1, -1):
        tree = Node(call, (tree,))
    function = Function("requests", ((0.0, rate),), tree)
    cells = math.ceil(n / rate / RESOLUTION_S)
    return Network(stations, calls, (function,), RESOLUTION_S, cells, EDGES_S)


def mmc(servers: int, n: int, seed: int) -> Answer:
    """M/M/c at load 0.8, service 1 ms. Batches hold the mean wait in units of the service time."""
    rate = 0.8 * servers / 1e-3
    plane = _start(network((Station("s", servers, exponential(1e-3)),), (Call(CLIENT, 0),), rate, n), seed)
    stations, seen = plane.state.stations, []
    for until_s in np.linspace(0, plane.network.horizon_s, BATCHES + 1)[1:]:
        plane.run(float(until_s))
        seen.append((stations["waited_s"][0], stations["started"][0]))
    waited, started = np.diff(np.array([(0.0, 0), *seen]), axis=0).T
    return Answer(int(started.sum()), waited / started / 1e-3)


def chain(n: int, seed: int) -> Answer:
    """Gateway, api, db: a timeout of 1 s and two retries between the first two. Batches hold the mean latency, s."""
    stations = (
        Station("gateway", 4, exponential(0.020), holds_worker=False),
        Station("api", 40, exponential(0.250), holds_worker=False),
        Station("db", 16, exponential(0.100), holds_worker=False),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=1.0, retries=2), Call(1, 2))
    plane = _start(network(stations, calls, 100.0, n), seed)
    gateway, seen = plane.state.stations[:1], []
    for until_s in np.linspace(0, plane.network.horizon_s, BATCHES + 1)[1:]:
        plane.run(float(until_s))
        inside = gateway["entered"][0] - gateway["left"][0]
        seen.append((gateway["balance_s"][0] + inside * plane.now_s, gateway["left"][0]))
    in_system_s, left = np.diff(np.array([(0.0, 0), *seen]), axis=0).T
    api = plane.service_sum(1, None, 0, plane.network.cells)
    return Answer(int(left.sum()), in_system_s / left, float(api[2] / api.sum()))


def _start(net: Network, seed: int) -> DataPlane:
    plane = DataPlane(net, seed)
    for station in range(len(net.stations)):
        plane.set_ready(station, 0, [0])
    return plane
