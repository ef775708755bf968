"""Small networks and long runs of the data plane, as the checks need them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane
from simulator.network import CLIENT, UNBOUNDED, Call, Distribution, Function, Kind, Network, Node, Station

__all__ = ["BATCHES", "EDGES_S", "batches", "lognormal", "one_station", "ready"]

EDGES_S = np.geomspace(1e-3, 100.0, 81)
BATCHES = 25
"""Enough for a standard error; few enough that a batch is far longer than waits remember."""

_CELLS = 1000
NO_TIME = Distribution(Kind.CONSTANT, 0.0)
PLENTY = 10**6
"""Workers of a station at which nobody waits."""


def lognormal(mean_s: float, cv: float) -> Distribution:
    """The lognormal of this mean and coefficient of variation."""
    variance = math.log1p(cv**2)
    return Distribution(Kind.LOGNORMAL, math.log(mean_s) - 0.5 * variance, math.sqrt(variance))


def one_station(
    workers: int,
    service: Distribution,
    rate_per_s: float,
    horizon_s: float,
    queue: int = UNBOUNDED,
    rates: tuple[tuple[float, float], ...] | None = None,
) -> Network:
    """Clients before one station, at a constant rate or at `rates` (start_s, rate_per_s)."""
    return Network(
        (Station("s", workers, service, queue),),
        (Call(CLIENT, 0),),
        (Function("f", rates or ((0.0, rate_per_s),), Node(0)),),
        horizon_s / _CELLS,
        _CELLS,
        EDGES_S,
    )


def ready(network: Network, seed: int, replication: int = 0) -> DataPlane:
    """A data plane in which every replica of every version takes jobs."""
    plane = DataPlane(network, seed, replication)
    for index, station in enumerate(network.stations):
        for version, replicas in enumerate(station.replicas):
            plane.set_ready(index, version, range(replicas))
    return plane


def batches(network: Network, seed: int, replication: int = 0) -> NDArray[np.float64]:
    """Mean wait, mean number in system, arrivals and mean time in system at station 0 by batch; float64 [BATCHES, 4].

    The run is cut into BATCHES + 1 spans of equal length; the first is its warm-up and left out.
    """
    plane = ready(network, seed, replication)
    seen = []
    times = np.linspace(0, network.horizon_s, BATCHES + 2)
    for until_s in times:
        plane.run(float(until_s))
        row = plane.state.stations[0]
        inside = row["entered"] - row["left"]
        area_s = row["balance_s"] + inside * until_s
        seen.append((row["waited_s"], row["started"], area_s, row["entered"], row["left"]))
    waited, started, area_s, entered, left = np.diff(np.array(seen, np.float64), axis=0)[1:].T
    return np.array([waited / started, area_s / (times[1] - times[0]), entered, area_s / left]).T
