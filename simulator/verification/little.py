"""Little's law, L = lambda W, at several stations from three measurements that share nothing.

The number inside is looked at from outside at fixed moments; arrivals are counted at the station; times inside come
from the write log, as each caller measured them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.plane import DataPlane
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.agreement import Agreement, around
from simulator.verification.playing import BATCHES, EDGES_S, NO_TIME, PLENTY, lognormal, ready
from simulator.verification.settings import Settings

__all__ = ["littles_law"]

LOOKS = 1000
"""Looks at the number inside, a batch."""
_BATCH_S = 1000.0
_CALLED = (1, 2, 3)


def _network() -> Network:
    """A front that waits for nobody calls three services one after the other; the first calls the third as well."""
    stations = (
        Station("front", PLENTY, NO_TIME),
        Station("holding", 12, Distribution(Kind.EXPONENTIAL, 0.2)),
        Station("lognormal", 2, lognormal(0.08, 1.0)),
        Station("constant", 1, Distribution(Kind.CONSTANT, 0.02), replicas=(2,)),
    )
    calls = tuple(Call(0, callee, writes=True) for callee in _CALLED)
    below = Call(1, 3, writes=True)
    root = Node(0, (Node(1, (Node(4),)), Node(2), Node(3)))
    horizon_s = _BATCH_S * (BATCHES + 1)
    return Network(
        stations,
        (Call(CLIENT, 0), *calls, below),
        (Function("f", ((0.0, 20.0),), root),),
        horizon_s / 1000,
        1000,
        EDGES_S,
    )


def littles_law(settings: Settings) -> list[Agreement]:
    """One line a station."""
    network = _network()
    plane = ready(network, settings.seed)
    inside, entered = _look(plane)
    writes = plane.recording().writes
    station_of = plane.state.nodes["station"][writes["node"]]
    batch = (writes["invoked_s"] / _BATCH_S).astype(np.int64)
    found = []
    for station in _CALLED:
        mine = (station_of == station) & ~np.isnan(writes["acknowledged_s"])
        spent_s = writes["acknowledged_s"][mine] - writes["invoked_s"][mine]
        sums_s = np.bincount(batch[mine], spent_s, BATCHES + 1)[1:]
        mean_s = sums_s / np.bincount(batch[mine], minlength=BATCHES + 1)[1:]
        product = entered[:, station] / _BATCH_S * mean_s
        error = float((inside[:, station] - product).std(ddof=1)) / math.sqrt(BATCHES)
        found.append(
            around(
                f"Little's law, station {network.stations[station].name}",
                float(product.mean()),
                float(inside[:, station].mean()),
                error,
                f"L - lambda W over {BATCHES} batches",
                note="theory is lambda W from two other counts",
            )
        )
    return found


def _look(plane: DataPlane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By batch after the first, and station: mean number inside over the looks, and arrivals; [BATCHES, stations]."""
    stations = len(plane.network.stations)
    inside = np.zeros((BATCHES + 1, LOOKS, stations))
    entered = np.zeros((BATCHES + 2, stations))
    for batch in range(BATCHES + 1):
        for look in range(LOOKS):
            plane.run(_BATCH_S * (batch + (look + 0.5) / LOOKS))
            rows = plane.state.stations
            inside[batch, look] = rows["entered"] - rows["left"]
        plane.run(_BATCH_S * (batch + 1))
        entered[batch + 1] = plane.state.stations["entered"]
    return inside.mean(axis=1)[1:], np.diff(entered, axis=0)[1:]
